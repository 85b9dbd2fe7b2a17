/**
 * The kubelet's HTTPS server: logs, exec, attach, port-forward, stats, pods, health, metrics. HTTP/1.1, since it lives on upgrades.
 * upstream: pkg/kubelet/server/server.go.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Client } from '#client';
import type { Context, Running } from '#machinery/lifecycle';
import { running } from '#machinery/lifecycle';
import { StatusError } from '#machinery/status';
import type { RemoteChannels } from '#runtime';
import type { KubeletApi } from '../contract.ts';
import { gate } from './auth.ts';
import { join } from './channels.ts';
import { readLog } from './log-reader.ts';
import type { LogOptions } from './log-reader.ts';
import { portForwardProtocol, spdyPortForward, tunnelProtocol, webSocketPortForward } from './port-forward.ts';
import { acceptSpdy, spdyChannels } from './spdy-channels.ts';
import { acceptWebSocket, remoteCommandProtocols, webSocketChannels, webSocketStream } from './websocket.ts';

export interface KubeletServerOptions {
  /** For TokenReviews and SubjectAccessReviews; speaks as the node. */
  client: Client;
  host: string;
  port: number;
  /** A listening socket that is taken over, in place of opening one. */
  listener?: Server;
  certificate: string;
  key: string;
  /** PEM of the CA whose client certificates are accepted. */
  clientCa: string;
  onListening?(port: number): void;
}

const spdyProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];

/** For KubeletOptions.server. */
export function kubeletServer(options: KubeletServerOptions): (api: KubeletApi, context: Context) => Promise<Running> {
  return async (api, context) => {
    const allowed = gate(options.client, api.nodeName, context.clock);
    const log = context.log;
    const sockets = new Set<Socket>();
    const server = createServer({
      cert: options.certificate,
      key: options.key,
      ca: options.clientCa,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
    });
    server.on('secureConnection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });

    const refuse = (socket: Duplex, status: number, text: string): void => {
      socket.end(
        `HTTP/1.1 ${status} ${status === 403 ? 'Forbidden' : 'Error'}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
      );
    };
    const failure = (error: unknown): { status: number; text: string } =>
      error instanceof StatusError
        ? { status: error.code, text: error.message }
        : { status: 500, text: error instanceof Error ? error.message : String(error) };

    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void (async () => {
        const url = new URL(request.url ?? '/', 'https://kubelet');
        try {
          const refused = await allowed(request, url.pathname);
          if (refused) response.writeHead(refused.status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(refused.text);
          else await serve(url, request, response);
        } catch (error) {
          const { status, text } = failure(error);
          if (status >= 500) log.warn('Cannot serve a request to the kubelet', { path: url.pathname, error });
          if (!response.headersSent) response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(text);
          else response.destroy();
        }
      })();
    });
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy());
      void (async () => {
        const url = new URL(request.url ?? '/', 'https://kubelet');
        try {
          const refused = await allowed(request, url.pathname);
          if (refused) refuse(socket, refused.status, refused.text);
          else await upgrade(url, request, socket, head);
        } catch (error) {
          const { status, text } = failure(error);
          log.info('A stream to a container failed', { path: url.pathname, error });
          refuse(socket, status, text);
        }
      })();
    });

    async function serve(url: URL, _request: IncomingMessage, response: ServerResponse): Promise<void> {
      const json = (value: unknown): void =>
        void response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
      const [, first = '', ...rest] = url.pathname.split('/');
      switch (first) {
        case 'healthz':
          if (api.healthy()) response.writeHead(200, { 'Content-Type': 'text/plain' }).end('ok');
          else response.writeHead(500, { 'Content-Type': 'text/plain' }).end('the runtime or the API does not answer');
          return;
        case 'pods':
        case 'runningpods':
          json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: api.pods() });
          return;
        case 'stats':
          if (rest[0] === 'summary') {
            json(await api.statsSummary());
            return;
          }
          break;
        case 'configz':
          json({
            kubeletconfig: {
              kind: 'KubeletConfiguration',
              apiVersion: 'kubelet.config.k8s.io/v1beta1',
              containerLogMaxSize: '10Mi',
              maxPods: 110,
            },
          });
          return;
        case 'metrics': {
          const { metricsText } = await import('./metrics.ts');
          response
            .writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' })
            .end(await metricsText(api, rest[0] ?? ''));
          return;
        }
        case 'containerLogs': {
          const [namespace = '', pod = '', container = ''] = rest.map(decodeURIComponent);
          await logs(namespace, pod, container, url.searchParams, response);
          return;
        }
        case 'run': {
          const [namespace = '', pod = ''] = rest.map(decodeURIComponent);
          const found = await api.findContainer(namespace, pod, decodeURIComponent(rest.at(-1) ?? ''));
          const answer = await api.runtime.runtime.execSync({
            containerId: found.id,
            cmd: (url.searchParams.get('cmd') ?? '').split(' '),
            timeout: 0,
          });
          response
            .writeHead(200, { 'Content-Type': 'text/plain' })
            .end(Buffer.concat([answer.stdout ?? new Uint8Array(0), answer.stderr ?? new Uint8Array(0)]));
          return;
        }
        case 'exec':
        case 'attach':
        case 'portForward':
          response.writeHead(400, { 'Content-Type': 'text/plain' }).end('Upgrade request required');
          return;
        default:
      }
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('404 page not found\n');
    }

    async function logs(namespace: string, pod: string, name: string, query: URLSearchParams, response: ServerResponse): Promise<void> {
      const number = (key: string): number | undefined => {
        const text = query.get(key);
        return text === null || text === '' ? undefined : Number(text);
      };
      const flag = (key: string): boolean => ['true', '1', ''].includes(query.get(key) ?? 'false');
      const container = await api.findContainer(namespace, pod, name, { previous: flag('previous') });
      const tailLines = number('tailLines');
      const limitBytes = number('limitBytes');
      const sinceSeconds = number('sinceSeconds');
      const sinceTime = query.get('sinceTime');
      const since = sinceSeconds !== undefined ? context.clock.now() - sinceSeconds * 1000 : sinceTime ? Date.parse(sinceTime) : undefined;
      const stream = query.get('stream')?.toLowerCase();
      const wanted: LogOptions = {
        follow: flag('follow'),
        timestamps: flag('timestamps'),
        ...(tailLines !== undefined && { tailLines }),
        ...(limitBytes !== undefined && { limitBytes }),
        ...(since !== undefined && { since }),
        ...((stream === 'stdout' || stream === 'stderr') && { stream }),
      };
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      response.writeHead(200, { 'Content-Type': 'text/plain', 'Transfer-Encoding': 'chunked' });
      response.flushHeaders();
      const isRunning = async (): Promise<boolean> => {
        try {
          const { status } = await api.runtime.runtime.containerStatus({ containerId: container.id });
          return status?.state === 'CONTAINER_RUNNING' || status?.state === 'CONTAINER_CREATED';
        } catch {
          return false; // Removed meanwhile: nothing more will come.
        }
      };
      try {
        await readLog(container.logPath, wanted, response, isRunning, context.clock, gone.signal);
        response.end();
      } catch (error) {
        if (!gone.signal.aborted) throw error;
      }
    }

    async function upgrade(url: URL, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
      const [, action = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
      const [namespace = '', pod = ''] = rest;
      const query = url.searchParams;
      const webSocket = request.headers.upgrade?.toLowerCase() === 'websocket';
      if (action === 'portForward') {
        const sandbox = await api.findSandbox(namespace, pod, rest[2]);
        const ports = query.getAll('port').flatMap((text) => text.split(',').map(Number));
        const open = async () =>
          api.runtime.forward((await api.runtime.runtime.portForward({ podSandboxId: sandbox, port: ports })).url ?? '');
        if (!webSocket) {
          const forwarder = await open();
          if (acceptSpdy(request, socket, [portForwardProtocol]) !== undefined) await spdyPortForward(socket, head, forwarder);
          return;
        }
        const forwarder = await open();
        const connection = await acceptWebSocket(request, socket, head, [tunnelProtocol, 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io']);
        if (!connection) return;
        if (connection.protocol === tunnelProtocol) await spdyPortForward(await webSocketStream(connection), Buffer.alloc(0), forwarder);
        else await webSocketPortForward(connection, ports, forwarder);
        return;
      }
      if (action !== 'exec' && action !== 'attach') {
        refuse(socket, 404, '404 page not found\n');
        return;
      }
      const uid = rest.length === 4 ? rest[2] : undefined;
      const container = await api.findContainer(namespace, pod, rest.at(-1) ?? '', { ...(uid !== undefined && { uid }) });
      const flag = (...names: string[]): boolean => names.some((name) => ['1', 'true'].includes(query.get(name) ?? ''));
      const tty = flag('tty');
      const channels: RemoteChannels = {
        stdin: flag('input', 'stdin'),
        stdout: flag('output', 'stdout'),
        stderr: flag('error', 'stderr') && !tty,
        tty,
      };
      if (!channels.stdin && !channels.stdout && !channels.stderr) {
        refuse(socket, 400, 'you must specify at least 1 of stdin, stdout, stderr');
        return;
      }
      const { runtime } = api.runtime;
      const asked = { containerId: container.id, ...channels };
      const { url: target = '' } =
        action === 'exec' ? await runtime.exec({ ...asked, cmd: query.getAll('command') }) : await runtime.attach(asked);
      let client;
      if (webSocket) {
        const connection = await acceptWebSocket(request, socket, head, remoteCommandProtocols);
        if (!connection) return;
        client = webSocketChannels(connection, channels);
      } else {
        const protocol = acceptSpdy(request, socket, spdyProtocols);
        if (protocol === undefined) return;
        client = await spdyChannels(socket, head, protocol, channels);
      }
      try {
        await join(client, await api.runtime.stream(target, channels));
      } catch (error) {
        await client.finish({ metadata: {}, status: 'Failure', reason: 'InternalError', message: (error as Error).message, code: 500 });
      }
    }

    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if (options.listener) server.listen(options.listener, resolve);
      else server.listen(options.port, options.host, resolve);
    });
    options.onListening?.((server.address() as AddressInfo).port);
    return running(
      () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          for (const socket of sockets) socket.destroy();
        }),
    );
  };
}
