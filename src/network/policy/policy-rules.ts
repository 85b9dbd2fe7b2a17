/**
 * What NetworkPolicies mean for one node, as pieces of an nftables table.
 *
 * A pod of this node that some policy selects has an element in the map of its direction, leading to the chain of just those policies; pods
 * selected by the same ones share it. A chain's rules return what is allowed, and drop the rest. Peers are sets of pod addresses: a pod
 * that comes or goes is an element, not a rule. What a policy means is defined at networking.k8s.io/v1 NetworkPolicy.
 */
import { createHash } from 'node:crypto';
import type { LabelSelector, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, Pod } from '#api';
import { keyOf } from '#machinery/meta';
import { labelSelectorFrom } from '#machinery/selectors';
import type { LabelSelectorMatcher } from '#machinery/selectors';
import { addElement, emptyPiece } from '../nft-table.ts';
import type { Piece } from '../nft-table.ts';

export type Family = 'IPv4' | 'IPv6';
type Direction = 'ingress' | 'egress';

export const policyTableName = 'coxswain-policy';
const ofFamily = (family: Family, address: string): boolean => address.includes(':') === (family === 'IPv6');

export function policyTable(family: Family): string {
  const ip = family === 'IPv4' ? 'ip' : 'ip6';
  const address = family === 'IPv4' ? 'ipv4_addr' : 'ipv6_addr';
  const neighbours =
    family === 'IPv6' ? 'meta l4proto ipv6-icmp icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept' : '';
  // What a pod sends to its node passes input, everything else forward. The node itself reaches its pods whatever policies say.
  const judge = `
    ct state established,related accept
    ${neighbours}
    ${ip} saddr . ${ip} daddr @self accept`;
  return `table ${ip} ${policyTableName} {
  comment "NetworkPolicies"
  set self { type ${address} . ${address}; comment "pods always reach themselves"; }
  map egress-pods { type ${address} : verdict; }
  map ingress-pods { type ${address} : verdict; }
  chain forward {
    type filter hook forward priority 1${judge}
    ${ip} saddr vmap @egress-pods
    ${ip} daddr vmap @ingress-pods
  }
  chain input {
    type filter hook input priority 1${judge}
    ${ip} saddr vmap @egress-pods
  }
}`;
}

/** The pods and namespaces that policies are about, as the caller knows them. */
export interface PolicyWorld {
  nodeName: string;
  pods(namespace: string): readonly Pod[];
  /** Names of the namespaces with their labels. */
  namespaces(): readonly { name: string; labels: Record<string, string> }[];
}

export const isolates = (policy: NetworkPolicy, direction: Direction): boolean => {
  const types = policy.spec?.policyTypes;
  if (types?.length) return types.includes(direction === 'ingress' ? 'Ingress' : 'Egress');
  return direction === 'ingress' || (policy.spec?.egress?.length ?? 0) > 0;
};

/** Pods whose traffic policies can see: with an address of their own, and not ended. */
export function addressOf(pod: Pod, family: Family): string | undefined {
  if (pod.spec?.hostNetwork || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return undefined;
  const ips = pod.status?.podIPs?.map(({ ip }) => ip) ?? [pod.status?.podIP ?? ''];
  return ips.find((ip) => ip && ofFamily(family, ip));
}

/** The chains and sets for all pods of this node: one piece a group of pods that the same policies select. */
export function policyPieces(policies: readonly NetworkPolicy[], world: PolicyWorld, family: Family): Map<string, Piece> {
  const pieces = new Map<string, Piece>();
  const byNamespace = Map.groupBy(policies, (policy) => policy.metadata?.namespace ?? '');
  for (const [namespace, ofNamespace] of byNamespace) {
    const selectors = new Map(ofNamespace.map((policy) => [policy, labelSelectorFrom(policy.spec?.podSelector ?? {})]));
    const local = world.pods(namespace).filter((pod) => pod.spec?.nodeName === world.nodeName);
    for (const direction of ['ingress', 'egress'] as const) {
      const isolating = ofNamespace.filter((policy) => isolates(policy, direction)).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
      const groups = new Map<string, { policies: NetworkPolicy[]; pods: { pod: Pod; ip: string }[] }>();
      for (const pod of local) {
        const ip = addressOf(pod, family);
        const selecting = ip === undefined ? [] : isolating.filter((policy) => selectors.get(policy)!.matches(pod.metadata?.labels));
        if (ip === undefined || selecting.length === 0) continue;
        const key = selecting.map(keyOf).join(' ');
        const group = groups.get(key);
        if (group) group.pods.push({ pod, ip });
        else groups.set(key, { policies: selecting, pods: [{ pod, ip }] });
      }
      for (const [key, group] of groups) {
        const id = createHash('sha256').update(key).digest('hex').slice(0, 12);
        pieces.set(`${direction} ${key}`, groupPiece(direction, `${namespace}/${id}`, group, world, family));
      }
    }
  }
  return pieces;
}

function groupPiece(
  direction: Direction,
  id: string,
  group: { policies: readonly NetworkPolicy[]; pods: readonly { pod: Pod; ip: string }[] },
  world: PolicyWorld,
  family: Family,
): Piece {
  const piece = emptyPiece();
  const chain = `${direction}/${id}`;
  const rules: string[] = [];
  for (const [index, policy] of group.policies.entries()) {
    const namespace = policy.metadata?.namespace ?? '';
    const entries =
      direction === 'ingress'
        ? (policy.spec?.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
        : (policy.spec?.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
    for (const [number, { peers, ports }] of entries.entries()) {
      const name = `${chain}/${index}.${number}`;
      rules.push(...ruleLines(piece, name, direction, namespace, peers, ports, group.pods, world, family));
    }
  }
  piece.chains.set(chain, [...rules, 'drop']);
  for (const { ip } of group.pods) {
    addElement(piece, `${direction}-pods`, ip, `jump ${chain}`);
    addElement(piece, 'self', `${ip} . ${ip}`);
  }
  return piece;
}

/** One rule of a policy: every allowed peer with every allowed port. */
function ruleLines(
  piece: Piece,
  name: string,
  direction: Direction,
  namespace: string,
  peers: readonly NetworkPolicyPeer[] | undefined,
  ports: readonly NetworkPolicyPort[] | undefined,
  targets: readonly { pod: Pod; ip: string }[],
  world: PolicyWorld,
  family: Family,
): string[] {
  const ip = family === 'IPv4' ? 'ip' : 'ip6';
  const address = family === 'IPv4' ? 'ipv4_addr' : 'ipv6_addr';
  const side = direction === 'ingress' ? 'saddr' : 'daddr';
  const from: string[] = [];
  let selected: { pod: Pod; ip: string }[] | undefined;
  if (!peers?.length) from.push('');
  else {
    for (const { ipBlock } of peers) {
      if (!ipBlock || !ofFamily(family, ipBlock.cidr)) continue;
      const except = (ipBlock.except ?? []).filter((cidr) => ofFamily(family, cidr));
      from.push(`${ip} ${side} ${ipBlock.cidr}${except.length ? ` ${ip} ${side} != { ${except.join(', ')} }` : ''}`);
    }
    const selecting = peers.filter((peer) => !peer.ipBlock);
    if (selecting.length) {
      selected = selecting.flatMap((peer) => peerPods(peer, namespace, world, family));
      piece.sets.set(`${name}/peers`, `{ type ${address}; }`);
      for (const pod of selected) addElement(piece, `${name}/peers`, pod.ip);
      from.push(`${ip} ${side} @${name}/peers`);
    }
  }
  if (!ports?.length) return from.map((peer) => `${peer} return`.trim());
  const lines: string[] = [];
  const named: { port: string; protocol: string }[] = [];
  for (const { port, endPort, protocol = 'TCP' } of ports) {
    const l4 = protocol.toLowerCase();
    if (typeof port === 'string') {
      named.push({ port, protocol });
      continue;
    }
    const match =
      port === undefined ? `meta l4proto ${l4}` : `meta l4proto ${l4} th dport ${endPort === undefined ? port : `${port}-${endPort}`}`;
    lines.push(...from.map((peer) => `${peer} ${match} return`.trim()));
  }
  if (named.length) {
    // A named port is a number of the pod that is connected to: the target for ingress, the peer for egress.
    const owners = direction === 'ingress' ? targets : (selected ?? allPods(world, family));
    piece.sets.set(`${name}/ports`, `{ type ${address} . inet_proto . inet_service; }`);
    for (const owner of owners)
      for (const { port, protocol } of named)
        for (const container of owner.pod.spec?.containers ?? [])
          for (const candidate of container.ports ?? [])
            if (candidate.name === port && (candidate.protocol ?? 'TCP') === protocol)
              addElement(piece, `${name}/ports`, `${owner.ip} . ${protocol.toLowerCase()} . ${candidate.containerPort}`);
    lines.push(...from.map((peer) => `${peer} ${ip} daddr . meta l4proto . th dport @${name}/ports return`.trim()));
  }
  return lines;
}

const selectorOf = (selector: LabelSelector | undefined): LabelSelectorMatcher => labelSelectorFrom(selector ?? {});

const withAddress = (pods: readonly Pod[], family: Family): { pod: Pod; ip: string }[] =>
  pods.flatMap((pod) => {
    const ip = addressOf(pod, family);
    return ip === undefined ? [] : [{ pod, ip }];
  });

const allPods = (world: PolicyWorld, family: Family): { pod: Pod; ip: string }[] =>
  world.namespaces().flatMap(({ name }) => withAddress(world.pods(name), family));

function peerPods(peer: NetworkPolicyPeer, namespace: string, world: PolicyWorld, family: Family): { pod: Pod; ip: string }[] {
  const pods = selectorOf(peer.podSelector);
  const namespaces = peer.namespaceSelector && selectorOf(peer.namespaceSelector);
  const names = namespaces
    ? world
        .namespaces()
        .filter(({ labels }) => namespaces.matches(labels))
        .map(({ name }) => name)
    : [namespace];
  return names.flatMap((name) =>
    withAddress(
      world.pods(name).filter((pod) => pods.matches(pod.metadata?.labels)),
      family,
    ),
  );
}
