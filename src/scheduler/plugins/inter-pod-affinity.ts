import type { Node, Pod } from '#api';
import type { Cache } from '../cache/cache.ts';
import type { NodeInfo } from '../cache/node-info.ts';
import { PodInfo } from '../cache/pod-info.ts';
import type { AffinityTerm } from '../cache/pod-info.ts';
import type { TermIndex } from '../cache/term-index.ts';
import type { Topology } from '../cache/topology.ts';
import { maxNodeScore } from '../contract.ts';
import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import { constant, skip, unresolvable, unschedulable } from '../framework/status.ts';

const name = 'InterPodAffinity';
const affinityReason = constant('InterPodAffinity', unresolvable("node(s) didn't match pod affinity rules"));
const antiAffinityReason = constant('InterPodAffinity', unschedulable("node(s) didn't match pod anti-affinity rules"));
const existingReason = constant('InterPodAffinity', unschedulable("node(s) didn't satisfy existing pods anti-affinity rules"));

interface Counted {
  topology: Topology;
  counts: Int32Array;
  /** False: the cache's, to be copied before it is changed. */
  own: boolean;
}

/** Counts by topology key and domain. */
class DomainCounts {
  readonly #entries = new Map<string, Counted>();
  #allZero: boolean | undefined;

  constructor(from?: DomainCounts) {
    if (from)
      for (const [key, { topology, counts, own }] of from.#entries)
        this.#entries.set(key, { topology, counts: own ? counts.slice() : counts, own });
  }

  add(topology: Topology, slot: number, by: number): void {
    const domain = topology.domainOf[slot]!;
    if (domain >= 0) this.#changeable(topology)[domain]! += by;
  }

  /** For all nodes at once, `byDomain` times `weight`. */
  addAll(topology: Topology, byDomain: Int32Array, weight: number): void {
    if (weight === 1 && !this.#entries.has(topology.key)) {
      this.#entries.set(topology.key, { topology, counts: byDomain, own: false });
      this.#allZero = undefined;
      return;
    }
    const counts = this.#changeable(topology);
    for (let domain = 0; domain < byDomain.length; domain++) counts[domain]! += byDomain[domain]! * weight;
  }

  at(key: string, slot: number): number {
    const entry = this.#entries.get(key);
    if (!entry) return 0;
    const domain = entry.topology.domainOf[slot]!;
    return domain < 0 ? 0 : entry.counts[domain]!;
  }

  sumAt(slot: number): number {
    let sum = 0;
    for (const { topology, counts } of this.#entries.values()) {
      const domain = topology.domainOf[slot]!;
      if (domain >= 0) sum += counts[domain]!;
    }
    return sum;
  }

  anyAt(slot: number): boolean {
    for (const { topology, counts } of this.#entries.values()) {
      const domain = topology.domainOf[slot]!;
      if (domain >= 0 && counts[domain]! > 0) return true;
    }
    return false;
  }

  get untouched(): boolean {
    return this.#entries.size === 0;
  }

  get allZero(): boolean {
    return (this.#allZero ??= [...this.#entries.values()].every(({ counts }) => counts.every((count) => count === 0)));
  }

  #changeable(topology: Topology): Int32Array {
    this.#allZero = undefined;
    let entry = this.#entries.get(topology.key);
    if (!entry) this.#entries.set(topology.key, (entry = { topology, counts: new Int32Array(topology.domains), own: true }));
    else if (!entry.own) {
      entry.counts = entry.counts.slice();
      entry.own = true;
    }
    return entry.counts;
  }

  clone(): DomainCounts {
    return new DomainCounts(this);
  }
}

interface FilterState {
  /** Pods whose own anti-affinity keeps the incoming pod away. */
  existing: DomainCounts;
  /** Pods that match all of the incoming pod's affinity terms. */
  affinity: DomainCounts;
  /** Pods that match a term of its anti-affinity. */
  antiAffinity: DomainCounts;
  /** Those of the incoming pod's affinity terms. */
  topologies: readonly Topology[];
  clone(): FilterState;
}

const filterState = (
  existing: DomainCounts,
  affinity: DomainCounts,
  antiAffinity: DomainCounts,
  topologies: readonly Topology[],
): FilterState => ({
  existing,
  affinity,
  antiAffinity,
  topologies,
  clone: () => filterState(existing.clone(), affinity.clone(), antiAffinity.clone(), topologies),
});

const everyNode = { key: '', includes: () => true };

/** Affinity and anti-affinity between pods, both ways. upstream: plugins/interpodaffinity. */
export const interPodAffinity: PluginFactory = (
  { cache },
  args: { hardPodAffinityWeight?: number; ignorePreferredTermsOfExistingPods?: boolean },
) => {
  const hardWeight = args.hardPodAffinityWeight ?? 1;
  const labelsOf = (namespace: string): Record<string, string> | undefined => cache.namespaceLabels(namespace);
  const matchesAll = (terms: readonly AffinityTerm[], pod: Pod): boolean =>
    terms.length > 0 && terms.every((term) => term.matches(pod, labelsOf));

  function addMatching(counts: DomainCounts, terms: readonly AffinityTerm[], keys: readonly AffinityTerm[], weight: number): void {
    const counter = cache.count(`affinity|${terms.map((term) => term.podsKey).join('&')}`, ({ pod }) => matchesAll(terms, pod));
    if (counter.total === 0) return;
    for (const term of keys) {
      const topology = cache.topology(term.topologyKey);
      counts.addAll(topology, counter.byDomain(topology, everyNode, cache.list()).counts, weight);
    }
  }

  function addExisting(counts: DomainCounts, index: TermIndex, pod: Pod, factor: number): void {
    for (const entry of index.values()) {
      const { term, weight, slots } = entry;
      if (!term.matches(pod, labelsOf)) continue;
      const topology = cache.topology(term.topologyKey);
      // A term on few nodes is not worth a number for each domain.
      if (slots.size * 16 > topology.domains) counts.addAll(topology, entry.byDomain(topology), weight * factor);
      else for (const [slot, count] of slots) counts.add(topology, slot, count * weight * factor);
    }
  }

  function change(state: FilterState, pod: PodInfo, other: PodInfo, node: NodeInfo, by: number): void {
    const topologyOf = (term: AffinityTerm): Topology => cache.topology(term.topologyKey);
    for (const term of other.requiredAntiAffinity) if (term.matches(pod.pod, labelsOf)) state.existing.add(topologyOf(term), node.slot, by);
    if (matchesAll(pod.requiredAffinity, other.pod))
      for (const term of pod.requiredAffinity) state.affinity.add(topologyOf(term), node.slot, by);
    for (const term of pod.requiredAntiAffinity)
      if (term.matches(other.pod, labelsOf)) state.antiAffinity.add(topologyOf(term), node.slot, by);
  }

  return {
    name,
    events: () => [
      {
        event: { resource: 'Pod', actions: action.add | action.delete | action.podLabel },
        hint: (pod, old: Pod | undefined, now: Pod | undefined) => podHint(pod, old, now, labelsOf),
      },
      { event: { resource: 'Node', actions: action.add | action.nodeLabel }, hint: nodeHint },
    ],
    preFilter(state, pod) {
      const topologies = pod.requiredAffinity.map((term) => cache.topology(term.topologyKey));
      const counts = filterState(new DomainCounts(), new DomainCounts(), new DomainCounts(), topologies);
      if (cache.terms.requiredAntiAffinity.size) addExisting(counts.existing, cache.terms.requiredAntiAffinity, pod.pod, 1);
      if (counts.existing.untouched && pod.requiredAffinity.length === 0 && pod.requiredAntiAffinity.length === 0) return { status: skip };
      if (pod.requiredAffinity.length) addMatching(counts.affinity, pod.requiredAffinity, pod.requiredAffinity, 1);
      for (const term of pod.requiredAntiAffinity) addMatching(counts.antiAffinity, [term], [term], 1);
      state.write(name, counts);
      return undefined;
    },
    addPod: (state, pod, other, node) => change(state.read<FilterState>(name)!, pod, other, node, 1),
    removePod: (state, pod, other, node) => change(state.read<FilterState>(name)!, pod, other, node, -1),
    filter(state, pod, node) {
      const counts = state.read<FilterState>(name)!;
      let found = true;
      for (const { key, domainOf } of counts.topologies) {
        if (domainOf[node.slot]! < 0) return affinityReason;
        if (counts.affinity.at(key, node.slot) <= 0) found = false;
      }
      // The first of a group that wants to be together must be let in somewhere.
      if (!found && !(counts.affinity.allZero && matchesAll(pod.requiredAffinity, pod.pod))) return affinityReason;
      for (const term of pod.requiredAntiAffinity) if (counts.antiAffinity.at(term.topologyKey, node.slot) > 0) return antiAffinityReason;
      return counts.existing.anyAt(node.slot) ? existingReason : undefined;
    },
    preScore(state, pod) {
      const own = pod.preferredAffinity.length > 0 || pod.preferredAntiAffinity.length > 0;
      if (args.ignorePreferredTermsOfExistingPods && !own) return skip;
      const scores = scoreExisting(cache, pod, hardWeight, addExisting);
      for (const { term, weight } of pod.preferredAffinity) addMatching(scores, [term], [term], weight);
      for (const { term, weight } of pod.preferredAntiAffinity) addMatching(scores, [term], [term], -weight);
      if (scores.untouched) return skip;
      state.write(`${name}/score`, scores);
      return undefined;
    },
    score: (state, _pod, node) => state.read<DomainCounts>(`${name}/score`)!.sumAt(node.slot),
    normalizeScore(_state, _pod, scores) {
      let low = Infinity;
      let high = -Infinity;
      for (const score of scores) {
        if (score < low) low = score;
        if (score > high) high = score;
      }
      for (let index = 0; index < scores.length; index++)
        scores[index] = high > low ? Math.trunc(maxNodeScore * ((scores[index]! - low) / (high - low))) : 0;
    },
  };
};

function scoreExisting(
  { terms }: Cache,
  pod: PodInfo,
  hardWeight: number,
  addExisting: (counts: DomainCounts, index: TermIndex, pod: Pod, factor: number) => void,
): DomainCounts {
  const scores = new DomainCounts();
  if (hardWeight > 0 && terms.requiredAffinity.size) addExisting(scores, terms.requiredAffinity, pod.pod, hardWeight);
  if (terms.preferredAffinity.size) addExisting(scores, terms.preferredAffinity, pod.pod, 1);
  if (terms.preferredAntiAffinity.size) addExisting(scores, terms.preferredAntiAffinity, pod.pod, -1);
  return scores;
}

function podHint(
  pod: Pod,
  old: Pod | undefined,
  now: Pod | undefined,
  labelsOf: (namespace: string) => Record<string, string> | undefined,
): 'queue' | 'skip' {
  const self = (now ?? old)?.metadata?.uid === pod.metadata?.uid;
  if (self) return 'queue';
  if (!(now ?? old)?.spec?.nodeName) return 'skip';
  const info = new PodInfo(pod);
  const all = (terms: readonly AffinityTerm[], other: Pod | undefined): boolean =>
    other !== undefined && terms.length > 0 && terms.every((term) => term.matches(other, labelsOf));
  const any = (terms: readonly AffinityTerm[], other: Pod | undefined): boolean =>
    other !== undefined && terms.some((term) => term.matches(other, labelsOf));
  if (all(info.requiredAffinity, now) && !all(info.requiredAffinity, old)) return 'queue';
  if (any(info.requiredAntiAffinity, old) && !any(info.requiredAntiAffinity, now)) return 'queue';
  // One that goes, or changes, may be what kept this pod away by its own anti-affinity.
  if (old && any(new PodInfo(old).requiredAntiAffinity, pod) && (!now || !any(new PodInfo(now).requiredAntiAffinity, pod))) return 'queue';
  return 'skip';
}

function nodeHint(pod: Pod, old: Node | undefined, now: Node | undefined): 'queue' | 'skip' {
  if (!now) return 'skip';
  const info = new PodInfo(pod);
  const keys = [...info.requiredAffinity, ...info.requiredAntiAffinity].map((term) => term.topologyKey);
  if (keys.length === 0) return 'queue';
  const has = keys.some((key) => now.metadata?.labels?.[key] !== undefined);
  if (!old) return has || info.requiredAntiAffinity.length > 0 ? 'queue' : 'skip';
  return keys.some((key) => now.metadata?.labels?.[key] !== old.metadata?.labels?.[key]) ? 'queue' : 'skip';
}
