import type { Kind, Pod, ReplicaSet, ReplicationController } from '#api';
import { Pod as PodKind } from '#api';
import { retryOnConflict } from '#client';
import { timestamp } from '#machinery/clock';
import { controllerOf, draft, equal, keyOf } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { Condition, PodTemplateSpec, ReplicaSetSpec } from './api-types.ts';
import { claim } from './claim.ts';
import { conditionOf, withCondition, withoutCondition } from './conditions.ts';
import type { Controller, ControllerContext } from './contract.ts';
import { source } from './contract.ts';
import { Expectations } from './expectations.ts';
import { controlledBy, indexByController, isControlledBy, ownerKeys } from './owner.ts';
import { createPod, deletePod, isNamespaceTerminating, messageOf, podFromTemplate } from './pod-control.ts';
import { inDeletionOrder, isPodActive, isPodAvailable, isPodReady, isPodTerminating, nextAvailability } from './pods.ts';
import type { Matcher } from './selector.ts';
import { matchesSet } from './selector.ts';
import { all, slowStart } from './slow-start.ts';

type Replicated = ReplicaSet | ReplicationController;
type Status = NonNullable<ReplicaSet['status']>;

export interface ReplicaManagerOptions<T extends Replicated> {
  name: string;
  serviceAccount: string;
  component: string;
  kind: Kind<T>;
  selectorOf(owner: T): Matcher;
  /** Whether status.terminatingReplicas is kept. */
  countTerminating: boolean;
}

/** So many pods are made or deleted in one go; the rest when the cache has shown them. */
const burst = 500;

const specOf = (owner: Replicated): ReplicaSetSpec => owner.spec as ReplicaSetSpec;
const replicasOf = (owner: Replicated): number => specOf(owner).replicas ?? 1;

/** Keeps as many pods as asked for; ReplicaSets and ReplicationControllers are run by it. upstream: pkg/controller/replicaset. */
export function replicaManager<T extends Replicated>(options: ReplicaManagerOptions<T>): Controller {
  const { kind, selectorOf } = options;
  let expectations: Expectations;

  const ownersOf = (pod: Pod, context: ControllerContext): string[] => {
    const owners = context.lister(kind);
    return ownerKeys(pod, kind, owners, (owner) => selectorOf(owner)(pod.metadata?.labels));
  };
  /** The key of the owner whose expectations a pod counts for. */
  const expectedBy = (pod: Pod): string | undefined => {
    const controller = controllerOf(pod);
    return controller?.kind === kind.kind ? `${pod.metadata!.namespace}/${controller.name}` : undefined;
  };

  const manage = async (context: ControllerContext, key: string, owner: T, active: readonly Pod[]): Promise<void> => {
    const difference = active.length - replicasOf(owner);
    if (difference < 0) {
      const count = Math.min(-difference, burst);
      expectations.expectCreations(key, count);
      const pod = podFromTemplate(specOf(owner).template as PodTemplateSpec, owner, kind as Kind);
      const { succeeded, error } = await slowStart(count, async () => {
        try {
          await createPod(context, owner, pod);
        } catch (error) {
          if (!isNamespaceTerminating(error)) throw error;
        }
      });
      if (succeeded < count) expectations.creationObserved(key, count - succeeded);
      if (error) throw error;
    } else if (difference > 0) {
      const doomed = chooseDoomed(context, owner, active, Math.min(difference, burst));
      expectations.expectDeletions(key, doomed.map(keyOf));
      await all(
        doomed.map((pod) =>
          deletePod(context, owner, pod).catch((error: unknown) => {
            expectations.deletionObserved(key, keyOf(pod));
            if (!isNotFound(error)) throw error;
          }),
        ),
      );
    }
  };

  /** Among pods that are otherwise equal, those go first whose node has most pods of the same Deployment. */
  const chooseDoomed = (context: ControllerContext, owner: T, active: readonly Pod[], count: number): Pod[] => {
    if (count >= active.length) return [...active];
    const parent = controllerOf(owner);
    const siblings = parent
      ? context
          .lister(kind)
          .list(owner.metadata!.namespace)
          .filter((each) => controllerOf(each)?.uid === parent.uid)
      : [owner];
    const onNode = new Map<string, number>();
    for (const pod of siblings.flatMap((sibling) => controlledBy(context.lister(PodKind), sibling)))
      if (isPodActive(pod)) onNode.set(pod.spec?.nodeName ?? '', (onNode.get(pod.spec?.nodeName ?? '') ?? 0) + 1);
    return inDeletionOrder(active, (node) => onNode.get(node) ?? 0, context.clock.now()).slice(0, count);
  };

  const statusOf = (context: ControllerContext, owner: T, active: Pod[], terminating: number, failed: unknown): Status => {
    const now = context.clock.now();
    const spec = specOf(owner);
    const fully = matchesSet(spec.template?.metadata?.labels);
    const ready = active.filter(isPodReady);
    let conditions: Condition[] | undefined = owner.status?.conditions;
    const failure = conditionOf(conditions, 'ReplicaFailure');
    if (failed !== undefined && !failure)
      conditions = withCondition(conditions, {
        type: 'ReplicaFailure',
        status: 'True',
        reason: active.length < replicasOf(owner) ? 'FailedCreate' : 'FailedDelete',
        message: messageOf(failed),
        lastTransitionTime: timestamp(context.clock),
      });
    else if (failed === undefined && failure) conditions = withoutCondition(conditions, 'ReplicaFailure');
    return {
      ...(owner.status as Status | undefined),
      replicas: active.length,
      fullyLabeledReplicas: active.filter((pod) => fully(pod.metadata?.labels)).length,
      readyReplicas: ready.length,
      availableReplicas: ready.filter((pod) => isPodAvailable(pod, spec.minReadySeconds ?? 0, now)).length,
      ...(options.countTerminating && { terminatingReplicas: terminating }),
      ...(conditions?.length ? { conditions } : { conditions: undefined }),
      observedGeneration: owner.metadata!.generation ?? 0,
    } as Status;
  };

  const counts = (status: Status | undefined): unknown => ({
    replicas: 0,
    fullyLabeledReplicas: 0,
    readyReplicas: 0,
    availableReplicas: 0,
    observedGeneration: 0,
    ...status,
  });

  return {
    name: options.name,
    serviceAccount: options.serviceAccount,
    component: options.component,
    watches: [
      source(kind),
      source(PodKind, {
        keys: ownersOf,
        delay: (key, context) => {
          const owner = context.lister(kind).get(key);
          return owner && replicasOf(owner) > 100 ? 20 : 0;
        },
      }),
    ],
    setup(context) {
      expectations = new Expectations(context.clock);
      const pods = indexByController(context.lister(PodKind));
      const subscription = pods.on({
        added: (pod) => {
          const key = expectedBy(pod);
          if (!key) return;
          expectations.creationObserved(key);
          if (pod.metadata!.deletionTimestamp) expectations.deletionObserved(key, keyOf(pod));
        },
        updated: (pod) => {
          const key = expectedBy(pod);
          if (key && pod.metadata!.deletionTimestamp) expectations.deletionObserved(key, keyOf(pod));
        },
        deleted: (pod) => {
          const key = expectedBy(pod);
          if (key) expectations.deletionObserved(key, keyOf(pod));
        },
      });
      return { [Symbol.asyncDispose]: async () => subscription[Symbol.dispose]() };
    },
    async reconcile(context, key) {
      const owner = context.lister(kind).get(key);
      if (!owner) {
        expectations.forget(key);
        return;
      }
      const unseen = expectations.remaining(key);
      const selector = selectorOf(owner);
      const pods = controlledBy(context.lister(PodKind), owner, true);
      const active = await claim(
        { client: context.client, kind: PodKind, owner, ownerKind: kind as Kind, selector },
        pods.filter(isPodActive),
      );
      const terminating = pods.filter(
        (pod) => isPodTerminating(pod) && isControlledBy(pod, owner) && selector(pod.metadata?.labels),
      ).length;
      let failed: unknown;
      if (unseen === 0 && !owner.metadata!.deletionTimestamp)
        await manage(context, key, owner, active).catch((error: unknown) => {
          failed = error ?? new Error('unknown failure');
        });
      const status = statusOf(context, owner, active, terminating, failed);
      if (!equal(counts(owner.status as Status), counts(status))) {
        let current = owner;
        let first = true;
        await retryOnConflict(async () => {
          if (!first) current = await context.client.get(kind, owner.metadata as { namespace: string; name: string });
          first = false;
          const next = draft(current);
          next.status = status as never;
          await context.client.updateStatus(kind, next);
        }, 2).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      }
      if (failed !== undefined) throw failed;
      const minReady = specOf(owner).minReadySeconds ?? 0;
      if (minReady > 0 && status.readyReplicas !== status.availableReplicas)
        return { requeueAfter: nextAvailability(active, minReady, context.clock.now()) ?? minReady * 1000 };
      return unseen > 0 ? { requeueAfter: unseen } : undefined;
    },
  };
}
