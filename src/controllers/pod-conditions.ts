import type { Pod } from '#api';
import { Pod as PodKind } from '#api';
import { timestamp } from '#machinery/clock';
import { isNotFound } from '#machinery/status';
import type { Condition } from './api-types.ts';
import { conditionOf } from './conditions.ts';
import type { ControllerContext } from './contract.ts';

/** Sets a condition of a pod, and its phase where given. Does nothing where both are so already, or the pod is gone. */
export async function setPodCondition(
  context: ControllerContext,
  pod: Pod,
  condition: Omit<Condition, 'lastTransitionTime'> | undefined,
  phase?: string,
): Promise<void> {
  const { name, namespace, uid, generation } = pod.metadata!;
  const status: Record<string, unknown> = {};
  if (condition) {
    const old = conditionOf(pod.status?.conditions, condition.type);
    const same = old && old.status === condition.status && old.reason === condition.reason && old.message === condition.message;
    if (!same) {
      const lastTransitionTime = old && old.status === condition.status ? old.lastTransitionTime : timestamp(context.clock);
      status['conditions'] = [{ ...condition, lastTransitionTime, ...(generation !== undefined && { observedGeneration: generation }) }];
    }
  }
  if (phase && pod.status?.phase !== phase) status['phase'] = phase;
  if (Object.keys(status).length === 0) return;
  try {
    await context.client.patch(
      PodKind,
      { namespace: namespace!, name: name! },
      'strategic',
      { metadata: { uid }, status },
      { subresource: 'status' },
    );
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
