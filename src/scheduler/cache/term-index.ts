/** The affinity terms of the pods that run, equal terms together: an incoming pod is matched against each distinct term once. */
import type { AffinityTerm, PodInfo } from './pod-info.ts';

export interface IndexedTerm {
  readonly term: AffinityTerm;
  /** 1 for required terms. */
  readonly weight: number;
  /** Node slot → how many pods there carry the term. */
  readonly slots: Map<number, number>;
}

export class TermIndex {
  readonly #terms = new Map<string, IndexedTerm>();

  change(term: AffinityTerm, weight: number, slot: number, by: number): void {
    const key = `${weight}|${term.topologyKey}|${term.podsKey}`;
    let entry = this.#terms.get(key);
    if (!entry) this.#terms.set(key, (entry = { term, weight, slots: new Map() }));
    const count = (entry.slots.get(slot) ?? 0) + by;
    if (count > 0) entry.slots.set(slot, count);
    else {
      entry.slots.delete(slot);
      if (entry.slots.size === 0) this.#terms.delete(key);
    }
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
