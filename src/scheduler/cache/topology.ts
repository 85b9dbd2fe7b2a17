/** A node label as small numbers: nodes with the same value are in the same domain. */
import type { NodeInfo } from './node-info.ts';

export interface Topology {
  readonly key: string;
  /** Node slot → domain, -1 where the node lacks the label. */
  readonly domainOf: Int32Array;
  readonly domains: number;
}

export function topologyOf(key: string, nodes: readonly NodeInfo[], slots: number): Topology {
  const domainOf = new Int32Array(slots).fill(-1);
  const ids = new Map<string, number>();
  for (const info of nodes) {
    const value = info.labels[key];
    if (value === undefined) continue;
    let id = ids.get(value);
    if (id === undefined) ids.set(value, (id = ids.size));
    domainOf[info.slot] = id;
  }
  return { key, domainOf, domains: ids.size };
}
