/**
 * UDP has no connections, but the kernel remembers where it sent a client's packets: when an endpoint goes, or the first one comes, that
 * memory must go too. upstream: pkg/proxy/conntrack/cleanup.go.
 */
import { CommandError } from '../command.ts';
import type { Machine } from '../command.ts';
import { isExternallyAccessible } from './service-port.ts';
import type { Family, ServicePort } from './service-port.ts';

/** What of a UDP port's flows is out of date: those to these endpoints, or, where there was no endpoint before, all. */
export interface StaleFlows {
  family: Family;
  port: ServicePort;
  endpoints: readonly string[] | 'all';
}

/** What `conntrack -D` says, with failure, when there was nothing to delete. */
const nothing = /0 flow entries have been deleted/;

export async function deleteStaleFlows(machine: Machine, { family, port, endpoints }: StaleFlows): Promise<void> {
  const common = ['-D', '-p', port.protocol, '-f', family === 'IPv4' ? 'ipv4' : 'ipv6'];
  const frontends = [port.clusterIp, ...port.externalIps, ...port.loadBalancerIps].map((ip) => [
    '--orig-dst',
    ip,
    '--dport',
    String(port.port),
  ]);
  if (isExternallyAccessible(port) && port.nodePort) frontends.push(['--dport', String(port.nodePort)]);
  const filters = endpoints === 'all' ? [[]] : endpoints.map((ip) => ['--dst-nat', ip]);
  for (const frontend of frontends)
    for (const filter of filters) {
      try {
        await machine.run('conntrack', [...common, ...frontend, ...filter]);
      } catch (error) {
        if (!(error instanceof CommandError && nothing.test(error.message))) throw error;
      }
    }
}
