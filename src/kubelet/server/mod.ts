/**
 * The kubelet's HTTPS server, through which the API server reaches containers: logs, exec, attach, port-forward, stats, metrics.
 * A door of its own, since not everybody who needs the kubelet needs WebSocket and SPDY. Read first: server.ts.
 * Upstream counterpart: pkg/kubelet/server.
 */
export { kubeletServer } from './server.ts';
export type { KubeletServerOptions } from './server.ts';
