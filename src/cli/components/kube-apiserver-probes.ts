/** How the other parts of a control plane are, on the ports that they have beside this server. upstream: pkg/registry/core/rest/storage_core.go. */
import { request } from 'node:https';
import type { ApiServerSettings } from '#cluster';
import type { Clock } from '#machinery/clock';
import type { Store } from '#store';

const patience = 20_000;

/** They listen on the same machine with a certificate of their own making, which upstream takes as well. */
function askHealth(port: number, clock: Clock): Promise<string> {
  const url = `https://127.0.0.1:${port}/healthz`;
  return new Promise((resolve, reject) => {
    const failed = (why: string, cause?: Error): void => {
      timer.cancel();
      reject(new Error(`Get ${JSON.stringify(url)}: ${why}`, { cause }));
    };
    const outgoing = request(url, { rejectUnauthorized: false, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', (error) => failed(error.message, error));
      response.on('end', () => {
        timer.cancel();
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`HTTP probe failed with statuscode: ${response.statusCode}`));
      });
    });
    const timer = clock.setTimeout(() => outgoing.destroy(new Error('context deadline exceeded')), patience);
    outgoing.on('error', (error: NodeJS.ErrnoException) =>
      failed(error.code === 'ECONNREFUSED' ? `dial tcp 127.0.0.1:${port}: connect: connection refused` : error.message, error),
    );
    outgoing.end();
  });
}

export const componentProbes = (store: Store, clock: Clock): NonNullable<ApiServerSettings['componentProbes']> => ({
  'controller-manager': () => askHealth(10_257, clock),
  scheduler: () => askHealth(10_259, clock),
  'etcd-0': () => store.revision().then(() => 'ok'),
});
