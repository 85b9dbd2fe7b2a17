/** pods/log: the kubelet's answer, as it comes; over WebSocket for clients that ask for it. upstream: pkg/registry/core/pod/rest/log.go. */
import { Pod } from '#api';
import { failure, invalid, invalidField, forbiddenField } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import type { ServerDependencies } from '../contract.ts';
import type { ConnectHandler, ConnectRequest } from './contract.ts';
import { ask } from './forward.ts';
import type { ClientTls } from './forward.ts';
import { chooseContainer, podKubelet } from './location.ts';

const passed = ['follow', 'previous', 'sinceSeconds', 'sinceTime', 'timestamps', 'tailLines', 'limitBytes', 'stream'];

function check(query: URLSearchParams, name: string): void {
  const errors: FieldError[] = [];
  const number = (field: string, least: number): void => {
    const text = query.get(field);
    if (text === null || text === '') return;
    if (!/^-?\d+$/.test(text) || Number(text) < least)
      errors.push(
        invalidField(field, /^-?\d+$/.test(text) ? Number(text) : text, `must be greater than ${least === 0 ? 'or equal to 0' : '0'}`),
      );
  };
  number('tailLines', 0);
  number('limitBytes', 1);
  number('sinceSeconds', 1);
  if (query.get('sinceSeconds') && query.get('sinceTime'))
    errors.push(forbiddenField('', 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
  if (errors.length) throw invalid({ group: '', kind: 'PodLogOptions' }, name, errors);
}

async function serve({ client }: ServerDependencies, tls: ClientTls, { context, exchange, upgrade }: ConnectRequest): Promise<void> {
  const { namespace, name } = context.info;
  check(context.query, name);
  const { query } = context;
  const pod = await client.get(Pod, { namespace, name });
  const container = chooseContainer(pod, query.get('container') ?? '');
  const nodeName = pod.spec?.nodeName;
  // What has not been anywhere has said nothing.
  if (!nodeName) {
    exchange?.end(204, { 'cache-control': 'no-cache, private' });
    if (upgrade) upgrade.socket.end('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
    return;
  }
  const location = await podKubelet(client, nodeName);
  const wanted = new URLSearchParams();
  for (const key of passed) {
    const value = query.get(key);
    if (value !== null) wanted.set(key, value);
  }
  const text = wanted.toString();
  const path = `/containerLogs/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/${encodeURIComponent(container)}${text ? `?${text}` : ''}`;
  const gone = new AbortController();
  const signal = exchange ? AbortSignal.any([exchange.signal, context.signal]) : AbortSignal.any([gone.signal, context.signal]);
  const answer = await ask(location, tls, { method: 'GET', path, headers: {}, signal });
  if (answer.statusCode !== 200) {
    let message = '';
    answer.setEncoding('utf8');
    for await (const chunk of answer) message += chunk as string;
    const code = answer.statusCode ?? 500;
    throw failure(code, code === 404 ? 'NotFound' : code === 400 ? 'BadRequest' : 'InternalError', message.trim());
  }
  if (exchange) {
    const body = exchange.respond(200, { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' });
    answer.pipe(body);
    await new Promise<void>((resolve) => {
      answer
        .once('end', resolve)
        .once('close', resolve)
        .once('error', () => resolve());
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    return;
  }
  if (!upgrade) return;
  const { WebSocketServer } = await import('ws');
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    handleProtocols: (protocols) => ['binary.k8s.io', 'base64.binary.k8s.io'].find((known) => protocols.has(known)) ?? false,
  });
  server.handleUpgrade(upgrade.request, upgrade.socket, upgrade.head, (socket) => {
    const base64 = socket.protocol === 'base64.binary.k8s.io';
    socket.once('close', () => gone.abort());
    socket.on('error', () => gone.abort());
    answer.on('data', (chunk: Buffer) => {
      if (base64) socket.send(chunk.toString('base64'));
      else socket.send(chunk, { binary: true });
    });
    answer.once('end', () => socket.close(1000));
    answer.once('error', () => socket.close());
  });
}

export const logHandler = (dependencies: ServerDependencies, tls: ClientTls): ConnectHandler => ({
  group: '',
  resource: 'pods',
  subresource: 'log',
  connect: (request) => serve(dependencies, tls, request),
});
