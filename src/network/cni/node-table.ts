/** The node's own nftables table: pods' way out (masquerading) and the host ports of its pods. Counterpart: CNI's ipMasq and portmap plugins. */
import type { Pod } from '#api';
import { addElement, emptyPiece } from '../nft-table.ts';
import type { Piece } from '../nft-table.ts';

export const nodeTableName = 'coxswain-node';
export type Family = 'IPv4' | 'IPv6';

export const ofFamily = (family: Family, address: string): boolean => address.includes(':') === (family === 'IPv6');

export interface NodeTableOptions {
  family: Family;
  podCidr: string;
  /** Networks that pods reach with their own addresses. */
  clusterCidrs: readonly string[];
}

export function nodeTable({ family, podCidr, clusterCidrs }: NodeTableOptions): string {
  const ip = family === 'IPv4' ? 'ip' : 'ip6';
  const address = family === 'IPv4' ? 'ipv4_addr' : 'ipv6_addr';
  const loopback = family === 'IPv4' ? '127.0.0.0/8' : '::1';
  const multicast = family === 'IPv4' ? '224.0.0.0/4' : 'ff00::/8';
  const inside = [...new Set([podCidr, ...clusterCidrs, multicast])].join(', ');
  const ports = `
    meta l4proto { tcp, udp, sctp } dnat ${ip} to ${ip} daddr . meta l4proto . th dport map @host-ports-of-address
    meta l4proto { tcp, udp, sctp } fib daddr type local dnat ${ip} to meta l4proto . th dport map @host-ports`;
  return `table ${ip} ${nodeTableName} {
  comment "pods of this node"
  set nodes { type ${address}; comment "other machines of the cluster"; }
  set hairpin { type ${address} . ${address}; comment "pods that may reach themselves through a host port"; }
  map host-ports { type inet_proto . inet_service : ${address} . inet_service; }
  map host-ports-of-address { type ${address} . inet_proto . inet_service : ${address} . inet_service; }
  chain prerouting {
    type nat hook prerouting priority -101${ports}
  }
  chain output {
    type nat hook output priority -101${ports}
  }
  chain input {
    type filter hook input priority -1
    ${family === 'IPv4' ? `iifname != "lo" ip daddr ${loopback} ct state new ct status & dnat == 0 drop` : ''}
  }
  chain postrouting {
    type nat hook postrouting priority 101
    ${ip} saddr . ${ip} daddr @hairpin masquerade fully-random
    ct status dnat ${ip} saddr ${loopback} ${ip} daddr ${podCidr} masquerade fully-random
    ${ip} saddr ${podCidr} ${ip} daddr != { ${inside} } ${ip} daddr != @nodes fib daddr type != local masquerade fully-random
  }
}`;
}

/** What a pod's host ports add to the table; undefined when it has none that count. */
export function hostPortsPiece(pod: Pod, family: Family): Piece | undefined {
  const { spec, status } = pod;
  if (!spec || spec.hostNetwork || status?.phase === 'Succeeded' || status?.phase === 'Failed') return undefined;
  const ips = status?.podIPs?.map(({ ip }) => ip) ?? [status?.podIP ?? ''];
  const podIp = ips.find((ip) => ip && ofFamily(family, ip));
  if (!podIp) return undefined;
  const piece = emptyPiece();
  const sidecars = (spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  for (const { hostPort, hostIP, protocol = 'TCP', containerPort } of [...spec.containers, ...sidecars].flatMap(
    ({ ports }) => ports ?? [],
  )) {
    if (!hostPort) continue;
    const target = `${podIp} . ${containerPort}`;
    const port = `${protocol.toLowerCase()} . ${hostPort}`;
    if (!hostIP || hostIP === '0.0.0.0' || hostIP === '::') addElement(piece, 'host-ports', port, target);
    else if (ofFamily(family, hostIP)) addElement(piece, 'host-ports-of-address', `${hostIP} . ${port}`, target);
    else continue;
    addElement(piece, 'hairpin', `${podIp} . ${podIp}`);
  }
  return piece.elements.size ? piece : undefined;
}
