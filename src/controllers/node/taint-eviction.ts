import type { Pod } from '#api';
import { Node as NodeKind, Pod as PodKind } from '#api';
import { keyOf } from '#machinery/meta';
import { tolerates } from '#machinery/selectors';
import { isNotFound } from '#machinery/status';
import type { Taint } from '../api-types.ts';
import type { ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { setPodCondition } from '../pod-conditions.ts';

const noExecute = (taints: readonly Taint[] | undefined): Taint[] => (taints ?? []).filter(({ effect }) => effect === 'NoExecute');

/** Milliseconds that a pod tolerates the taints; 0: not at all, undefined: for ever. */
function tolerated(pod: Pod, taints: readonly Taint[]): number | undefined {
  let least: number | undefined;
  for (const taint of taints) {
    const used = (pod.spec?.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    if (used.length === 0) return 0;
    for (const { tolerationSeconds } of used)
      if (tolerationSeconds !== undefined) least = Math.min(least ?? Infinity, Math.max(0, tolerationSeconds) * 1000);
  }
  return least;
}

/** Deletes pods from nodes whose NoExecute taints they do not, or no longer, tolerate. upstream: pkg/controller/tainteviction. */
export const taintEvictionController: ControllerFactory = () => {
  /** Pods with an appointment: since when (by our own clock). */
  const since = new Map<string, number>();
  return {
    name: 'taint-eviction-controller',
    serviceAccount: 'node-controller',
    workers: 8,
    watches: [
      source(PodKind, {
        when: (pod, old, event) =>
          event !== 'updated' ||
          old!.spec?.nodeName !== pod.spec?.nodeName ||
          old!.spec?.tolerations?.length !== pod.spec?.tolerations?.length ||
          JSON.stringify(old!.spec?.tolerations) !== JSON.stringify(pod.spec?.tolerations),
      }),
      source(NodeKind, {
        keys: (node, context) => context.lister(PodKind).byIndex('node', node.metadata!.name!).map(keyOf),
        when: (node, old) => JSON.stringify(noExecute(node.spec?.taints)) !== JSON.stringify(noExecute(old?.spec?.taints)),
      }),
    ],
    setup(context) {
      context.lister(PodKind).addIndex('node', (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
    },
    async reconcile(context, key) {
      const pod = context.lister(PodKind).get(key);
      const cancel = (): void => {
        if (since.delete(key) && pod) context.events.event(pod, 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${key}`);
      };
      const node = pod?.spec?.nodeName ? context.lister(NodeKind).get(pod.spec.nodeName) : undefined;
      if (!pod || !node || pod.metadata!.deletionTimestamp) {
        since.delete(key);
        return;
      }
      const taints = noExecute(node.spec?.taints);
      const time = taints.length ? tolerated(pod, taints) : undefined;
      if (time === undefined) return cancel();
      const begun = since.get(key) ?? context.clock.monotonic();
      since.set(key, begun);
      const left = begun + time - context.clock.monotonic();
      if (left > 0) return { requeueAfter: left };
      context.events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
      await setPodCondition(context, pod, {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByTaintManager',
        message: 'Taint manager: deleting due to NoExecute taint',
      });
      await context.client
        .delete(PodKind, pod.metadata as { namespace: string; name: string }, { preconditions: { uid: pod.metadata!.uid! } })
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      since.delete(key);
    },
  };
};
