import { maxNodeScore } from '../contract.ts';
import type { PluginFactory } from '../contract.ts';
import { skip } from '../framework/status.ts';
import { allocatableOf, isScalar, requestOf, resourceWeights, usedOf } from './resource-scoring.ts';
import type { ResourceWeight } from './resource-scoring.ts';

/** Prefers nodes whose resources would be used evenly: the smaller the standard deviation of the used fractions, the better. upstream: plugins/noderesources/balanced_allocation.go. */
export const nodeResourcesBalancedAllocation: PluginFactory = (_handle, args: { resources?: Partial<ResourceWeight>[] }) => {
  const resources = resourceWeights(args.resources);
  return {
    name: 'NodeResourcesBalancedAllocation',
    local: true,
    events: () => [],
    preScore: (_state, pod) => (resources.every(({ name }) => requestOf(pod, name, false) === 0) ? skip : undefined),
    score(_state, pod, node) {
      const fractions: number[] = [];
      for (const { name } of resources) {
        const request = requestOf(pod, name, false);
        if (request === 0 && isScalar(name)) continue;
        const allocatable = allocatableOf(node, name);
        if (allocatable > 0) fractions.push(Math.min(1, (usedOf(node, name, false) + request) / allocatable));
      }
      let deviation = 0;
      if (fractions.length === 2) deviation = Math.abs(fractions[0]! - fractions[1]!) / 2;
      else if (fractions.length > 2) {
        const mean = fractions.reduce((sum, fraction) => sum + fraction, 0) / fractions.length;
        deviation = Math.sqrt(fractions.reduce((sum, fraction) => sum + (fraction - mean) ** 2, 0) / fractions.length);
      }
      return Math.trunc((1 - deviation) * maxNodeScore);
    },
  };
};
