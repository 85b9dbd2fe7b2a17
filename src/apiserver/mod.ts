/**
 * The API server: the only part that talks to the store; everybody else, in this process or out of it, meets here.
 * Steps of the pod's way: "requested", "authorized", "admitted", "stored". Upstream counterpart: kube-apiserver.
 * Invariant: no request, in process or over HTTP, skips authorization or admission. Read first: contract.ts, then server.ts.
 */
export * from './contract.ts';
export { createApiServer, loopbackUser } from './server.ts';
export type { ApiServer, ApiServerOptions, ServerParts } from './options.ts';
export type { Listener, ListenTarget, TlsIdentity } from './http/listener.ts';
export type { ConnectHandler, ConnectRequest, Exchange, Upgrade } from './proxy/contract.ts';
