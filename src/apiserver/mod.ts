/**
 * The API server: the only part that talks to the store; everybody else, in this process or out of it, meets here.
 * Steps of the pod's way: "requested", "authorized", "admitted", "stored". Upstream counterpart: kube-apiserver.
 * Invariant: no request, in process or over HTTP, skips authorization or admission. Read first: contract.ts, then server.ts.
 */
export * from './contract.ts';
export { createApiServer, loopbackUser } from './server.ts';
export type { ApiServer, ApiServerOptions, ServerParts } from './options.ts';
export * from './audit/index.ts';
export { goDuration } from './http/request-timeout.ts';
export { ConfiguredWebhook } from './webhook/configured-client.ts';
export type { Listener, ListenTarget, TlsIdentity } from './http/listener.ts';
export type { ConnectHandler, ConnectRequest, Exchange, Upgrade } from './proxy/contract.ts';
export {
  configurationOfFlags,
  createAuthentication,
  frontProxyHeaders,
  jwtIssuers,
  parseTokenFile,
  ServiceAccountTokens,
  signingAlgorithms,
  unionTokens,
  webhookTokens,
} from './authn/index.ts';
export type {
  Authentication,
  AuthenticationConfiguration,
  AuthenticationOptions,
  JwtIssuer,
  ServiceAccountOptions,
} from './authn/index.ts';
export { openIdDocuments } from './authn/openid.ts';
export { authorizationErrors, authorizersOfModes, createAuthorization, ReviewConditions, webhookAuthorizer } from './authz/index.ts';
export type {
  Authorization,
  AuthorizationConfiguration,
  AuthorizationOptions,
  AuthorizerChoice,
  AuthorizerConfiguration,
  WebhookConfiguration,
} from './authz/index.ts';
export { EncryptedStore, encryptionOf } from './encryption/index.ts';
export type { Encryption, EncryptionConfiguration } from './encryption/index.ts';
export { nodeRules } from './bootstrap/index.ts';
export { publishAuthentication } from './bootstrap/start.ts';
export { firstServiceAddress } from './bootstrap/kubernetes-service.ts';
export { admissionPlugins } from './admission/index.ts';
export type { AdmissionOptions } from './admission/index.ts';
export type { PodSecurityOptions } from './admission/pod-security/plugin.ts';
export { forbidPrivileged } from './admission/forbid-privileged.ts';
export { readProtobuf } from './registry/structure.ts';
export { endpoints, hooks } from './registry/special/index.ts';
export type { ComponentProbe } from './registry/special/index.ts';
export { streams } from './proxy/index.ts';
export { customResources } from './extensions/custom-resources.ts';
export { aggregator } from './aggregator/aggregator.ts';
export type { AggregatorOptions } from './aggregator/aggregator.ts';
