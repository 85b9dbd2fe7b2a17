/** How a component reaches the API server: --kubeconfig and --master. upstream: client-go tools/clientcmd BuildConfigFromFlags. */
import { existsSync, readFileSync } from 'node:fs';
import { clientOver, httpTransport } from '#client';
import { kubeconfigOptions } from '#client/kubeconfig';
import type { Client, HttpTransport, HttpTransportOptions } from '#client';
import type { Clock } from '#machinery/clock';

const mounted = '/var/run/secrets/kubernetes.io/serviceaccount';

/** What a pod is given to reach the API. */
function insidePod(clock: Clock): HttpTransportOptions | undefined {
  const host = process.env['KUBERNETES_SERVICE_HOST'];
  const port = process.env['KUBERNETES_SERVICE_PORT'];
  if (!host || !port || !existsSync(`${mounted}/token`)) return undefined;
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    clock,
    ca: readFileSync(`${mounted}/ca.crt`),
    token: () => readFileSync(`${mounted}/token`, 'utf8').trim(),
  };
}

export function apiConnection(flags: { kubeconfig: string; master: string }, userAgent: string, clock: Clock): HttpTransportOptions {
  let found: HttpTransportOptions | undefined;
  if (flags.kubeconfig) {
    if (!existsSync(flags.kubeconfig)) throw new Error(`stat ${flags.kubeconfig}: no such file or directory`);
    found = kubeconfigOptions(flags.kubeconfig, { clock });
  } else if (!flags.master) found = insidePod(clock);
  else found = { server: flags.master, clock };
  if (!found) throw new Error('invalid configuration: no configuration has been provided, try --kubeconfig');
  return { ...found, ...(flags.master && { server: flags.master }), userAgent };
}

export function connect(options: HttpTransportOptions): { transport: HttpTransport; client: Client } {
  const transport = httpTransport(options);
  return { transport, client: clientOver(transport) };
}
