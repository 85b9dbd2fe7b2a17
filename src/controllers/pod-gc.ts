import type { Pod } from '#api';
import { Node as NodeKind, Pod as PodKind } from '#api';
import { keyOf } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { Condition } from './api-types.ts';
import { isTrue } from './conditions.ts';
import type { ControllerContext, ControllerFactory } from './contract.ts';
import { source } from './contract.ts';
import { setPodCondition } from './pod-conditions.ts';
import { isPodTerminal } from './pods.ts';

const outOfServiceTaint = 'node.kubernetes.io/out-of-service';
/** A node must have been missing so long before its pods are given up: caches of nodes and pods may be a little apart. */
const quarantine = 40_000;
const terminatedKey = 'terminated';

async function remove(context: ControllerContext, pod: Pod, condition?: Condition): Promise<void> {
  if (!isPodTerminal(pod)) await setPodCondition(context, pod, condition, 'Failed');
  await context.client
    .delete(PodKind, pod.metadata as { namespace: string; name: string }, { gracePeriodSeconds: 0 })
    .catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
}

/** Pods that were evicted first, then the oldest. */
const cheapestFirst = (pods: readonly Pod[]): Pod[] => {
  const isEvicted = (pod: Pod): boolean => pod.status?.phase === 'Failed' && pod.status.reason === 'Evicted';
  return pods.toSorted((a, b) => {
    if (isEvicted(a) !== isEvicted(b)) return isEvicted(a) ? -1 : 1;
    const [one, other] = [a.metadata!.creationTimestamp!, b.metadata!.creationTimestamp!];
    return one < other ? -1 : one > other ? 1 : a.metadata!.name! < b.metadata!.name! ? -1 : 1;
  });
};

/** Removes pods that no kubelet will: of nodes that are gone, not yet scheduled, on nodes out of service, and ended ones beyond a number. upstream: pkg/controller/podgc. */
export const podGarbageCollectorController: ControllerFactory = () => {
  const missingSince = new Map<string, number>();
  let terminated = 0;
  return {
    name: 'pod-garbage-collector-controller',
    serviceAccount: 'pod-garbage-collector',
    watches: [
      source(PodKind, {
        when: (pod, _old, event) => event !== 'deleted' && Boolean(pod.metadata!.deletionTimestamp || pod.spec?.nodeName),
      }),
      source(NodeKind, {
        keys: (node, context) => context.lister(PodKind).byIndex('node', node.metadata!.name!).map(keyOf),
        when: (node, _old, event) => event === 'deleted' || node.spec?.taints?.some(({ key }) => key === outOfServiceTaint) === true,
      }),
    ],
    setup(context) {
      const pods = context.lister(PodKind);
      pods.addIndex('node', (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
      const count = (difference: number): void => {
        terminated += difference;
        if (difference > 0 && terminated > context.options.terminatedPodThreshold) context.enqueue(terminatedKey);
      };
      const subscription = pods.on({
        added: (pod) => count(isPodTerminal(pod) ? 1 : 0),
        updated: (pod, old) => count(Number(isPodTerminal(pod)) - Number(isPodTerminal(old))),
        deleted: (pod) => count(isPodTerminal(pod) ? -1 : 0),
      });
      return { [Symbol.asyncDispose]: async () => subscription[Symbol.dispose]() };
    },
    async reconcile(context, key) {
      const { clock, options } = context;
      if (key === terminatedKey) {
        const surplus = terminated - options.terminatedPodThreshold;
        if (options.terminatedPodThreshold <= 0 || surplus <= 0) return;
        const ended = cheapestFirst(context.lister(PodKind).list().filter(isPodTerminal)).slice(0, surplus);
        await Promise.all(ended.map((pod) => remove(context, pod)));
        return;
      }
      const pod = context.lister(PodKind).get(key);
      if (!pod) return;
      const { nodeName } = pod.spec!;
      if (!nodeName) {
        if (pod.metadata!.deletionTimestamp) await remove(context, pod);
        return;
      }
      const node = context.lister(NodeKind).get(nodeName);
      if (node) {
        missingSince.delete(nodeName);
        const outOfService =
          !isTrue(node.status?.conditions as Condition[], 'Ready') &&
          node.spec?.taints?.some(({ key: each }) => each === outOfServiceTaint);
        if (pod.metadata!.deletionTimestamp && outOfService) await remove(context, pod);
        return;
      }
      const since = missingSince.get(nodeName) ?? clock.monotonic();
      missingSince.set(nodeName, since);
      const left = since + quarantine - clock.monotonic();
      if (left > 0) return { requeueAfter: left };
      try {
        await context.client.get(NodeKind, { name: nodeName });
        missingSince.delete(nodeName);
        return;
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
      await remove(context, pod, {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByPodGC',
        message: 'PodGC: node no longer exists',
      });
    },
  };
};
