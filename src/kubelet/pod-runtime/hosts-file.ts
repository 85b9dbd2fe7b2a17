/** The /etc/hosts that the kubelet keeps for a pod. upstream: kubelet_pods.go managedHostsFileContent. */
import type { HostAlias, Pod } from '#api';
import { isHostNetwork, specOf } from '../pod-spec.ts';
import { podHostname } from './hostname.ts';

const header = '# Kubernetes-managed hosts file.\n';
const hostHeader = '# Kubernetes-managed hosts file (host network).\n';

const aliasLines = (aliases: readonly HostAlias[]): string =>
  aliases.length
    ? `\n# Entries added by HostAliases.\n${aliases.map(({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join('\t')}\n`).join('')}`
    : '';

/** `hostFile` is the node's own file, for pods in its network. */
export function hostsFile(pod: Pod, podIps: readonly string[], clusterDomain: string, hostFile: string): string {
  const aliases = aliasLines(specOf(pod).hostAliases ?? []);
  if (isHostNetwork(pod)) return hostHeader + hostFile + aliases;
  const { hostname, domain } = podHostname(pod, clusterDomain);
  const fixed = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
  ];
  const own = podIps.map((ip) => (domain ? `${ip}\t${hostname}.${domain}\t${hostname}` : `${ip}\t${hostname}`));
  return `${header}${[...fixed, ...own].join('\n')}\n${aliases}`;
}
