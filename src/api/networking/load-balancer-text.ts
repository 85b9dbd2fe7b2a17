/** Addresses and names of a load balancer, sorted. upstream: ingressLoadBalancerStatusStringer. */
export function loadBalancerAddresses(ingress: readonly { ip?: string; hostname?: string }[] | undefined): string[] {
  const addresses = new Set<string>();
  for (const { ip, hostname } of ingress ?? []) if (ip || hostname) addresses.add((ip || hostname)!);
  return [...addresses].sort();
}
