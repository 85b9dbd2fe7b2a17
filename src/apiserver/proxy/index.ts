/** The streaming subresources, one line each. */
import type { StreamDependencies } from '../options.ts';
import type { ConnectHandler } from './contract.ts';
import type { ClientTls } from './forward.ts';
import { logHandler } from './log.ts';
import { proxyHandlers } from './proxy.ts';
import { remoteCommandHandlers } from './remote-command.ts';

/** `kubelet`: this server's client certificate towards kubelets, and their authority. */
export const streams =
  ({ kubelet }: { kubelet: ClientTls }) =>
  (dependencies: StreamDependencies): ConnectHandler[] => [
    ...remoteCommandHandlers(dependencies, kubelet),
    ...proxyHandlers(dependencies, kubelet),
    logHandler(dependencies, kubelet),
  ];
