/**
 * What objects count towards a ResourceQuota, and what pods ask for in all: what admission charges and a controller recounts must be the same.
 * Upstream counterpart: apiserver/pkg/quota/v1, pkg/quota/v1/evaluator, component-helpers/resource. Read first: evaluator.ts.
 */
export { podLimits, podRequests } from './pod-resources.ts';
export type { PodResourceOptions } from './pod-resources.ts';
export { bestEffort } from './best-effort.ts';
export { addUsage, exceeding, mask, subtractUsage, usageFrom, usageList, withoutZeros } from './usage.ts';
export type { ResourceList, Usage } from './usage.ts';
export { countedResources, evaluatorFor, matchesQuota, scopeSelectors } from './evaluator.ts';
export type { QuotaEvaluator } from './evaluator.ts';
