import type { ProbeResult } from '../pod-runtime/actions.ts';
import type { ProbeType } from './worker.ts';

/** The last result of every probe by container; tells when one changes. upstream: pkg/kubelet/prober/results. */
export class ProbeResults {
  readonly #results = new Map<string, ProbeResult>();
  readonly #changed: (containerId: string, type: ProbeType, result: ProbeResult) => void;

  constructor(changed: (containerId: string, type: ProbeType, result: ProbeResult) => void) {
    this.#changed = changed;
  }

  get(containerId: string, type: ProbeType): ProbeResult | undefined {
    return this.#results.get(`${type}/${containerId}`);
  }

  set(containerId: string, type: ProbeType, result: ProbeResult): void {
    const key = `${type}/${containerId}`;
    if (this.#results.get(key) === result) return;
    this.#results.set(key, result);
    this.#changed(containerId, type, result);
  }

  remove(containerId: string, type: ProbeType): void {
    this.#results.delete(`${type}/${containerId}`);
  }
}
