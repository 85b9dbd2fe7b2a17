import type { Pod } from '#api';
import type { Clock } from '#machinery/clock';
import { timestamp } from '#machinery/clock';

type PodCondition = NonNullable<NonNullable<Pod['status']>['conditions']>[number];

/** Sets a condition in `pod`, a copy to change; the transition time moves only with the status. upstream: pkg/api/pod UpdatePodCondition. */
export function setPodCondition(pod: Pod, condition: PodCondition, clock: Clock): void {
  const status = (pod.status ??= {});
  const conditions = (status.conditions ??= []);
  const at = conditions.findIndex((known) => known.type === condition.type);
  const known = conditions[at];
  const lastTransitionTime = known?.status === condition.status ? known.lastTransitionTime : timestamp(clock);
  const next = { lastProbeTime: null as never, ...condition, ...(lastTransitionTime && { lastTransitionTime }) };
  if (known) conditions[at] = next;
  else conditions.push(next);
}
