/** The proxy's own health (port 10256) and mode (port 10249), where load balancers and tools ask for kube-proxy's. upstream: pkg/proxy/healthcheck/proxy_health.go. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { Clock } from '#machinery/clock';
import type { Log } from '#machinery/log';

export interface ProxyHealth {
  healthy: boolean;
  /** When the kernel last had everything. Milliseconds since 1970. */
  lastUpdated: number;
  /** The node is not about to be taken away. */
  nodeEligible: boolean;
}

export interface StatusServerOptions {
  /** 0: not served. */
  healthPort: number;
  statusPort: number;
  health(): ProxyHealth;
  clock: Clock;
  log: Log;
}

export interface StatusServers {
  close(): Promise<void>;
}

export async function serveStatus({ healthPort, statusPort, health, clock, log }: StatusServerOptions): Promise<StatusServers> {
  const healthServer = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path !== '/healthz' && path !== '/livez') return void response.writeHead(404).end();
    const { healthy, lastUpdated, nodeEligible } = health();
    const good = healthy && (nodeEligible || path === '/livez');
    response.writeHead(good ? 200 : 503, { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' });
    const times = { lastUpdated: new Date(lastUpdated).toISOString(), currentTime: new Date(clock.now()).toISOString() };
    response.end(JSON.stringify({ ...times, ...(path === '/healthz' && { nodeEligible }) }));
  });
  const statusServer = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path !== '/proxyMode') return void response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' }).end('nftables');
  });
  const open = await Promise.all([listen(healthServer, healthPort, undefined, log), listen(statusServer, statusPort, '127.0.0.1', log)]);
  return { close: async () => void (await Promise.all(open.map((close) => close()))) };
}

/** A port that somebody else has is no reason to leave the node without Services. */
function listen(server: Server, port: number, host: string | undefined, log: Log): Promise<() => Promise<void>> {
  if (port === 0) return Promise.resolve(() => Promise.resolve());
  return new Promise((resolve) => {
    server.once('error', (error) => {
      log.warn('Cannot serve the status of the proxy', { port, error });
      resolve(() => Promise.resolve());
    });
    server.listen(port, host, () => {
      server.unref();
      resolve(
        () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      );
    });
  });
}
