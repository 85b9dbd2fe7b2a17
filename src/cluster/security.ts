/**
 * Who the API server believes and what it lets them do, as settings: made from a cluster's own certificates for `up`, and from flags and
 * files by `coxswain kube-apiserver`. Everything is text or data; files are read before. upstream: pkg/kubeapiserver/options.
 */
import { frontProxyHeaders, nodeRules } from '#apiserver';
import type { ApiServerOptions, AuthenticationOptions, AuthorizationOptions, ServiceAccountOptions } from '#apiserver';
import { loadSigningKey } from '#machinery/pki';
import type { ClusterCertificates } from './certificates.ts';

export interface ApiServerSecurity {
  /** PEM of the server's own certificate and key. */
  serving: { certificate: string; key: string };
  /** PEM bundle of the authorities of client certificates. This one, `serving` and the proxies' may be replaced while the server runs. */
  clientCa?: string;
  /** Those whose headers say on whose behalf they ask. */
  frontProxy?: Required<Omit<NonNullable<AuthenticationOptions['frontProxy']>, 'ca'>> & { ca: string };
  serviceAccounts: ServiceAccountOptions;
  /** Where others find the keys that verify tokens. Default: this server. */
  keySetUri?: string;
  /** What else is believed: static tokens, bootstrap tokens, anonymous requests, more kinds of tokens. */
  authentication?: Omit<AuthenticationOptions, 'clientCa' | 'frontProxy' | 'serviceAccounts'>;
  authorization: AuthorizationOptions;
  audit?: ApiServerOptions['audit'];
  /** The server's certificate towards kubelets, and the authority that theirs must come from; without it they are not verified. */
  kubelet: { cert?: string; key?: string; ca?: string };
  /** The server's certificate towards extension API servers. */
  frontProxyClient?: { certificate: string; key: string };
}

/** What a cluster's own certificates make of it. */
export function clusterSecurity(certificates: ClusterCertificates, clusterDomain: string): ApiServerSecurity {
  return {
    serving: certificates.apiserver,
    clientCa: certificates.ca.certificate,
    frontProxy: { ca: certificates.frontProxyCa.certificate, allowedNames: ['front-proxy-client'], ...frontProxyHeaders },
    serviceAccounts: {
      issuers: [`https://kubernetes.default.svc.${clusterDomain}`],
      signingKey: loadSigningKey(certificates.serviceAccountKey),
    },
    authorization: { nodeRules },
    kubelet: {
      cert: certificates.kubeletClient.certificate,
      key: certificates.kubeletClient.key,
      ca: certificates.ca.certificate,
    },
    frontProxyClient: certificates.frontProxyClient,
  };
}
