/** What etcd answers over HTTP/1, on the same port as gRPC or one of its own. upstream: etcd server/etcdserver/api/etcdhttp. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AlarmType } from './alarms.ts';
import { etcdVersion } from './maintenance.ts';
import { metricsText } from './metrics.ts';
import type { Facade } from './server.ts';

interface Answer {
  code: number;
  type: string;
  text: string;
}

/** Milliseconds. */
const patience = 60_000;
const plain = 'text/plain; charset=utf-8';
const notFound: Answer = { code: 404, type: plain, text: '404 page not found\n' };

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
  if (wrong) return { code: 503, type: plain, text: `${text}${[name, only].filter(Boolean).join('/')} check failed\n` };
  return { code: 200, type: plain, text: `${query.has('verbose') ? text : ''}ok\n` };
}

async function health(facade: Facade, query: URLSearchParams): Promise<Answer> {
  const excluded = query.getAll('exclude');
  const alarms = facade.alarms.list().filter((type) => !excluded.includes(type));
  const problem = alarms.length > 0 ? `ALARM ${alarms[0]}` : (await read(facade)) && 'RANGE ERROR';
  const text = JSON.stringify({ health: String(problem === undefined), reason: problem ?? '' });
  return problem === undefined ? { code: 200, type: plain, text } : { code: 503, type: plain, text: `${text}\n` };
}

async function answer(facade: Facade, { pathname, searchParams }: URL, clients: boolean): Promise<Answer> {
  const { etcdserver, storage } = etcdVersion;
  const [, name = '', only, ...more] = pathname.split('/');
  if ((name === 'livez' || name === 'readyz') && more.length === 0) return probe(facade, name, only, searchParams);
  switch (pathname) {
    case '/health':
      return health(facade, searchParams);
    case '/metrics':
      return { code: 200, type: 'text/plain; version=0.0.4; charset=utf-8', text: await metricsText(facade) };
    case '/version':
      if (!clients) return notFound;
      return { code: 200, type: 'application/json', text: JSON.stringify({ etcdserver, etcdcluster: storage, storage }) };
    default:
      return notFound;
  }
}

/** Not listening yet. `clients`: it is asked by clients, else by who looks after the server. */
export function httpServer(facade: Facade, clients: boolean): Server {
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const send = ({ code, type, text }: Answer, headers: Record<string, string> = {}): void =>
      void response.writeHead(code, { ...headers, 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) }).end(text);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send({ code: 405, type: plain, text: 'Method Not Allowed\n' }, { Allow: 'GET' });
    if (!URL.canParse(request.url ?? '', 'http://etcd')) return send(notFound);
    try {
      send(await answer(facade, new URL(request.url ?? '', 'http://etcd'), clients));
    } catch (error) {
      send({ code: 500, type: plain, text: `${(error as Error).message}\n` });
    }
  };
  const server = createServer((request, response) => void serve(request, response));
  // Who sends nothing for a while is let go.
  server.timeout = patience;
  return server;
}
