import http2 from 'node:http2';
import type { Clock } from '#machinery/clock';

const servingNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

export interface GrpcHealth {
  healthy: boolean;
  output: string;
}

/** grpc.health.v1.HealthCheckRequest, its one field and gRPC's frame around it. */
function request(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length ? Buffer.concat([Buffer.from([0x0a, name.length]), name]) : name;
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** HealthCheckResponse.status, the only field there is. */
function servingStatus(body: Buffer): string {
  const message = body.subarray(5);
  return servingNames[message[0] === 0x08 ? (message[1] ?? 0) : 0] ?? 'UNKNOWN';
}

/** Asks a server's health service. upstream: pkg/probe/grpc. */
export function grpcHealth(
  host: string,
  port: number,
  service: string,
  { timeout, clock, signal }: { timeout: number; clock: Clock; signal?: AbortSignal | undefined },
): Promise<GrpcHealth> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const limit = `${timeout / 1000}s`;
  return new Promise((resolve) => {
    let connected = false;
    let finished = false;
    const session = http2.connect(`http://${address}`);
    const finish = (healthy: boolean, output: string): void => {
      if (finished) return;
      finished = true;
      timer.cancel();
      signal?.removeEventListener('abort', abort);
      session.destroy();
      resolve({ healthy, output });
    };
    const abort = (): void => finish(false, 'canceled');
    const timer = clock.setTimeout(
      () =>
        finish(
          false,
          connected
            ? `timeout: health rpc did not complete within ${limit}`
            : `timeout: failed to connect service "${address}" within ${limit}: context deadline exceeded`,
        ),
      timeout,
    );
    signal?.addEventListener('abort', abort, { once: true });
    session.on('connect', () => (connected = true));
    session.on('error', (error) => {
      // Until the time is up a refused connection is tried again by gRPC; upstream then reports the time.
      finish(
        false,
        connected
          ? `error: health rpc probe failed: ${error.message}`
          : `timeout: failed to connect service "${address}" within ${limit}: context deadline exceeded`,
      );
    });
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.35',
    });
    const chunks: Buffer[] = [];
    let code = '';
    let text = '';
    const note = (headers: http2.IncomingHttpHeaders): void => {
      code = String(headers['grpc-status'] ?? code);
      text = decodeURIComponent(String(headers['grpc-message'] ?? text));
    };
    stream.on('response', note);
    stream.on('trailers', note);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', (error) => finish(false, `error: health rpc probe failed: ${error.message}`));
    stream.on('close', () => {
      if (code === '12') finish(false, `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${text}`);
      else if (code !== '0') finish(false, `error: health rpc probe failed: rpc error: code = ${code || 'Unknown'} desc = ${text}`);
      else {
        const status = servingStatus(Buffer.concat(chunks));
        finish(status === 'SERVING', status === 'SERVING' ? 'service healthy' : `service unhealthy (responded with "${status}")`);
      }
    });
    stream.end(request(service));
  });
}
