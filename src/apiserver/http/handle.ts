/**
 * The way of one HTTP request: request info → authentication → audit → impersonation → flow control → authorization → handler → answer.
 * upstream: apiserver/pkg/server/config.go DefaultBuildHandlerChain.
 */
import { gzip } from 'node:zlib';
import { promisify } from 'node:util';
import { resourceFact } from '#api/facts';
import type { Status } from '#api';
import type { Clock, Random } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { StatusError, badRequest, internalError, timeout } from '#machinery/status';
import type { Authorizer, Credentials, RequestInfo, UserInfo } from '../contract.ts';
import type { AuditTrail, Auditor } from '../audit/index.ts';
import { authorize } from '../filters/authorization.ts';
import { asksToImpersonate, impersonate } from '../filters/impersonation.ts';
import type { Admittance, Ticket } from '../filters/admittance.ts';
import type { RequestMetrics } from '../filters/metrics.ts';
import type { Answer, RequestBody } from '../handlers/contract.ts';
import { connect, streams } from '../handlers/connect.ts';
import { NothingThere, dispatch, unsupported } from '../handlers/dispatch.ts';
import type { Handlers } from '../handlers/dispatch.ts';
import { fieldManagerOf } from '../handlers/field-manager.ts';
import type { Exchange, Upgrade } from '../proxy/contract.ts';
import type { RequestContext } from '../registry/contract.ts';
import { readBody } from './body.ts';
import { encodeAnswer, encodeObject } from './encode.ts';
import { gzipFrom, sendList } from './list-body.ts';
import { negotiate, wantsPretty } from './negotiation.ts';
import type { Accepted } from './negotiation.ts';
import type { PathTable } from './paths.ts';
import { answerNothingThere } from './not-found.ts';
import { HttpRequestContext } from './request-context.ts';
import { isLongRunning, parseRequest } from './request-info.ts';
import { patienceOf } from './request-timeout.ts';
import { serveWatch, watchWriter } from './watch.ts';

export interface HttpContext {
  handlers: Handlers;
  paths: PathTable;
  authenticate(credentials: Credentials): UserInfo | Promise<UserInfo>;
  authorizer(): Authorizer;
  /** Takes requests for other servers (aggregated APIs); undefined: not mine. */
  delegate(): ((request: DelegatedRequest) => Promise<void> | undefined) | undefined;
  admittance: Admittance;
  metrics: RequestMetrics;
  auditor: Auditor | undefined;
  clock: Clock;
  random: Random;
  log: Log;
  /** Aborts when the server stops: long-running requests end. */
  stopping: AbortSignal;
}

export interface DelegatedRequest {
  info: RequestInfo;
  user: UserInfo;
  exchange?: Exchange;
  upgrade?: Upgrade;
}

/** What the connection knows. */
export interface Peer {
  certificate?: Uint8Array;
}

const compress = promisify(gzip);
const webSocketToken = 'base64url.bearer.authorization.k8s.io.';

/** Serves a request; `upgrade` is set for those that leave HTTP/1.1. Never rejects. */
export async function handle(server: HttpContext, exchange: Exchange, peer: Peer, upgrade?: Upgrade): Promise<void> {
  const { clock } = server;
  const received = clock.now();
  const started = clock.monotonic();
  const auditID = (exchange.headers['audit-id'] as string | undefined) ?? server.random.uuid();
  const headers: Record<string, string | string[]> = { 'audit-id': auditID, 'cache-control': 'no-cache, private' };
  const question = exchange.url.indexOf('?');
  const path = question < 0 ? exchange.url : exchange.url.slice(0, question);
  const query = new URLSearchParams(question < 0 ? '' : exchange.url.slice(question + 1));
  const warnings: string[] = [];
  const annotations: Record<string, string> = {};
  let info: RequestInfo | undefined;
  let user: UserInfo = nobody;
  let speaker: UserInfo = nobody;
  let ticket: Ticket | undefined;
  let left: (() => void) | undefined;
  let code = 200;
  let failure: Status | undefined;
  let trail: AuditTrail | undefined;
  let longRunning = false;
  const annotate = (key: string, value: string): void => void (annotations[key] ??= value);

  try {
    const parsed = parseRequest(exchange.method, path, query);
    ({ info } = parsed);
    takeWebSocketToken(exchange, upgrade);
    const known = server.authenticate({
      headers: exchange.headers,
      path: info.path,
      ...(peer.certificate && { certificate: peer.certificate }),
    });
    try {
      user = known instanceof Promise ? await known : known;
    } catch (error) {
      server.auditor?.unauthenticated({ auditID, exchange, info, user, received, annotations }, attempts(exchange, peer));
      throw error;
    }
    speaker = user;
    trail = server.auditor?.begin({ auditID, exchange, info, user, received, annotations });
    const written = trail?.received();
    if (written) await written;
    longRunning = isLongRunning(info);
    const patience = longRunning ? 0 : patienceOf(query);
    if (asksToImpersonate(exchange.headers)) speaker = await impersonate(server.authorizer(), user, exchange.headers);
    if (speaker !== user) trail?.impersonated(speaker);
    if (speaker !== user)
      for (const name of Object.keys(exchange.headers)) if (name.startsWith('impersonate-')) delete exchange.headers[name];
    const entered = server.admittance.enter({ exchange, info, user: speaker, query, longRunning, patience, headers });
    ticket = entered instanceof Promise ? await entered : entered;
    if (!ticket) {
      code = 429;
      return;
    }
    const authorized = authorize(server.authorizer(), speaker, info, annotate);
    if (authorized) await authorized;

    const handedOn = server.delegate()?.({ info, user: speaker, ...(upgrade ? { upgrade } : { exchange }) });
    if (handedOn) return await handedOn;

    const context: RequestContext = new HttpRequestContext(exchange, {
      info,
      user: speaker,
      query,
      dryRun: query.has('dryRun'),
      fieldManager: fieldManagerOf(query, userAgentOf(exchange)),
      warn: (text) => void (warnings.includes(text) || warnings.push(text)),
      annotate,
      audit: trail,
    });
    if (!info.isResourceRequest) {
      if (upgrade) throw badRequest('Upgrade request required on a resource');
      await serveTimed(server, patience, servePath(server, exchange, info, query, speaker, headers));
      return;
    }
    if (longRunning) left = server.metrics.opened(info);
    if (
      streams(server.handlers, info) &&
      (await connect(server.handlers, {
        context: longRunning ? { ...context, signal: AbortSignal.any([exchange.signal, server.stopping]) } : context,
        rest: parsed.rest,
        ...(upgrade ? { upgrade } : { exchange }),
      }))
    )
      return;
    if (upgrade) throw badRequest('Upgrade request is not supported here');
    if (exchange.method === 'HEAD') throw unsupported();
    const builtIn = resourceFact(info.group, info.version, info.resource) !== undefined;
    const accepted = negotiate(exchange.headers['accept'] as string | undefined, hasShapes(server.handlers, info), builtIn);
    const form: Accepted = wantsPretty(query, userAgentOf(exchange)) ? { ...accepted, pretty: true } : accepted;
    const mediaType = (exchange.headers['content-type'] as string | undefined) ?? '';
    const body: RequestBody | undefined = needsBody(info, exchange) ? { mediaType, bytes: await readBody(exchange) } : undefined;
    const answer = await serveTimed(server, patience, dispatch(server.handlers, { context, body }));
    if (warnings.length > 0) headers['warning'] = warningHeaders(warnings);
    if (answer.type === 'watch') {
      const writer = await watchWriter(answer, form, { now: () => clock.now(), includeObject: query.get('includeObject') ?? 'Metadata' });
      trail?.started(200);
      await serveWatch(exchange, answer, writer, headers, clock, server.stopping, ticket);
      return;
    }
    code = answer.type === 'object' ? answer.code : 200;
    if (trail) await auditAnswer(trail, answer, form, clock.now());
    if (answer.type === 'list' && form.format === 'json' && !form.as && !form.pretty)
      await sendList(exchange, answer, { ...headers, 'content-type': form.mediaType }, clock);
    else await send(exchange, answer, form, code, headers, { now: clock.now(), includeObject: query.get('includeObject') ?? 'Metadata' });
  } catch (error) {
    if (error instanceof NothingThere && !upgrade) {
      code = 404;
      return answerNothingThere({ exchange, headers });
    }
    const status = statusOf(server, error, info);
    code = status.code ?? 500;
    failure = status;
    if (warnings.length > 0) headers['warning'] = warningHeaders(warnings);
    await fail(exchange, upgrade, status, headers, wantsPretty(query, userAgentOf(exchange)));
  } finally {
    ticket?.done();
    left?.();
    if (info) server.metrics.observe(info, code, (clock.monotonic() - started) / 1000);
    trail?.complete(code, failure, longRunning);
  }
}

/** An answer as audit has it: a Status' own fields, and, where the policy wants it, the whole in JSON. */
async function auditAnswer(trail: AuditTrail, answer: Exclude<Answer, { type: 'watch' }>, { as }: Accepted, now: number): Promise<void> {
  if (answer.type === 'object' && answer.object.kind === 'Status') trail.status(answer.object);
  if (!trail.wantsResponse) return;
  const json: Accepted = { format: 'json', mediaType: 'application/json', pretty: false, ...(as && { as }) };
  trail.response(await encodeAnswer(answer, json, { now, includeObject: 'Metadata' }));
}

/** What can be read can be had as a Table or as metadata alone; reviews and the like cannot. */
function hasShapes({ table }: Handlers, { group, version, resource, subresource }: RequestInfo): boolean {
  const endpoint = table.endpoint(group, version, resource, subresource);
  return (endpoint ? endpoint.served : table.find(group, version, resource)) !== undefined;
}

const nobody: UserInfo = { name: '', groups: [] };

/** By which means somebody tried to say who he is. */
const attempts = ({ headers }: Exchange, { certificate }: Peer): string[] => [
  ...(certificate ? ['x509'] : []),
  ...(/^bearer /i.test(String(headers['authorization'] ?? '')) ? ['bearer'] : []),
];

const userAgentOf = (exchange: Exchange): string => (exchange.headers['user-agent'] as string | undefined) ?? '';

function serveTimed<T>({ clock }: HttpContext, patience: number, work: Promise<T>): Promise<T> {
  if (patience === 0) return work;
  return new Promise<T>((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(timeout('request did not complete within the allotted timeout')), patience);
    work.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error as Error);
      },
    );
  });
}

async function servePath(
  server: HttpContext,
  exchange: Exchange,
  info: RequestInfo,
  query: URLSearchParams,
  user: UserInfo,
  headers: Record<string, string | string[]>,
): Promise<void> {
  const handler = server.paths.find(info.path);
  if (!handler) return answerNothingThere({ exchange, headers });
  await handler({ exchange, path: info.path, query, user, headers });
}

const needsBody = (info: RequestInfo, exchange: Exchange): boolean =>
  info.verb === 'create' || info.verb === 'update' || info.verb === 'patch' || exchange.method === 'DELETE';

async function send(
  exchange: Exchange,
  answer: Exclude<Answer, { type: 'watch' }>,
  form: Accepted,
  code: number,
  headers: Record<string, string | string[]>,
  context: { now: number; includeObject: string },
): Promise<void> {
  const encoding = encodeAnswer(answer, form, context);
  const bytes = encoding instanceof Promise ? await encoding : encoding;
  if (exchange.gone) return;
  await endCompressed(exchange, code, { ...headers, 'content-type': form.mediaType }, bytes);
}

/** Ends an exchange; big bodies are compressed for who accepts it. upstream: responsewriters/writers.go (its threshold). */
export async function endCompressed(
  exchange: Exchange,
  code: number,
  headers: Record<string, string | string[]>,
  bytes: Uint8Array,
): Promise<void> {
  if (bytes.length > gzipFrom && String(exchange.headers['accept-encoding'] ?? '').includes('gzip')) {
    const small = await compress(bytes, { level: 1 });
    if (exchange.gone) return;
    exchange.end(code, { ...headers, 'content-encoding': 'gzip', vary: 'Accept-Encoding' }, small);
    return;
  }
  exchange.end(code, headers, bytes);
}

function statusOf(server: HttpContext, error: unknown, info: RequestInfo | undefined): Status {
  if (error instanceof StatusError) return error.status;
  // What is nested so deep that our ways through it end; upstream goes down to 10,000.
  if (error instanceof RangeError && error.message.includes('call stack')) return badRequest('json: exceeded max depth').status;
  server.log.error('Request failed unexpectedly', { path: info?.path, verb: info?.verb, error });
  return internalError(error).status;
}

async function fail(
  exchange: Exchange,
  upgrade: Upgrade | undefined,
  status: Status,
  headers: Record<string, string | string[]>,
  pretty: boolean,
): Promise<void> {
  const code = status.code ?? 500;
  const retry = status.details?.retryAfterSeconds;
  const all = { ...headers, 'content-type': 'application/json', ...(retry && { 'retry-after': String(retry) }) };
  if (exchange.responded) {
    exchange.abort();
    return;
  }
  // A client that accepts no form of a Status is told so in JSON for people. upstream: responsewriters/writers.go WriteRawJSON.
  let form: Accepted = { format: 'json', mediaType: 'application/json', pretty: true };
  try {
    form = { ...negotiate(exchange.headers['accept'] as string | undefined, false, true), pretty };
  } catch {
    // As above.
  }
  const bytes = await encodeObject(status, form);
  if (upgrade && !upgrade.socket.destroyed) {
    exchange.end(code, { ...all, connection: 'close' }, bytes);
    return;
  }
  if (!exchange.gone) exchange.end(code, { ...all, 'content-type': form.mediaType }, bytes);
}

/** RFC 7234 warnings as upstream writes them: 299 - "text". At most 4 KiB of them. */
function warningHeaders(texts: readonly string[]): string[] {
  let left = 4096;
  const out: string[] = [];
  for (const text of texts) {
    const clean = text
      .replace(/[\r\n\t]+/g, ' ')
      .replace(/[^\x20-\x7e]/g, (char) => (char > '\x7f' ? Buffer.from(char).toString('latin1') : ' '));
    const header = `299 - "${clean.replace(/[\\"]/g, '\\$&')}"`;
    left -= header.length;
    if (left < 0) break;
    out.push(header);
  }
  return out;
}

/** Browsers cannot set headers on WebSockets: their token comes as a subprotocol. upstream: authentication/request/websocket. */
function takeWebSocketToken(exchange: Exchange, upgrade: Upgrade | undefined): void {
  const header = upgrade && exchange.headers['sec-websocket-protocol'];
  if (!header || exchange.headers['authorization']) return;
  const protocols = String(header)
    .split(',')
    .map((text) => text.trim());
  const token = protocols.find((text) => text.startsWith(webSocketToken));
  if (!token) return;
  exchange.headers['authorization'] = `Bearer ${Buffer.from(token.slice(webSocketToken.length), 'base64url').toString('utf8')}`;
  exchange.headers['sec-websocket-protocol'] = protocols.filter((text) => text !== token).join(', ');
}
