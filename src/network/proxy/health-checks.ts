/** Answers load balancers that ask whether this node has endpoints of a Service (healthCheckNodePort). upstream: pkg/proxy/healthcheck/service_health.go. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { Log } from '#machinery/log';
import { refOf } from '#machinery/meta';

interface Check {
  port: number;
  localEndpoints: number;
  server: Server;
}

export class HealthChecks {
  readonly #checks = new Map<string, Check>();
  readonly #healthy: () => boolean;
  readonly #log: Log;

  constructor(healthy: () => boolean, log: Log) {
    this.#healthy = healthy;
    this.#log = log;
  }

  /** `port` 0: this Service has none (any more). */
  set(service: string, port: number, localEndpoints: number): void {
    const check = this.#checks.get(service);
    if (check?.port === port) {
      check.localEndpoints = localEndpoints;
      return;
    }
    if (check) {
      this.#checks.delete(service);
      void close(check.server);
    }
    if (port !== 0) this.#checks.set(service, this.#open(service, port, localEndpoints));
  }

  async close(): Promise<void> {
    const open = [...this.#checks.values()];
    this.#checks.clear();
    await Promise.all(open.map((check) => close(check.server)));
  }

  #open(service: string, port: number, localEndpoints: number): Check {
    const { namespace = '', name } = refOf(service);
    const server = createServer((_request, response) => {
      const healthy = this.#healthy();
      response.writeHead(check.localEndpoints > 0 && healthy ? 200 : 503, {
        'Content-Type': 'application/json',
        'X-Content-Type-Options': 'nosniff',
        'X-Load-Balancing-Endpoint-Weight': String(check.localEndpoints),
      });
      const body = { service: { namespace, name }, localEndpoints: check.localEndpoints, serviceProxyHealthy: healthy };
      response.end(`${JSON.stringify(body, undefined, '\t')}\n`);
    });
    const check: Check = { port, localEndpoints, server };
    server.on('error', (error) => this.#log.error('Cannot listen for health checks of a Service', { service, port, error }));
    server.listen(port);
    server.unref();
    return check;
  }
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
