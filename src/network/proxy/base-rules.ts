/** The part of the proxy's table that no Service changes: hooks, dispatch maps, masquerading. upstream: pkg/proxy/nftables/README.md. */
import type { Family } from './service-port.ts';

export const tableName = 'coxswain-proxy';
/** The mark of packets that must be masqueraded; upstream's bit 14. */
const mark = '0x4000';

export interface BaseOptions {
  family: Family;
  /** Traffic to unallocated addresses in these is dropped rather than let out. */
  serviceCidrs: readonly string[];
  /** Node ports answer on 127.0.0.1 as well (IPv4 only). */
  localhostNodePorts: boolean;
}

export function baseTable({ family, serviceCidrs, localhostNodePorts }: BaseOptions): string {
  const ip = family === 'IPv4' ? 'ip' : 'ip6';
  const address = family === 'IPv4' ? 'ipv4_addr' : 'ipv6_addr';
  const loopback = family === 'IPv4' ? '127.0.0.0/8' : '::1';
  const exceptLocalhost = family === 'IPv4' && localhostNodePorts ? '' : `${ip} daddr != ${loopback} `;
  // Routing 127.0.0.1 off the loopback device, as its node ports need, must not let others in there.
  const guard =
    family === 'IPv4' && localhostNodePorts ? `iifname != "lo" ip daddr ${loopback} ct state new ct status & dnat == 0 drop` : '';
  const dropUnallocated = serviceCidrs.length ? `${ip} daddr { ${serviceCidrs.join(', ')} } drop` : '';
  return `table ${ip} ${tableName} {
  comment "Services of the cluster"
  set cluster-ips { type ${address}; comment "ClusterIPs in use"; }
  set hairpin { type ${address} . ${address}; comment "local endpoints that may reach themselves through a Service"; }
  map service-ips { type ${address} . inet_proto . inet_service : verdict; comment "ClusterIPs, external IPs and load balancer IPs"; }
  map service-nodeports { type inet_proto . inet_service : verdict; comment "node ports"; }
  map no-endpoint-services { type ${address} . inet_proto . inet_service : verdict; comment "Services without endpoints"; }
  map no-endpoint-nodeports { type inet_proto . inet_service : verdict; comment "node ports without endpoints"; }
  map firewall-ips { type ${address} . inet_proto . inet_service : verdict; comment "load balancer IPs with source ranges"; }

  chain mark-for-masquerade { mark set mark or ${mark}; }
  chain reject-chain { reject; }
  chain services {
    ${ip} daddr . meta l4proto . th dport vmap @service-ips
    fib daddr type local ${exceptLocalhost}meta l4proto . th dport vmap @service-nodeports
  }
  chain masquerading {
    ${ip} saddr . ${ip} daddr @hairpin masquerade fully-random
    mark and ${mark} == 0 return
    mark set mark xor ${mark}
    masquerade fully-random
  }
  chain firewall-check { ${ip} daddr . meta l4proto . th dport vmap @firewall-ips; }
  chain service-endpoints-check { ${ip} daddr . meta l4proto . th dport vmap @no-endpoint-services; }
  chain nodeport-endpoints-check { fib daddr type local ${exceptLocalhost}meta l4proto . th dport vmap @no-endpoint-nodeports; }
  chain cluster-ips-check {
    ${ip} daddr @cluster-ips reject
    ${dropUnallocated}
  }

  chain filter-prerouting-pre-dnat { type filter hook prerouting priority -110; ct state new jump firewall-check; }
  chain filter-output-pre-dnat { type filter hook output priority -110; ct state new jump firewall-check; }
  chain filter-input {
    type filter hook input priority 0
    ${guard}
    ct state new jump nodeport-endpoints-check
    ct state new jump service-endpoints-check
  }
  chain filter-forward {
    type filter hook forward priority 0
    ct state new jump service-endpoints-check
    ct state new jump cluster-ips-check
  }
  chain filter-output {
    type filter hook output priority 0
    ct state new jump service-endpoints-check
    ct state new jump cluster-ips-check
  }
  chain nat-prerouting { type nat hook prerouting priority -100; jump services; }
  chain nat-output { type nat hook output priority -100; jump services; }
  chain nat-postrouting { type nat hook postrouting priority 100; jump masquerading; }
}`;
}
