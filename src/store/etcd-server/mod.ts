/**
 * etcd's gRPC API in front of any store: upstream's kube-apiserver, etcdctl and other clients of etcd can use ours.
 * upstream: etcd server/etcdserver/api/v3rpc. Read first: server.ts for who calls what; watch.ts for the stream of events; http.ts for health, version and metrics.
 * One member, no raft: cluster calls that change members are refused, authentication is TLS with client certificates.
 */
export { etcdServer } from './server.ts';
export type { EtcdServer, EtcdServerOptions, ListenTarget, ServerTls } from './server.ts';
