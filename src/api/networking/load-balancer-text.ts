import { warningsForIP } from '#machinery/ip';

/** Addresses and names of a load balancer, sorted. upstream: ingressLoadBalancerStatusStringer. */
export function loadBalancerAddresses(ingress: readonly { ip?: string; hostname?: string }[] | undefined): string[] {
  const addresses = new Set<string>();
  for (const { ip, hostname } of ingress ?? []) if (ip || hostname) addresses.add((ip || hostname)!);
  return [...addresses].sort();
}

/** Odd spellings of addresses in the status of Services and Ingresses. */
export const loadBalancerWarnings = (ingress: readonly { ip?: string }[] | undefined): string[] =>
  (ingress ?? []).flatMap(({ ip }, index) => (ip ? warningsForIP(`status.loadBalancer.ingress[${index}]`, ip) : []));
