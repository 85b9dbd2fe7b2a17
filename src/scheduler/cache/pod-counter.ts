/** How many pods of a kind each node has, kept up to date pod by pod, so that spreading and affinity never walk all pods. */
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

export interface PodCounter {
  /** By node slot. */
  readonly counts: Int32Array;
  /** Over all nodes. */
  readonly total: number;
}

class Counter implements PodCounter {
  readonly matches: (info: PodInfo) => boolean;
  counts: Int32Array;
  total = 0;

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
