/** The affinity terms of the pods that run, equal terms together: an incoming pod is matched against each distinct term once. */
import type { AffinityTerm, PodInfo } from './pod-info.ts';
import type { Topology } from './topology.ts';

export interface IndexedTerm {
  readonly term: AffinityTerm;
  /** 1 for required terms. */
  readonly weight: number;
  /** Node slot → how many pods there carry the term. */
  readonly slots: ReadonlyMap<number, number>;
  /** The same by domain. Shared: not to be changed. */
  byDomain(topology: Topology): Int32Array;
}

class Entry implements IndexedTerm {
  readonly term: AffinityTerm;
  readonly weight: number;
  readonly slots = new Map<number, number>();
  /** What was summed up for the topology that was asked for last; kept up to date. A term has one, until the nodes change. */
  #topology: Topology | undefined;
  #byDomain = new Int32Array(0);

  constructor(term: AffinityTerm, weight: number) {
    this.term = term;
    this.weight = weight;
  }

  change(slot: number, by: number): void {
    const count = (this.slots.get(slot) ?? 0) + by;
    if (count > 0) this.slots.set(slot, count);
    else this.slots.delete(slot);
    if (this.#topology) this.#add(this.#topology, slot, by);
  }

  byDomain(topology: Topology): Int32Array {
    if (topology !== this.#topology) {
      this.#topology = topology;
      this.#byDomain = new Int32Array(topology.domains);
      for (const [slot, count] of this.slots) this.#add(topology, slot, count);
    }
    return this.#byDomain;
  }

  #add({ domainOf }: Topology, slot: number, by: number): void {
    const domain = slot < domainOf.length ? domainOf[slot]! : -1;
    if (domain >= 0) this.#byDomain[domain]! += by;
  }
}

export class TermIndex {
  readonly #terms = new Map<string, Entry>();

  change(term: AffinityTerm, weight: number, slot: number, by: number): void {
    const key = `${weight}|${term.topologyKey}|${term.podsKey}`;
    let entry = this.#terms.get(key);
    if (!entry) this.#terms.set(key, (entry = new Entry(term, weight)));
    entry.change(slot, by);
    if (entry.slots.size === 0) this.#terms.delete(key);
  }

  get size(): number {
    return this.#terms.size;
  }

  values(): Iterable<IndexedTerm> {
    return this.#terms.values();
  }
}

export class AffinityIndexes {
  readonly requiredAffinity = new TermIndex();
  readonly requiredAntiAffinity = new TermIndex();
  readonly preferredAffinity = new TermIndex();
  readonly preferredAntiAffinity = new TermIndex();

  change(info: PodInfo, slot: number, by: number): void {
    for (const term of info.requiredAffinity) this.requiredAffinity.change(term, 1, slot, by);
    for (const term of info.requiredAntiAffinity) this.requiredAntiAffinity.change(term, 1, slot, by);
    for (const { term, weight } of info.preferredAffinity) this.preferredAffinity.change(term, weight, slot, by);
    for (const { term, weight } of info.preferredAntiAffinity) this.preferredAntiAffinity.change(term, weight, slot, by);
  }
}
