/** The HTTPS port of the controller manager and the scheduler, from their flags. */
import { running } from '#machinery/lifecycle';
import type { Context, Running } from '#machinery/lifecycle';
import { flagTable } from '../flags/table.ts';
import { apiConnection, connect } from './api-connection.ts';
import { readFlagFile, servingCertificate } from './pem-files.ts';
import { secureServing } from './secure-serving.ts';
import type { SecureServingOptions } from './secure-serving.ts';

/** How it learns who asks it, and what they may do. upstream: apiserver/pkg/server/options/{authentication,authorization}.go. */
export const delegationFlags = flagTable({
  'authentication-kubeconfig': ['string', '', 'how the API server is reached to ask who somebody is'],
  'authentication-skip-lookup': ['bool', 'false', 'whether the authority of client certificates is left unasked'],
  'authentication-token-webhook-cache-ttl': ['duration', '10s', 'warn'],
  'client-ca-file': ['string', '', 'the authorities of client certificates, PEM; default: what the cluster publishes'],
  'requestheader-allowed-names': ['strings', '', 'refuse'],
  'requestheader-client-ca-file': ['string', '', 'refuse'],
  'requestheader-extra-headers-prefix': ['strings', 'x-remote-extra-', 'refuse'],
  'requestheader-group-headers': ['strings', 'x-remote-group', 'refuse'],
  'requestheader-uid-headers': ['strings', '', 'refuse'],
  'requestheader-username-headers': ['strings', 'x-remote-user', 'refuse'],
  'authorization-always-allow-paths': ['strings', '/healthz,/readyz,/livez', 'paths open to all'],
  'authorization-kubeconfig': ['string', '', 'how the API server is reached to ask what somebody may do'],
  'authorization-webhook-cache-authorized-ttl': ['duration', '10s', 'warn'],
  'authorization-webhook-cache-unauthorized-ttl': ['duration', '10s', 'warn'],
});

interface ServingValues {
  'bind-address': string;
  'secure-port': number;
  'cert-dir': string;
  'tls-cert-file': string;
  'tls-private-key-file': string;
  'tls-min-version': string;
  'client-ca-file': string;
  'authentication-kubeconfig': string;
  'authentication-skip-lookup': boolean;
  'authorization-kubeconfig': string;
  'authorization-always-allow-paths': string[];
}

export async function serveFromFlags(
  name: string,
  values: ServingValues,
  serving: Pick<SecureServingOptions, 'health' | 'metrics' | 'configz'>,
  context: Context,
): Promise<Running> {
  if (values['tls-min-version'] !== '' && values['tls-min-version'] !== 'VersionTLS12')
    throw new Error(`--tls-min-version ${values['tls-min-version']} is not supported by coxswain: it is VersionTLS12`);
  if (values['secure-port'] === 0) return running(() => undefined);
  const kubeconfig = values['authorization-kubeconfig'] || values['authentication-kubeconfig'];
  const reviews = kubeconfig ? connect(apiConnection({ kubeconfig, master: '' }, name, context.clock)) : undefined;
  const clientCa = values['client-ca-file'] ? readFlagFile('client-ca-file', values['client-ca-file']) : undefined;
  const server = await secureServing(
    {
      host: values['bind-address'],
      port: values['secure-port'],
      serving: servingCertificate(
        context.clock,
        { certificate: values['tls-cert-file'], key: values['tls-private-key-file'] },
        { directory: values['cert-dir'], name },
        [values['bind-address']],
      ),
      ...(reviews && { reviews: reviews.client }),
      ...(clientCa !== undefined && { clientCa }),
      publishedAuthority: values['authentication-kubeconfig'] !== '' && !values['authentication-skip-lookup'],
      alwaysAllow: values['authorization-always-allow-paths'],
      ...serving,
    },
    context,
  );
  return running(async () => {
    await server.stop();
    await reviews?.transport.close();
  });
}
