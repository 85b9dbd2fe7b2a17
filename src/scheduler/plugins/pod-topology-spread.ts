import type { Node, Pod, TopologySpreadConstraint } from '#api';
import { requiredNodeAffinity, untolerated } from '#machinery/selectors';
import type { Cache } from '../cache/cache.ts';
import type { NodeInfo } from '../cache/node-info.ts';
import type { DomainCounts, NodeCondition, PodCounter } from '../cache/pod-counter.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import type { Topology } from '../cache/topology.ts';
import { maxNodeScore } from '../contract.ts';
import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import { constant, skip, unresolvable, unschedulable } from '../framework/status.ts';
import { labelSelector, selectorKey } from '../selector.ts';
import type { Selector } from '../selector.ts';
import { defaultSelectors } from './default-selector.ts';

const name = 'PodTopologySpread';
const hostname = 'kubernetes.io/hostname';
const spreadReason = constant('PodTopologySpread', unschedulable("node(s) didn't match pod topology spread constraints"));
const labelReason = constant(
  'PodTopologySpread',
  unresolvable("node(s) didn't match pod topology spread constraints (missing required label)"),
);

const systemDefaults: readonly TopologySpreadConstraint[] = [
  { topologyKey: hostname, whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 3 },
  { topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 5 },
];

interface Constraint {
  maxSkew: number;
  minDomains: number;
  topologyKey: string;
  selector: Selector;
  honorAffinity: boolean;
  honorTaints: boolean;
}

function compile(constraint: TopologySpreadConstraint, pod: Pod, selector?: Selector): Constraint {
  const extra: Record<string, string> = {};
  for (const key of constraint.matchLabelKeys ?? []) {
    const value = pod.metadata?.labels?.[key];
    if (value !== undefined) extra[key] = value;
  }
  return {
    maxSkew: constraint.maxSkew,
    minDomains: constraint.minDomains ?? 1,
    topologyKey: constraint.topologyKey,
    selector: selector ?? labelSelector(constraint.labelSelector, extra),
    honorAffinity: (constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor',
    honorTaints: constraint.nodeTaintsPolicy === 'Honor',
  };
}

/** One hard constraint with the pods counted by domain. */
class Spread {
  readonly constraint: Constraint;
  readonly topology: Topology;
  /** What the pod itself adds to its domain. */
  readonly self: number;
  /** The cache's own until a what-if changes them. */
  counts: Int32Array;
  readonly present: Uint8Array;
  #owned = false;
  #least = -1;

  constructor(constraint: Constraint, topology: Topology, self: number, { counts, present }: DomainCounts) {
    this.constraint = constraint;
    this.topology = topology;
    this.self = self;
    this.counts = counts;
    this.present = present;
  }

  add(domain: number, by: number): void {
    if (!this.#owned) {
      this.counts = this.counts.slice();
      this.#owned = true;
    }
    this.counts[domain]! += by;
    this.#least = -1;
  }

  /** The fewest matching pods in a domain; 0 while there are fewer domains than asked for. */
  get least(): number {
    if (this.#least < 0) {
      let least = 2 ** 31 - 1;
      let domains = 0;
      for (let domain = 0; domain < this.present.length; domain++) {
        if (!this.present[domain]) continue;
        domains++;
        if (this.counts[domain]! < least) least = this.counts[domain]!;
      }
      this.#least = domains < this.constraint.minDomains ? 0 : least;
    }
    return this.#least;
  }

  clone(): Spread {
    const { counts, present } = this;
    return new Spread(this.constraint, this.topology, this.self, { counts: this.#owned ? counts.slice() : counts, present });
  }
}

interface FilterState {
  spreads: Spread[];
  clone(): FilterState;
}
const filterState = (spreads: Spread[]): FilterState => ({ spreads, clone: () => filterState(spreads.map((spread) => spread.clone())) });

interface ScoreState {
  /** By node slot, 1 for nodes that lack a topology key and get no score. */
  ignored: Uint8Array | undefined;
  parts: { topology: Topology; weight: number; maxSkew: number; perNode?: Int32Array; perDomain?: Int32Array }[];
}

function counterOf(cache: Cache, pod: PodInfo, selector: Selector): PodCounter {
  if (selector.empty) return cache.count('spread', () => false);
  const { namespace } = pod;
  return cache.count(
    `spread|${namespace}|${selectorKey(selector)}`,
    (other) => other.namespace === namespace && !other.pod.metadata?.deletionTimestamp && selector.matches(other.pod.metadata?.labels),
  );
}

const always = (): boolean => true;

/** Which nodes count for a constraint: those the pod's affinity and tolerations let it go to, where it asks for that. */
function eligible(cache: Cache, pod: Pod, { honorAffinity, honorTaints }: Constraint): NodeCondition {
  const affinity = honorAffinity ? requiredNodeAffinity(pod.spec ?? {}) : undefined;
  if (!affinity && !honorTaints) return { key: '', includes: always };
  const affinityKey = affinity
    ? `affinity|${JSON.stringify([pod.spec?.nodeSelector, pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution])}`
    : '';
  const taintsKey = honorTaints ? `taints|${JSON.stringify(pod.spec?.tolerations)}` : '';
  const byAffinity = affinity && cache.mask(affinityKey, (node) => affinity(node.node!));
  const byTaints = honorTaints && cache.mask(taintsKey, (node) => !untolerated(node.taints, pod.spec?.tolerations));
  return {
    key: `${affinityKey}|${taintsKey}`,
    includes: (slot) => (!byAffinity || byAffinity[slot] === 1) && (!byTaints || byTaints[slot] === 1),
  };
}

/** Pods that a constraint counts, by domain. `complete`: topologies that a node must have a domain of, to count. */
function countByDomain(
  cache: Cache,
  pod: PodInfo,
  constraint: Constraint,
  topology: Topology,
  complete: readonly Topology[],
): DomainCounts {
  const { key, includes } = eligible(cache, pod.pod, constraint);
  return counterOf(cache, pod, constraint.selector).byDomain(
    topology,
    {
      key: `${complete.map((other) => other.key).join(',')}|${key}`,
      includes: (slot) => includes(slot) && complete.every(({ domainOf }) => domainOf[slot]! >= 0),
    },
    cache.list(),
  );
}

/** Spreads the pods of a group over hosts and zones: hard constraints filter, soft ones (and the system's default) score. upstream: plugins/podtopologyspread. */
export const podTopologySpread: PluginFactory = (
  { cache, informers },
  args: { defaultConstraints?: TopologySpreadConstraint[]; defaultingType?: 'System' | 'List' },
) => {
  const system = (args.defaultingType ?? 'System') === 'System';
  const defaults = system ? systemDefaults : (args.defaultConstraints ?? []);
  const defaultSelector = defaults.length ? defaultSelectors(informers) : undefined;

  function constraintsOf(pod: Pod, action: string): Constraint[] {
    const own = pod.spec?.topologySpreadConstraints;
    if (own?.length)
      return own.filter((constraint) => constraint.whenUnsatisfiable === action).map((constraint) => compile(constraint, pod));
    const wanted = defaults.filter((constraint) => constraint.whenUnsatisfiable === action);
    if (wanted.length === 0) return [];
    const selector = defaultSelector!(pod);
    return selector.empty ? [] : wanted.map((constraint) => compile(constraint, pod, selector));
  }

  function change(spreads: readonly Spread[], pod: PodInfo, other: PodInfo, node: NodeInfo, by: number): void {
    if (other.namespace !== pod.namespace) return;
    if (spreads.some(({ topology }) => topology.domainOf[node.slot]! < 0)) return;
    for (const spread of spreads) {
      if (!spread.constraint.selector.matches(other.pod.metadata?.labels)) continue;
      if (!eligible(cache, pod.pod, spread.constraint).includes(node.slot)) continue;
      spread.add(spread.topology.domainOf[node.slot]!, by);
    }
  }

  return {
    name,
    events: () => [
      {
        event: { resource: 'Pod', actions: action.add | action.delete | action.podLabel | action.podToleration },
        hint: (pod, old: Pod | undefined, now: Pod | undefined) => {
          const other = (now ?? old)!;
          if (other.metadata?.uid === pod.metadata?.uid) return 'queue';
          if (!other.spec?.nodeName || other.metadata?.namespace !== pod.metadata?.namespace) return 'skip';
          const matches = (candidate: Pod | undefined): boolean =>
            candidate !== undefined &&
            constraintsOf(pod, 'DoNotSchedule').some(({ selector }) => selector.matches(candidate.metadata?.labels));
          return matches(old) !== matches(now) ? 'queue' : 'skip';
        },
      },
      {
        event: { resource: 'Node', actions: action.add | action.delete | action.nodeLabel | action.nodeTaint },
        hint: (pod, old: Node | undefined, now: Node | undefined) => {
          const keys = constraintsOf(pod, 'DoNotSchedule').map(({ topologyKey }) => topologyKey);
          const complete = (node: Node | undefined): boolean => keys.every((key) => node?.metadata?.labels?.[key] !== undefined);
          return complete(old) || complete(now) ? 'queue' : 'skip';
        },
      },
    ],
    preFilter(state, pod) {
      const constraints = constraintsOf(pod.pod, 'DoNotSchedule');
      if (constraints.length === 0) return { status: skip };
      const topologies = constraints.map(({ topologyKey }) => cache.topology(topologyKey));
      const spreads = constraints.map((constraint, index) => {
        const topology = topologies[index]!;
        const self = constraint.selector.matches(pod.pod.metadata?.labels) ? 1 : 0;
        return new Spread(constraint, topology, self, countByDomain(cache, pod, constraint, topology, topologies));
      });
      state.write(name, filterState(spreads));
      return undefined;
    },
    addPod: (state, pod, other, node) => change(state.read<FilterState>(name)!.spreads, pod, other, node, 1),
    removePod: (state, pod, other, node) => change(state.read<FilterState>(name)!.spreads, pod, other, node, -1),
    filter(state, _pod, node) {
      for (const spread of state.read<FilterState>(name)!.spreads) {
        const domain = spread.topology.domainOf[node.slot]!;
        if (domain < 0) return labelReason;
        if (spread.counts[domain]! + spread.self - spread.least > spread.constraint.maxSkew) return spreadReason;
      }
      return undefined;
    },
    preScore(state, pod, nodes) {
      const constraints = constraintsOf(pod.pod, 'ScheduleAnyway');
      if (constraints.length === 0) return skip;
      const requireAll = (pod.pod.spec?.topologySpreadConstraints?.length ?? 0) > 0 || !system;
      state.write(`${name}/score`, prepareScore(cache, pod, nodes, constraints, requireAll));
      return undefined;
    },
    score(state, _pod, node) {
      const { ignored, parts } = state.read<ScoreState>(`${name}/score`)!;
      if (ignored?.[node.slot]) return -1;
      let score = 0;
      for (const { topology, weight, maxSkew, perNode, perDomain } of parts) {
        const domain = topology.domainOf[node.slot]!;
        if (domain >= 0) score += (perNode ? perNode[node.slot]! : perDomain![domain]!) * weight + (maxSkew - 1);
      }
      return Math.round(score);
    },
    normalizeScore(_state, _pod, scores) {
      let low = Infinity;
      let high = 0;
      for (const score of scores) {
        if (score < 0) continue;
        if (score < low) low = score;
        if (score > high) high = score;
      }
      for (let index = 0; index < scores.length; index++) {
        const score = scores[index]!;
        scores[index] = score < 0 ? 0 : high === 0 ? maxNodeScore : Math.trunc((maxNodeScore * (high + low - score)) / high);
      }
    },
  };
};

function prepareScore(cache: Cache, pod: PodInfo, nodes: readonly NodeInfo[], constraints: Constraint[], requireAll: boolean): ScoreState {
  const topologies = constraints.map(({ topologyKey }) => cache.topology(topologyKey));
  const lacks = (slot: number): boolean => topologies.some(({ domainOf }) => domainOf[slot]! < 0);
  let ignored: Uint8Array | undefined;
  let scored = nodes.length;
  if (requireAll)
    for (const { slot } of nodes)
      if (lacks(slot)) {
        (ignored ??= new Uint8Array(cache.slots))[slot] = 1;
        scored--;
      }
  const parts = constraints.map((constraint, index): ScoreState['parts'][number] => {
    const topology = topologies[index]!;
    const { maxSkew } = constraint;
    if (constraint.topologyKey === hostname)
      return { topology, maxSkew, weight: Math.log(scored + 2), perNode: counterOf(cache, pod, constraint.selector).counts };
    // Domains of nodes that fit; the last place stands for nodes without the label.
    const wanted = new Uint8Array(topology.domains + 1);
    let size = 0;
    for (const { slot } of nodes) {
      if (ignored?.[slot]) continue;
      const domain = topology.domainOf[slot]!;
      const place = domain < 0 ? topology.domains : domain;
      if (!wanted[place]) {
        wanted[place] = 1;
        size++;
      }
    }
    const { counts: perDomain } = countByDomain(cache, pod, constraint, topology, requireAll ? topologies : []);
    return { topology, maxSkew, weight: Math.log(size + 2), perDomain };
  });
  return { ignored, parts };
}
