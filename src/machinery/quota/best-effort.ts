import type { Pod } from '../../api/facts/types.ts';
import { parseQuantity } from '#machinery/quantity';
import type { ResourceList } from './usage.ts';

const asksFor = (list: ResourceList | undefined): boolean =>
  Object.entries(list ?? {}).some(([name, amount]) => (name === 'cpu' || name === 'memory') && parseQuantity(amount).sign() > 0);

/** Whether a pod asks for no cpu or memory at all. upstream: pkg/apis/core/v1/helper/qos. */
export function bestEffort({ spec, status }: Pod): boolean {
  if (status?.qosClass) return status.qosClass === 'BestEffort';
  if (spec?.resources && (asksFor(spec.resources.requests) || asksFor(spec.resources.limits))) return false;
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].every(
    ({ resources }) => !asksFor(resources?.requests) && !asksFor(resources?.limits),
  );
}
