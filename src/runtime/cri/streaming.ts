import { RuntimeError } from '../contract.ts';
import type { PortForwarder, RemoteCommand } from '../contract.ts';

/** Opens the streams of an exec or attach at the runtime's streaming server. */
export function remoteCommand(url: string): Promise<RemoteCommand> {
  return Promise.reject(new RuntimeError('unimplemented', `Cannot stream from ${url}: streaming is not there yet`));
}

export function portForwarder(url: string): Promise<PortForwarder> {
  return Promise.reject(new RuntimeError('unimplemented', `Cannot forward to ${url}: streaming is not there yet`));
}
