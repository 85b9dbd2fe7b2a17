/**
 * The way into the server from inside its own process: the same authorization, admission and registry, without sockets and encoding.
 */
import type { ApiCall, Transport, WatchEvent, WatchHandle } from '#client';
import { patchMediaTypes } from '#client';
import type { Clock, Random } from '#machinery/clock';
import type { KubeObject } from '#machinery/meta';
import { StatusError, badRequest, serviceUnavailable, timeout } from '#machinery/status';
import type { AuditTrail, Auditor } from '../audit/index.ts';
import type { Authorizer, RequestInfo, UserInfo } from '../contract.ts';
import { authorize } from '../filters/authorization.ts';
import type { RequestContext } from '../registry/contract.ts';
import { listMetaOf } from '../registry/generic/listing.ts';
import type { Answer, RequestBody } from './contract.ts';
import { dispatch } from './dispatch.ts';
import type { Handlers } from './dispatch.ts';
import { exactName } from '../http/request-info.ts';
import { fieldManagerOf } from './field-manager.ts';

export interface InProcessOptions {
  handlers: Handlers;
  authorizer(): Authorizer;
  auditor: Auditor | undefined;
  clock: Clock;
  random: Random;
  /** Aborts when the server stops. */
  signal: AbortSignal;
}

const callTimeout = 60_000;

function infoOf(call: Omit<ApiCall, 'verb' | 'body' | 'patchType'>, verb: string): RequestInfo {
  const { kind } = call;
  const namespace = kind.namespaced ? (call.namespace ?? '') : kind.resource === 'namespaces' && kind.group === '' ? (call.name ?? '') : '';
  const query = call.query ?? {};
  return {
    isResourceRequest: true,
    path: '',
    verb,
    group: kind.group,
    version: kind.version,
    resource: kind.resource,
    subresource: call.subresource ?? '',
    namespace,
    name: call.name ?? (['list', 'watch', 'deletecollection'].includes(verb) ? exactName(query['fieldSelector']) : undefined) ?? '',
    ...(query['labelSelector'] !== undefined && { labelSelector: query['labelSelector'] }),
    ...(query['fieldSelector'] !== undefined && { fieldSelector: query['fieldSelector'] }),
  };
}

function completed(trail: AuditTrail, answer: Answer): void {
  if (answer.type === 'watch') {
    trail.started(200);
    return;
  }
  if (answer.type === 'object' && trail.wantsResponse) trail.response(Buffer.from(JSON.stringify(answer.object)));
  trail.complete(answer.type === 'object' ? answer.code : 200, undefined, false);
}

/** The path that the request would have over HTTP. */
function requestUri(info: RequestInfo, query: Record<string, string> = {}): string {
  const { group, version, resource, namespace, name, subresource, verb } = info;
  const path = [
    group ? `/apis/${group}/${version}` : `/api/${version}`,
    ...(namespace && resource !== 'namespaces' ? ['namespaces', namespace] : []),
    resource,
    ...(name && verb !== 'list' && verb !== 'watch' ? [name] : []),
    ...(subresource ? [subresource] : []),
  ].join('/');
  const text = new URLSearchParams(query).toString();
  return text ? `${path}?${text}` : path;
}

const metadataOf = (object: KubeObject): KubeObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  ...(object.metadata && { metadata: object.metadata }),
});

export function inProcessTransport(options: InProcessOptions, user: UserInfo, userAgent: string): Transport {
  const { handlers, clock } = options;
  const contextOf = (
    call: Omit<ApiCall, 'verb' | 'body' | 'patchType'>,
    info: RequestInfo,
    signal: AbortSignal,
    audit: AuditTrail | undefined,
  ): RequestContext => {
    const query = new URLSearchParams(call.query);
    return {
      info,
      user,
      query,
      dryRun: query.has('dryRun'),
      fieldManager: fieldManagerOf(query, userAgent),
      warn: () => undefined,
      annotate: () => undefined,
      audit,
      signal,
    };
  };
  const begun = (auditor: Auditor, call: Pick<ApiCall, 'query'>, info: RequestInfo): AuditTrail | undefined => {
    const exchange = { url: requestUri(info, call.query), headers: { 'user-agent': userAgent }, remoteAddress: '' };
    return auditor.begin({ auditID: options.random.uuid(), exchange, info, user, received: clock.now(), annotations: {} });
  };
  const answer = async (call: Omit<ApiCall, 'verb' | 'body' | 'patchType'>, verb: string, body?: RequestBody): Promise<Answer> => {
    if (options.signal.aborted) throw serviceUnavailable('the API server is stopped');
    call.signal?.throwIfAborted();
    const info = infoOf(call, verb);
    if (!info.name && ['get', 'update', 'patch', 'delete'].includes(verb)) throw badRequest('name must be provided');
    const trail = options.auditor && begun(options.auditor, call, info);
    try {
      const written = trail?.received();
      if (written) await written;
      await authorize(options.authorizer(), user, info);
      const signal = call.signal ? AbortSignal.any([call.signal, options.signal]) : options.signal;
      const result = await dispatch(handlers, { context: contextOf(call, info, signal, trail), body });
      if (trail) completed(trail, result);
      return result;
    } catch (error) {
      const status = error instanceof StatusError ? error.status : undefined;
      trail?.complete(status?.code ?? 500, status, false);
      throw error;
    }
  };
  return {
    async call(call) {
      const body: RequestBody | undefined =
        call.body === undefined
          ? undefined
          : { mediaType: call.patchType ? patchMediaTypes[call.patchType] : 'application/json', value: call.body };
      const { promise: late, reject } = Promise.withResolvers<never>();
      const timer = clock.setTimeout(() => reject(timeout('request did not complete within the allotted timeout')), callTimeout);
      try {
        const result = await Promise.race([answer(call, call.verb, body), late]);
        if (result.type === 'list') return listOf(result, call.metadataOnly ?? false);
        if (result.type === 'watch') throw badRequest('watch is not a call');
        return call.metadataOnly && result.served ? metadataOf(result.object as KubeObject) : result.object;
      } finally {
        timer.cancel();
      }
    },
    async watch(call, sink) {
      const result = await answer(call, 'watch');
      if (result.type !== 'watch') throw badRequest('the server does not watch this resource');
      return openWatch(options, result, call, sink);
    },
  };
}

function listOf({ served, result }: Answer & { type: 'list' }, metadataOnly: boolean): unknown {
  const { items } = result;
  return {
    kind: metadataOnly ? 'PartialObjectMetadataList' : `${served.kind.kind}List`,
    apiVersion: metadataOnly ? 'meta.k8s.io/v1' : served.kind.apiVersion,
    metadata: listMetaOf(result),
    items: metadataOnly ? items.map((item) => metadataOf(item.object)) : items.map((item) => item.object),
  };
}

async function openWatch(
  { clock, signal }: InProcessOptions,
  answer: Answer & { type: 'watch' },
  call: Omit<ApiCall, 'verb' | 'body' | 'patchType'>,
  sink: (event: WatchEvent) => void,
): Promise<WatchHandle> {
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  done.catch(() => undefined);
  let finished = false;
  let failure: StatusError | undefined;
  const finish = (): void => {
    if (finished) return;
    finished = true;
    timer.cancel();
    signal.removeEventListener('abort', stop);
    call.signal?.removeEventListener('abort', stop);
    if (failure) reject(failure);
    else resolve();
  };
  const shape = call.metadataOnly ? metadataOf : (object: KubeObject) => object;
  const running = await answer.open(
    (items) => {
      for (const item of items) {
        if (finished) return false;
        if (item.type === 'ERROR') failure = new StatusError(item.status);
        else if (item.type === 'BOOKMARK') sink({ type: 'BOOKMARK', object: item.object });
        else sink({ type: item.type, object: shape(item.cached.object) });
      }
      return true;
    },
    () => finish(),
  );
  const stop = (): void => {
    running.stop();
    finish();
  };
  const timer = clock.setTimeout(stop, answer.timeout);
  signal.addEventListener('abort', stop, { once: true });
  call.signal?.addEventListener('abort', stop, { once: true });
  if (signal.aborted || call.signal?.aborted) stop();
  return { done, stop };
}
