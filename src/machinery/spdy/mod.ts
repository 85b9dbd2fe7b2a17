/**
 * SPDY/3.1, which clients before Kubernetes 1.31 and containerd 1.x speak for exec, attach and port-forward.
 * Upstream counterpart: github.com/moby/spdystream. Read first: connection.ts.
 */
export { SpdyConnection, SpdyStream } from './connection.ts';
export type { SpdyOptions } from './connection.ts';
export type { SpdyHeaders } from './headers.ts';
