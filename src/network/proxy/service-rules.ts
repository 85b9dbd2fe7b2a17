/**
 * What one port of a Service adds to the table.
 *
 * A chain a traffic policy holds the choice of an endpoint in one rule ("dnat to numgen random … map"), rewritten when the endpoints
 * change; the dispatch maps get one element a frontend. Only with session affinity is there a chain and a set an endpoint, as upstream has them.
 * upstream: pkg/proxy/nftables/proxier.go syncProxyRules.
 */
import type { Categorized } from './categorize.ts';
import type { Endpoint } from './endpoints.ts';
import { addElement } from '../nft-table.ts';
import type { Piece } from '../nft-table.ts';
import { isExternallyAccessible } from './service-port.ts';
import type { Family, ServicePort } from './service-port.ts';
import { contains, parseAddress, parseNetworkLoosely } from '#machinery/ip';

export interface RuleOptions {
  family: Family;
  /** Sources in these are pods: their traffic to ClusterIPs keeps its source. Empty: it always does. */
  clusterCidrs: readonly string[];
  masqueradeAll: boolean;
  nodeIp: string | undefined;
}

/** Names may hold letters, digits and "/._-", and up to 255 characters: namespace, name and port name are at most 63, 63 and 15. */
const chainName = (kind: string, { service, protocol, portName }: ServicePort, rest = ''): string =>
  `${kind}/${service}/${protocol}/${portName || '-'}${rest && `/${rest}`}`;

/** The timeout is part of the name, since that of a set cannot be changed. */
const affinitySet = (port: ServicePort, endpoint: Endpoint): string =>
  chainName('affinity', port, `${endpointName(endpoint)}/${port.affinitySeconds}`);

const endpointName = ({ ip, port }: Endpoint): string => `${ip.replaceAll(':', '.')}/${port}`;

export function addServicePort(
  piece: Piece,
  port: ServicePort,
  { cluster, local, reachable, any }: Categorized,
  options: RuleOptions,
): void {
  const ip = options.family === 'IPv4' ? 'ip' : 'ip6';
  const { protocol, clusterIp } = port;
  const clusterChain = chainName('cluster', port);
  const localChain = chainName('local', port);
  const external = isExternallyAccessible(port);
  const externalChain = chainName('external', port);
  const internal = port.internalLocal ? local : cluster;
  const outside = port.externalLocal ? local : cluster;
  const isPod = options.clusterCidrs.length > 0 ? `${ip} saddr { ${options.clusterCidrs.join(', ')} }` : '';
  const isNotPod = options.clusterCidrs.length > 0 ? `${ip} saddr != { ${options.clusterCidrs.join(', ')} }` : '';

  // A ClusterIP's traffic is masqueraded on the way into a policy's chain, since only there is it known to be such.
  const internalMark = options.masqueradeAll ? `${ip} daddr ${clusterIp}` : isNotPod && `${ip} daddr ${clusterIp} ${isNotPod}`;
  const policyChain = (name: string, endpoints: readonly Endpoint[], marks: boolean): void => {
    const rules = marks && internalMark ? [`${internalMark} jump mark-for-masquerade`] : [];
    piece.chains.set(name, [...rules, ...choose(port, endpoints, ip)]);
  };
  if (cluster.length > 0) policyChain(clusterChain, cluster, !port.internalLocal);
  if (local.length > 0) policyChain(localChain, local, port.internalLocal);
  if (port.affinitySeconds > 0) for (const endpoint of reachable) addAffinity(piece, port, endpoint, ip, options.family);
  for (const endpoint of reachable) if (endpoint.local) addElement(piece, 'hairpin', `${endpoint.ip} . ${endpoint.ip}`);

  const refuse = any ? 'drop' : 'goto reject-chain';
  addElement(piece, 'cluster-ips', clusterIp);
  const frontend = (address: string): string => `${address} . ${protocol} . ${port.port}`;
  if (internal.length > 0) addElement(piece, 'service-ips', frontend(clusterIp), `goto ${port.internalLocal ? localChain : clusterChain}`);
  else addElement(piece, 'no-endpoint-services', frontend(clusterIp), refuse);
  if (!external) return;

  const usesExternal = any && (cluster.length > 0 || local.length > 0);
  for (const address of [...port.externalIps, ...port.loadBalancerIps]) {
    if (usesExternal) addElement(piece, 'service-ips', frontend(address), `goto ${externalChain}`);
    if (outside.length === 0) addElement(piece, 'no-endpoint-services', frontend(address), refuse);
  }
  if (port.nodePort) {
    const element = `${protocol} . ${port.nodePort}`;
    if (usesExternal) addElement(piece, 'service-nodeports', element, `goto ${externalChain}`);
    if (outside.length === 0) addElement(piece, 'no-endpoint-nodeports', element, refuse);
  }
  if (usesExternal) {
    const rules: string[] = [];
    if (!port.externalLocal) rules.push('jump mark-for-masquerade');
    else if (cluster.length > 0) {
      // Pods and this node's own processes reach a Service's external addresses as if they were its ClusterIP.
      if (isPod) rules.push(`${isPod} goto ${clusterChain}`);
      rules.push('fib saddr type local jump mark-for-masquerade', `fib saddr type local goto ${clusterChain}`);
    }
    if (outside.length > 0) rules.push(`goto ${port.externalLocal ? localChain : clusterChain}`);
    piece.chains.set(externalChain, rules);
  }
  if (port.loadBalancerIps.length > 0 && port.loadBalancerSourceRanges.length > 0) addFirewall(piece, port, ip, options.nodeIp);
}

function choose(port: ServicePort, endpoints: readonly Endpoint[], ip: string): string[] {
  const count = endpoints.length;
  if (port.affinitySeconds > 0) {
    const chain = (endpoint: Endpoint): string => chainName('endpoint', port, endpointName(endpoint));
    return [
      ...endpoints.map((endpoint) => `${ip} saddr @${affinitySet(port, endpoint)} goto ${chain(endpoint)}`),
      `numgen random mod ${count} vmap { ${endpoints.map((endpoint, index) => `${index} : goto ${chain(endpoint)}`).join(', ')} }`,
    ];
  }
  const [only] = endpoints;
  if (count === 1) return [`meta l4proto ${port.protocol} dnat ${ip} to ${target(only!, ip)}`];
  const map = endpoints.map((endpoint, index) => `${index} : ${endpoint.ip} . ${endpoint.port}`).join(', ');
  return [`meta l4proto ${port.protocol} dnat ${ip} to numgen random mod ${count} map { ${map} }`];
}

const target = ({ ip: address, port }: Endpoint, ip: string): string => (ip === 'ip' ? `${address}:${port}` : `[${address}]:${port}`);

function addAffinity(piece: Piece, port: ServicePort, endpoint: Endpoint, ip: string, family: Family): void {
  const set = affinitySet(port, endpoint);
  const type = family === 'IPv4' ? 'ipv4_addr' : 'ipv6_addr';
  piece.sets.set(set, `{ type ${type}; flags dynamic, timeout; timeout ${port.affinitySeconds}s; }`);
  piece.chains.set(chainName('endpoint', port, endpointName(endpoint)), [
    `update @${set} { ${ip} saddr }`,
    `meta l4proto ${port.protocol} dnat ${ip} to ${target(endpoint, ip)}`,
  ]);
}

function addFirewall(piece: Piece, port: ServicePort, ip: string, nodeIp: string | undefined): void {
  const chain = chainName('firewall', port);
  const sources = [...port.loadBalancerSourceRanges];
  const address = nodeIp === undefined ? undefined : parseAddress(nodeIp);
  const allowsNode =
    address !== undefined &&
    sources.some((range) => {
      const network = parseNetworkLoosely(range);
      return network !== undefined && contains(network, address);
    });
  // A node that is let in may come with the load balancer's own address as its source.
  if (allowsNode) sources.push(...port.loadBalancerIps);
  piece.chains.set(chain, [`${ip} saddr != { ${[...new Set(sources)].join(', ')} } drop`]);
  for (const address of port.loadBalancerIps)
    addElement(piece, 'firewall-ips', `${address} . ${port.protocol} . ${port.port}`, `goto ${chain}`);
}
