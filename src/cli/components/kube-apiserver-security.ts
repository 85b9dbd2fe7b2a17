/** Whom the API server believes and what it allows, from its flags. Files are read here. upstream: pkg/kubeapiserver/options/{authentication,authorization}.go. */
import { frontProxyHeaders } from '#apiserver';
import type { ApiServerSecurity } from '#cluster';
import type { Context, Disposables } from '#machinery/lifecycle';
import { loadPublicKeys, loadSigningKey } from '#machinery/pki';
import type { FlagValues } from '../flags/table.ts';
import { auditOf } from './kube-apiserver-audit.ts';
import { authenticationOf } from './kube-apiserver-authentication.ts';
import { authorizationOf } from './kube-apiserver-authorization.ts';
import type { kubeApiserverFlags } from './kube-apiserver-flags.ts';
import { keyPairFiles, readFlagFile, servingCertificate } from './pem-files.ts';

type Values = FlagValues<typeof kubeApiserverFlags>;

/** What has to be let go of goes into `held`. */
export function securityOf(values: Values, context: Context, addresses: readonly string[], held: Disposables): ApiServerSecurity {
  const { clock } = context;
  const file = (flag: keyof Values & string): string | undefined => {
    const path = values[flag] as string;
    return path === '' ? undefined : readFlagFile(flag, path);
  };
  const version = values['tls-min-version'];
  if (version !== '' && version !== 'VersionTLS12')
    throw new Error(`--tls-min-version ${version} is not supported by coxswain: it is VersionTLS12`);
  const issuers = values['service-account-issuer'];
  if (issuers.length === 0) throw new Error('--service-account-issuer is a required flag');
  const signingFile = file('service-account-signing-key-file');
  if (!signingFile) throw new Error('--service-account-signing-key-file and --service-account-issuer are required flags');
  const clientCa = file('client-ca-file');
  const frontProxyCa = file('requestheader-client-ca-file');
  const headers = (names: readonly string[], standard: readonly string[]): readonly string[] => (names.length > 0 ? names : standard);
  const kubelet = keyPairFiles(
    ['kubelet-client-certificate', values['kubelet-client-certificate']],
    ['kubelet-client-key', values['kubelet-client-key']],
  );
  const kubeletCa = file('kubelet-certificate-authority');
  const frontProxyClient = keyPairFiles(
    ['proxy-client-cert-file', values['proxy-client-cert-file']],
    ['proxy-client-key-file', values['proxy-client-key-file']],
  );
  const audiences = values['api-audiences'];
  const audit = auditOf(values, context);
  return {
    serving: servingCertificate(
      clock,
      { certificate: values['tls-cert-file'], key: values['tls-private-key-file'] },
      { directory: values['cert-dir'], name: 'apiserver' },
      addresses,
    ),
    ...(clientCa !== undefined && { clientCa }),
    ...(frontProxyCa !== undefined && {
      frontProxy: {
        ca: frontProxyCa,
        allowedNames: values['requestheader-allowed-names'],
        usernameHeaders: headers(values['requestheader-username-headers'], frontProxyHeaders.usernameHeaders),
        uidHeaders: headers(values['requestheader-uid-headers'], frontProxyHeaders.uidHeaders),
        groupHeaders: headers(values['requestheader-group-headers'], frontProxyHeaders.groupHeaders),
        extraHeaderPrefixes: headers(values['requestheader-extra-headers-prefix'], frontProxyHeaders.extraHeaderPrefixes),
      },
    }),
    serviceAccounts: {
      issuers,
      signingKey: loadSigningKey(signingFile),
      verificationKeys: values['service-account-key-file'].flatMap((path) =>
        loadPublicKeys(readFlagFile('service-account-key-file', path)),
      ),
      extendExpiration: values['service-account-extend-token-expiration'],
      maxExpiration: values['service-account-max-token-expiration'] / 1000,
      ...(audiences.length > 0 && { apiAudiences: audiences }),
    },
    ...(values['service-account-jwks-uri'] && { keySetUri: values['service-account-jwks-uri'] }),
    authentication: authenticationOf(values, context, held),
    authorization: authorizationOf(values, context, held),
    ...(audit && { audit }),
    kubelet: {
      ...(kubelet && { cert: kubelet.certificate, key: kubelet.key }),
      ...(kubeletCa !== undefined && { ca: kubeletCa }),
    },
    ...(frontProxyClient && { frontProxyClient }),
  };
}
