/** Certificates and authorities that are replaced while the server runs. upstream: apiserver/pkg/server/dynamiccertificates. */
import type { ApiServerSecurity, StartedApiServer } from '#cluster';
import type { Context, Disposables } from '#machinery/lifecycle';
import type { FlagValues } from '../flags/table.ts';
import type { kubeApiserverFlags } from './kube-apiserver-flags.ts';
import { keyPairFiles, readFlagFile } from './pem-files.ts';
import { watchFiles } from './watch-file.ts';

type Values = FlagValues<typeof kubeApiserverFlags>;

export function followCertificates(
  values: Values,
  security: ApiServerSecurity,
  renew: StartedApiServer['renew'],
  context: Context,
  held: Disposables,
): void {
  const serving = ['tls-cert-file', 'tls-private-key-file'] as const;
  const files = [...serving, 'client-ca-file', 'requestheader-client-ca-file'] as const;
  const paths = files.map((flag) => values[flag]).filter((path) => path !== '');
  if (paths.length === 0) return;
  const watching = watchFiles(paths, context, () => {
    const pair = keyPairFiles([serving[0], values[serving[0]]], [serving[1], values[serving[1]]]);
    const [clientCa, proxyCa] = [values['client-ca-file'], values['requestheader-client-ca-file']];
    // Throws where certificate and key do not fit, as between the writing of one and of the other.
    renew({
      serving: pair ?? security.serving,
      ...(clientCa && { clientCa: readFlagFile('client-ca-file', clientCa) }),
      ...(proxyCa &&
        security.frontProxy && { frontProxy: { ...security.frontProxy, ca: readFlagFile('requestheader-client-ca-file', proxyCa) } }),
    });
  });
  held.add(() => watching[Symbol.dispose]());
}
