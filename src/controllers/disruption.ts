import type { Kind, Pod, PodDisruptionBudget } from '#api';
import {
  CustomResourceDefinition as CustomResourceDefinitionKind,
  Deployment as DeploymentKind,
  Pod as PodKind,
  PodDisruptionBudget as BudgetKind,
  ReplicaSet as ReplicaSetKind,
  ReplicationController as ReplicationControllerKind,
  StatefulSet as StatefulSetKind,
} from '#api';
import { timestamp } from '#machinery/clock';
import type { KubeObject, OwnerReference } from '#machinery/meta';
import { controllerOf, equal, keyOf } from '#machinery/meta';
import { isConflict, isNotFound } from '#machinery/status';
import type { Condition } from './api-types.ts';
import { conditionOf, withoutCondition } from './conditions.ts';
import type { ControllerContext, ControllerFactory, Result } from './contract.ts';
import { source } from './contract.ts';
import { customKind } from './discovery.ts';
import { scaledValue } from './int-or-percent.ts';
import { messageOf } from './pod-control.ts';
import { setPodCondition } from './pod-conditions.ts';
import { isPodReady, isPodTerminal } from './pods.ts';
import { matches } from './selector.ts';

type BudgetStatus = NonNullable<PodDisruptionBudget['status']>;

/** A pod that was to be evicted counts as gone for so long. */
const evictionPatience = 2 * 60_000;
/** A pod still there so long after it was marked as a target of disruption is no target any more. */
const staleAfter = 2 * 60_000;
const stalePrefix = 'stale ';

const budgetsOf = (pod: Pod, context: ControllerContext): string[] =>
  context
    .lister(BudgetKind)
    .list(pod.metadata!.namespace)
    .filter((budget) => matches(budget.spec?.selector)(pod.metadata!.labels))
    .map(keyOf);

const budgetsIn = (object: KubeObject, context: ControllerContext): string[] =>
  context.lister(BudgetKind).list(object.metadata?.namespace).map(keyOf);

const sizeOf = (object: KubeObject | undefined): number | undefined =>
  (object as { spec?: { replicas?: number } } | undefined)?.spec?.replicas;
const resized = (object: KubeObject, old: KubeObject | undefined): boolean => sizeOf(object) !== sizeOf(old);

interface Scale {
  uid: string;
  count: number;
}

/** How many pods the controller of a pod wants. upstream: the finders of pkg/controller/disruption. */
async function scaleOf(context: ControllerContext, namespace: string, reference: OwnerReference): Promise<Scale | undefined> {
  const key = `${namespace}/${reference.name}`;
  const group = reference.apiVersion.includes('/') ? reference.apiVersion.split('/')[0] : '';
  const check = (kind: Kind<{ spec?: { replicas?: number }; metadata?: { uid?: string } }>): Scale | undefined => {
    const found = context.lister(kind).get(key);
    return found?.metadata!.uid === reference.uid ? { uid: reference.uid, count: found.spec?.replicas ?? 1 } : undefined;
  };
  if (group === 'apps' && reference.kind === 'ReplicaSet') {
    const set = context.lister(ReplicaSetKind).get(key);
    if (set?.metadata!.uid !== reference.uid) return undefined;
    const owner = controllerOf(set);
    if (owner?.kind === 'Deployment') {
      const deployment = context.lister(DeploymentKind).get(`${namespace}/${owner.name}`);
      return deployment?.metadata!.uid === owner.uid ? { uid: owner.uid, count: deployment.spec?.replicas ?? 1 } : undefined;
    }
    return { uid: reference.uid, count: set.spec?.replicas ?? 1 };
  }
  if (group === 'apps' && reference.kind === 'StatefulSet') return check(StatefulSetKind as never);
  if (group === '' && reference.kind === 'ReplicationController') return check(ReplicationControllerKind as never);
  const definition = context
    .lister(CustomResourceDefinitionKind)
    .list()
    .find((each) => each.spec.group === group && each.spec.names.kind === reference.kind);
  const kind = definition && customKind(definition);
  if (!kind) return undefined;
  try {
    const scale = (await context.client.get(kind, { namespace, name: reference.name }, { subresource: 'scale' })) as {
      spec?: { replicas?: number };
      metadata?: { uid?: string };
    };
    return scale.metadata?.uid === reference.uid ? { uid: reference.uid, count: scale.spec?.replicas ?? 0 } : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function expectedScale(context: ControllerContext, pods: readonly Pod[]): Promise<{ count: number; unmanaged: number }> {
  const counts = new Map<string, number>();
  const asked = new Set<string>();
  let unmanaged = 0;
  for (const pod of pods) {
    const reference = controllerOf(pod);
    if (!reference) {
      unmanaged++;
      continue;
    }
    if (asked.has(reference.uid)) continue;
    asked.add(reference.uid);
    const scale = await scaleOf(context, pod.metadata!.namespace!, reference);
    if (!scale) throw new Error(`found no controllers for pod "${pod.metadata!.name}"`);
    counts.set(scale.uid, scale.count);
  }
  return { count: [...counts.values()].reduce((total, count) => total + count, 0), unmanaged };
}

function allowedCondition(budget: PodDisruptionBudget, allowed: number, now: string, failure?: string): Condition[] {
  const old = (budget.status?.conditions ?? []) as Condition[];
  const status = failure === undefined && allowed > 0 ? 'True' : 'False';
  const reason = failure !== undefined ? 'SyncFailed' : allowed > 0 ? 'SufficientPods' : 'InsufficientPods';
  const before = conditionOf(old, 'DisruptionAllowed');
  const next: Condition = {
    type: 'DisruptionAllowed',
    status,
    reason,
    message: failure ?? '',
    observedGeneration: budget.metadata!.generation ?? 0,
    lastTransitionTime: before?.status === status && before.lastTransitionTime ? before.lastTransitionTime : now,
  };
  return before ? old.map((each) => (each === before ? next : each)) : [...withoutCondition(old, 'DisruptionAllowed'), next];
}

/** Says how many pods of a budget may be evicted now. upstream: pkg/controller/disruption. */
export const disruptionController: ControllerFactory = () => {
  const sync = async (context: ControllerContext, budget: PodDisruptionBudget): Promise<Result | undefined> => {
    const { spec, metadata } = budget;
    const selects = matches(spec!.selector);
    const pods = context
      .lister(PodKind)
      .list(metadata!.namespace)
      .filter((pod) => selects(pod.metadata!.labels));
    if (pods.length === 0) context.events.event(budget, 'Normal', 'NoPods', 'No matching pods found');
    let expected = 0;
    let desired = 0;
    let unmanaged = 0;
    if (spec!.maxUnavailable !== undefined) {
      ({ count: expected, unmanaged } = await expectedScale(context, pods));
      desired = Math.max(0, expected - scaledValue(spec!.maxUnavailable, expected, true));
    } else if (typeof spec!.minAvailable === 'number') {
      expected = pods.length;
      desired = spec!.minAvailable;
    } else if (spec!.minAvailable !== undefined) {
      ({ count: expected, unmanaged } = await expectedScale(context, pods));
      desired = scaledValue(spec!.minAvailable, expected, true);
    }
    if (unmanaged > 0)
      context.events.event(
        budget,
        'Warning',
        'UnmanagedPods',
        `Pods selected by this PodDisruptionBudget (selector: ${JSON.stringify(spec!.selector)}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`,
      );
    const now = context.clock.now();
    const disruptedPods: Record<string, string> = {};
    let recheck = Infinity;
    let healthy = 0;
    for (const pod of pods) {
      if (pod.metadata!.deletionTimestamp) continue;
      const at = budget.status?.disruptedPods?.[pod.metadata!.name!];
      const until = at === undefined ? 0 : Date.parse(at) + evictionPatience;
      if (at !== undefined && until >= now) {
        disruptedPods[pod.metadata!.name!] = at;
        recheck = Math.min(recheck, until - now);
        continue;
      }
      if (at !== undefined)
        context.events.event(
          pod,
          'Warning',
          'NotDeleted',
          `Pod was expected by PDB ${metadata!.namespace}/${metadata!.name} to be deleted but it wasn't`,
        );
      if (isPodReady(pod)) healthy++;
    }
    const allowed = expected <= 0 ? 0 : Math.max(0, healthy - desired);
    const status: BudgetStatus = {
      currentHealthy: healthy,
      desiredHealthy: desired,
      expectedPods: expected,
      disruptionsAllowed: allowed,
      ...(Object.keys(disruptedPods).length && { disruptedPods }),
      observedGeneration: metadata!.generation ?? 0,
      conditions: allowedCondition(budget, allowed, timestamp(context.clock)) as never,
    };
    const whole = (each: BudgetStatus | undefined): unknown => ({ ...each, disruptedPods: each?.disruptedPods ?? {} });
    if (!equal(whole(status), whole(budget.status))) await context.client.updateStatus(BudgetKind, { ...budget, status });
    return Number.isFinite(recheck) ? { requeueAfter: recheck + 1000 } : undefined;
  };

  const clearStale = async (context: ControllerContext, key: string): Promise<Result | undefined> => {
    const pod = context.lister(PodKind).get(key);
    const condition = conditionOf(pod?.status?.conditions as Condition[] | undefined, 'DisruptionTarget');
    if (!pod || pod.metadata!.deletionTimestamp || isPodTerminal(pod)) return undefined;
    if (condition?.status !== 'True' || condition.reason === 'TerminationByKubelet') return undefined;
    const left = Date.parse(condition.lastTransitionTime!) + staleAfter - context.clock.now();
    if (left > 0) return { requeueAfter: left };
    await setPodCondition(context, pod, { type: 'DisruptionTarget', status: 'False' });
    return undefined;
  };

  return {
    name: 'disruption-controller',
    serviceAccount: 'disruption-controller',
    component: 'controllermanager',
    watches: [
      source(BudgetKind, { when: (_budget, _old, event) => event !== 'deleted' }),
      source(PodKind, {
        keys: budgetsOf,
        when: (pod, _old, event, context) => {
          if (event !== 'deleted' && pod.status?.conditions?.some(({ type, status }) => type === 'DisruptionTarget' && status === 'True'))
            context.enqueue(stalePrefix + keyOf(pod));
          return true;
        },
      }),
      // A new size changes what percentages mean.
      source(DeploymentKind, { keys: budgetsIn, when: resized }),
      source(ReplicaSetKind, { keys: budgetsIn, when: resized }),
      source(StatefulSetKind, { keys: budgetsIn, when: resized }),
      source(ReplicationControllerKind, { keys: budgetsIn, when: resized }),
    ],
    setup(context) {
      context.lister(CustomResourceDefinitionKind);
    },
    async reconcile(context, key) {
      if (key.startsWith(stalePrefix)) return clearStale(context, key.slice(stalePrefix.length));
      const budget = context.lister(BudgetKind).get(key);
      if (!budget) return;
      try {
        return await sync(context, budget);
      } catch (error) {
        if (isConflict(error)) throw error;
        if (isNotFound(error)) return;
        // Rather no evictions than wrong ones.
        context.events.event(
          budget,
          'Warning',
          'CalculateExpectedPodCountFailed',
          `Failed to calculate the number of expected pods: ${messageOf(error)}`,
        );
        const status = {
          currentHealthy: 0,
          desiredHealthy: 0,
          expectedPods: 0,
          ...budget.status,
          disruptionsAllowed: 0,
          conditions: allowedCondition(budget, 0, timestamp(context.clock), messageOf(error)) as never,
        };
        if (!equal(status, budget.status)) await context.client.updateStatus(BudgetKind, { ...budget, status });
      }
    },
  };
};
