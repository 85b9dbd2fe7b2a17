/** What etcd answers beside gRPC, on the same port or one of its own. upstream: etcd server/etcdserver/api/etcdhttp. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Stream } from '#machinery/http2';
import type { AlarmType } from './alarms.ts';
import { etcdVersion } from './maintenance.ts';
import { metricsText } from './metrics.ts';
import type { Facade } from './server.ts';

interface Answer {
  code: number;
  headers: Record<string, string>;
  text: string;
}

/** Milliseconds. */
const patience = 60_000;
const plain = 'text/plain; charset=utf-8';
const plainly = (code: number, text: string): Answer => ({ code, headers: { 'content-type': plain }, text });
const notFound = plainly(404, '404 page not found\n');

/** A check answers what is wrong, if anything is. */
type Check = (facade: Facade) => Promise<string | undefined> | string | undefined;

const alarm =
  (type: AlarmType): Check =>
  ({ alarms }) =>
    alarms.list(type).length > 0 ? `alarm activated: ${type}` : undefined;

/** Whether reads are answered; ours are always the newest. */
async function read({ store }: Facade): Promise<string | undefined> {
  try {
    await store.range({ key: '\0', countOnly: true });
    return undefined;
  } catch (error) {
    return `range error: ${(error as Error).message}`;
  }
}

const checks: Record<string, Record<string, Check>> = {
  livez: { serializable_read: read },
  readyz: { data_corruption: alarm('CORRUPT'), serializable_read: read, linearizable_read: read, non_learner: () => undefined },
};

/** /livez and /readyz, all checks of theirs or the one that the path names. */
async function probe(facade: Facade, name: string, only: string | undefined, query: URLSearchParams): Promise<Answer> {
  const known = checks[name]!;
  if (only !== undefined && !Object.hasOwn(known, only)) return notFound;
  const [allowed, excluded] = ['allowlist', 'exclude'].map((list) => query.getAll(list)) as [string[], string[]];
  let wrong = false;
  let text = '';
  for (const [check, run] of Object.entries(known)) {
    if (only !== undefined && check !== only) continue;
    if (only === undefined && (excluded.includes(check) || (allowed.length > 0 && !allowed.includes(check)))) continue;
    const problem = await run(facade);
    wrong ||= problem !== undefined;
    text += problem === undefined ? `[+]${check} ok\n` : `[-]${check} failed: ${problem}\n`;
  }
  if (wrong) return plainly(503, `${text}${[name, only].filter(Boolean).join('/')} check failed\n`);
  return plainly(200, `${query.has('verbose') ? text : ''}ok\n`);
}

async function health(facade: Facade, query: URLSearchParams): Promise<Answer> {
  const excluded = query.getAll('exclude');
  const alarms = facade.alarms.list().filter((type) => !excluded.includes(type));
  const problem = alarms.length > 0 ? `ALARM ${alarms[0]}` : (await read(facade)) && 'RANGE ERROR';
  const text = JSON.stringify({ health: String(problem === undefined), reason: problem ?? '' });
  return problem === undefined ? plainly(200, text) : plainly(503, `${text}\n`);
}

async function answerTo(facade: Facade, { pathname, searchParams }: URL, clients: boolean): Promise<Answer> {
  const { etcdserver, storage } = etcdVersion;
  const [, name = '', only, ...more] = pathname.split('/');
  if ((name === 'livez' || name === 'readyz') && more.length === 0) return probe(facade, name, only, searchParams);
  switch (pathname) {
    case '/health':
      return health(facade, searchParams);
    case '/metrics':
      return { code: 200, headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }, text: await metricsText(facade) };
    case '/version':
      if (!clients) return notFound;
      return {
        code: 200,
        headers: { 'content-type': 'application/json' },
        text: JSON.stringify({ etcdserver, etcdcluster: storage, storage }),
      };
    default:
      return notFound;
  }
}

/** What a request is answered. `clients`: it comes from clients, else from who looks after the server. */
async function answer(facade: Facade, method: string, path: string, clients: boolean): Promise<Answer> {
  if (method !== 'GET') return { code: 405, headers: { allow: 'GET', 'content-type': plain }, text: 'Method Not Allowed\n' };
  if (!URL.canParse(path, 'http://etcd')) return notFound;
  try {
    return await answerTo(facade, new URL(path, 'http://etcd'), clients);
  } catch (error) {
    return plainly(500, `${(error as Error).message}\n`);
  }
}

/** HTTP/1. Not listening yet. */
export function httpServer(facade: Facade, clients: boolean): Server {
  const serve = async ({ method = '', url = '' }: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { code, headers, text } = await answer(facade, method, url, clients);
    response.writeHead(code, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text);
  };
  const server = createServer((request, response) => void serve(request, response));
  // Who sends nothing for a while is let go.
  server.timeout = patience;
  return server;
}

/** HTTP/2: a client's request that is no call of gRPC's. */
export async function answerStream(facade: Facade, stream: Stream): Promise<void> {
  const { method, path } = stream.head;
  // A body is nothing to us, but who sends one hears nothing before its end.
  await new Promise<void>((resolve) => {
    stream.onClose = () => resolve();
    stream.receive({ data: ({ length }) => stream.consumed(length), end: resolve });
  });
  const { code, headers, text } = await answer(facade, method, path, true);
  const bytes = Buffer.from(text);
  stream.respond(code, headers, method === 'HEAD', bytes.length);
  stream.end(bytes);
}
