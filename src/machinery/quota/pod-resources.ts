import type { Container, Pod } from '../../api/facts/types.ts';
import { parseQuantity } from '#machinery/quantity';
import { addUsage, usageFrom } from './usage.ts';
import type { ResourceList, Usage } from './usage.ts';

export interface PodResourceOptions {
  /** Count what a resize has not yet given back. Default false. */
  useStatus?: boolean;
  /** Leave the runtime's overhead out. Default false. */
  withoutOverhead?: boolean;
}

/** What can be said for a whole pod. */
const podLevel = (name: string): boolean => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');

function largest(a: Usage, b: Usage): Usage {
  const result: Usage = new Map(a);
  for (const [name, amount] of b) if (!result.has(name) || result.get(name)!.compare(amount) < 0) result.set(name, amount);
  return result;
}

/**
 * Containers run side by side, so theirs add up; ordinary init containers run one by one before them, each beside the sidecars that were
 * started before it. upstream: component-helpers/resource AggregateContainerRequests.
 */
function aggregate(pod: Pod, of: (container: Container) => Usage): Usage {
  let total: Usage = new Map();
  for (const container of pod.spec?.containers ?? []) total = addUsage(total, of(container));
  let sidecars: Usage = new Map();
  let initial: Usage = new Map();
  for (const container of pod.spec?.initContainers ?? []) {
    const own = of(container);
    if (container.restartPolicy === 'Always') {
      total = addUsage(total, own);
      sidecars = addUsage(sidecars, own);
      initial = largest(initial, sidecars);
    } else initial = largest(initial, addUsage(own, sidecars));
  }
  return largest(total, initial);
}

const withPodLevel = (total: Usage, list: ResourceList | undefined): Usage => {
  const result: Usage = new Map(total);
  for (const [name, amount] of Object.entries(list ?? {})) if (podLevel(name)) result.set(name, parseQuantity(amount));
  return result;
};

const infeasible = (pod: Pod): boolean =>
  pod.status?.conditions?.some(({ type, reason }) => type === 'PodResizePending' && reason === 'Infeasible') ?? false;

/** What a pod asks for. upstream: component-helpers/resource PodRequests. */
export function podRequests(pod: Pod, options: PodResourceOptions = {}): Usage {
  const statuses = options.useStatus
    ? new Map(
        [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].map((status) => [status.name, status]),
      )
    : undefined;
  const total = aggregate(pod, (container) => {
    const asked = usageFrom(container.resources?.requests);
    const status = statuses?.get(container.name);
    if (!status?.resources && !status?.allocatedResources) return asked;
    const actual = largest(usageFrom(status.resources?.requests), usageFrom(status.allocatedResources));
    return infeasible(pod) ? actual : largest(asked, actual);
  });
  const whole = withPodLevel(total, pod.spec?.resources?.requests);
  return options.withoutOverhead ? whole : addUsage(whole, usageFrom(pod.spec?.overhead));
}

/** The most a pod may use; overhead counts only towards limits that are there. upstream: component-helpers/resource PodLimits. */
export function podLimits(pod: Pod, options: PodResourceOptions = {}): Usage {
  const statuses = options.useStatus
    ? new Map(
        [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].map((status) => [status.name, status]),
      )
    : undefined;
  const total = aggregate(pod, (container) => {
    const asked = usageFrom(container.resources?.limits);
    const status = statuses?.get(container.name);
    if (!status?.resources) return asked;
    const actual = usageFrom(status.resources.limits);
    return infeasible(pod) ? actual : largest(asked, actual);
  });
  const whole = withPodLevel(total, pod.spec?.resources?.limits);
  if (options.withoutOverhead) return whole;
  for (const [name, amount] of usageFrom(pod.spec?.overhead)) {
    const limit = whole.get(name);
    if (limit && limit.sign() !== 0) whole.set(name, limit.add(amount));
  }
  return whole;
}
