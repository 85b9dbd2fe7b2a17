/** How many pods of a kind each node has, kept up to date pod by pod, so that spreading and affinity never walk all pods. */
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';
import type { Topology } from './topology.ts';

export interface PodCounter {
  /** By node slot. */
  readonly counts: Int32Array;
  /** Over all nodes. */
  readonly total: number;
  /** The same by domain of a topology, over `nodes`. Shared: to be copied before it is changed. */
  byDomain(topology: Topology, condition: NodeCondition, nodes: readonly NodeInfo[]): DomainCounts;
}

/** Pods by domain, on those nodes that count. */
export interface DomainCounts {
  readonly counts: Int32Array;
  /** 1 for domains that have a node which counts. */
  readonly present: Uint8Array;
}

/** Which nodes count; `key` names the condition, which must depend on labels, taints and name alone. */
export interface NodeCondition {
  readonly key: string;
  includes(slot: number): boolean;
}

interface DomainView extends DomainCounts {
  readonly topology: Topology;
  /** By slot, the node's domain; -1 where the node does not count. */
  readonly domainOf: Int32Array;
}

/** Conditions that one counter keeps apart at most. */
const mostViews = 16;

class Counter implements PodCounter {
  readonly matches: (info: PodInfo) => boolean;
  counts: Int32Array;
  total = 0;
  readonly #views = new Map<string, DomainView>();

  constructor(slots: number, matches: (info: PodInfo) => boolean) {
    this.counts = new Int32Array(slots);
    this.matches = matches;
  }

  change(info: PodInfo, slot: number, by: number): void {
    if (!this.matches(info)) return;
    if (slot >= this.counts.length) {
      const larger = new Int32Array(Math.max(slot + 1, this.counts.length * 2));
      larger.set(this.counts);
      this.counts = larger;
    }
    this.counts[slot]! += by;
    this.total += by;
    for (const { domainOf, counts } of this.#views.values()) {
      const domain = slot < domainOf.length ? domainOf[slot]! : -1;
      if (domain >= 0) counts[domain]! += by;
    }
  }

  /** A topology is another object after each change of the nodes, which ends what was counted for it. */
  byDomain(topology: Topology, condition: NodeCondition, nodes: readonly NodeInfo[]): DomainCounts {
    const key = `${topology.key}|${condition.key}`;
    let view = this.#views.get(key);
    if (view?.topology === topology) return view;
    view = {
      topology,
      counts: new Int32Array(topology.domains),
      present: new Uint8Array(topology.domains),
      domainOf: new Int32Array(topology.domainOf.length).fill(-1),
    };
    for (const { slot } of nodes) {
      const domain = topology.domainOf[slot]!;
      if (domain < 0 || !condition.includes(slot)) continue;
      view.domainOf[slot] = domain;
      view.present[domain] = 1;
      view.counts[domain]! += this.counts[slot] ?? 0;
    }
    if (this.#views.size >= mostViews) this.#views.clear();
    this.#views.set(key, view);
    return view;
  }
}

/** Counters by key; the least recently used goes when there are too many. */
export class PodCounters {
  readonly #counters = new Map<string, Counter>();
  readonly #limit: number;

  constructor(limit = 64) {
    this.#limit = limit;
  }

  /** The counter for `key`, counting `nodes` first when it is new. `matches` must depend on the pod alone and be the same for the same key. */
  for(key: string, matches: (info: PodInfo) => boolean, nodes: Iterable<NodeInfo>, slots: number): PodCounter {
    let counter = this.#counters.get(key);
    if (counter) this.#counters.delete(key);
    else {
      counter = new Counter(slots, matches);
      for (const node of nodes) for (const info of node.pods.values()) counter.change(info, node.slot, 1);
      if (this.#counters.size >= this.#limit) this.#counters.delete(this.#counters.keys().next().value!);
    }
    if (counter.counts.length < slots) {
      const larger = new Int32Array(slots);
      larger.set(counter.counts);
      counter.counts = larger;
    }
    this.#counters.set(key, counter);
    return counter;
  }

  change(info: PodInfo, slot: number, by: number): void {
    for (const counter of this.#counters.values()) counter.change(info, slot, by);
  }

  /** Forgets everything; for when what matches changed from outside (labels of a namespace). */
  clear(): void {
    this.#counters.clear();
  }
}
