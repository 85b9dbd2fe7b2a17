import { PodDisruptionBudget } from '#api';
import type { Pod } from '#api';
import { sleep, timestamp } from '#machinery/clock';
import { draft } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { labelSelectorFrom } from '#machinery/selectors';
import type { StatusError } from '#machinery/status';
import { badRequest, conflict, failure, forbidden, invalid, invalidField, isConflict, timeout, tooManyRequests } from '#machinery/status';
import type { Eviction } from '../../../api/facts/types.ts';
import type { ServerDependencies } from '../../contract.ts';
import type { DeleteOptions, EndpointFactory, Registry, RequestContext } from '../contract.ts';
import { setPodCondition } from './pod-condition.ts';
import { success } from './success.ts';

type Dependencies = ServerDependencies & { registry: Registry };

const tries = 20;
const pause = 500;
/** More evictions than this wait for the controller: something is wrong. upstream: MaxDisruptedPodSize. */
const disruptedLimit = 2000;
const violation = "Cannot evict pod as it would violate the pod's disruption budget.";

/** Runs `attempt` again on conflicts, half a second apart. */
async function retrying<T>({ clock }: Dependencies, context: RequestContext, attempt: () => Promise<T>): Promise<T> {
  for (let left = tries - 1; ; left--)
    try {
      return await attempt();
    } catch (error) {
      if (!isConflict(error) || left <= 0) throw error;
      await sleep(clock, pause, context.signal);
    }
}

function refusal(retryAfterSeconds: number, cause: string): StatusError {
  const error = tooManyRequests(violation, retryAfterSeconds);
  error.status.details!.causes = [{ reason: 'DisruptionBudget', message: cause }];
  return error;
}
const stillProcessing = (name: string): StatusError => refusal(10, `The disruption budget ${name} is still being processed by the server.`);

/** Deletes a pod where its disruption budget allows that. upstream: pkg/registry/core/pod/storage/eviction.go. */
export const podEviction: EndpointFactory = (dependencies) => ({
  group: '',
  resource: 'pods',
  subresource: 'eviction',
  async create(given, name, body) {
    const eviction = body as Eviction;
    if (eviction.metadata?.name !== name) throw badRequest('name in URL does not match name in Eviction object');
    const options = eviction.deleteOptions ?? {};
    if (options.ignoreStoreReadErrorWithClusterBreakingPotential) {
      const field = 'deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential';
      throw invalid({ group: 'policy', kind: 'Eviction' }, name, [
        invalidField(field, true, 'can not be set for pod eviction, try after removing the option'),
      ]);
    }
    const context: RequestContext = options.dryRun?.length ? { ...given, dryRun: true } : given;
    return evict(dependencies, context, name, options as DeleteOptions);
  },
});

async function evict(dependencies: Dependencies, context: RequestContext, name: string, options: DeleteOptions): Promise<KubeObject> {
  const pods = dependencies.registry.storage('', 'pods')!;
  const { namespace } = context.info;
  const asked = options.preconditions?.resourceVersion;
  const pinned = (pod: Pod): DeleteOptions => ({
    ...options,
    preconditions: { ...options.preconditions, resourceVersion: pod.metadata!.resourceVersion! },
  });
  const once = async (): Promise<Pod | undefined> => {
    const pod = (await pods.get(context, namespace, name)).object as Pod;
    if (!beyondBudgets(pod)) return pod;
    // A pending pod may become healthy meanwhile; one that has ended cannot.
    const watched = pod.status?.phase === 'Pending' && !pod.metadata?.deletionTimestamp;
    await markAndDelete(dependencies, context, name, watched && asked === undefined ? pinned(pod) : options);
    return undefined;
  };
  const pod = asked === undefined ? await retrying(dependencies, context, once) : await once();
  if (!pod) return success();

  const budgets = await budgetsOf(dependencies, pod);
  if (budgets.length > 1)
    throw failure(500, '', 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.');
  const [budget] = budgets;
  const free = budget !== undefined && unhealthyMayGo(pod, budget);
  if (budget && !free) await takeDisruption(dependencies, context, pod, budget);
  try {
    await markAndDelete(dependencies, context, name, free ? pinned(pod) : options);
  } catch (error) {
    if (free && asked === undefined && isConflict(error)) throw stillProcessing(budget.metadata!.name!);
    throw error;
  }
  return success();
}

/** Pods whose going disrupts nothing (any more, or yet). */
const beyondBudgets = (pod: Pod): boolean =>
  ['Succeeded', 'Failed', 'Pending'].includes(pod.status?.phase ?? '') || pod.metadata?.deletionTimestamp !== undefined;

function unhealthyMayGo(pod: Pod, { spec, status }: PodDisruptionBudget): boolean {
  if (pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True')) return false;
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const desired = status?.desiredHealthy ?? 0;
  return desired > 0 && (status?.currentHealthy ?? 0) >= desired;
}

async function budgetsOf({ client }: Dependencies, pod: Pod): Promise<PodDisruptionBudget[]> {
  const { items } = await client.list(PodDisruptionBudget, { namespace: pod.metadata!.namespace! });
  return items.filter(({ spec }) => {
    // Absent selects nothing, empty everything; one that cannot be read matches nothing.
    try {
      return labelSelectorFrom(spec?.selector).matches(pod.metadata?.labels ?? {});
    } catch {
      return false;
    }
  });
}

/** Counts one disruption on the budget, again from its newest state when someone else wrote it. */
async function takeDisruption(dependencies: Dependencies, context: RequestContext, pod: Pod, first: PodDisruptionBudget): Promise<void> {
  const { client, clock } = dependencies;
  const { namespace = '', name = '' } = first.metadata ?? {};
  let known: PodDisruptionBudget | undefined = first;
  try {
    await retrying(dependencies, context, async () => {
      const budget = draft(known ?? (await client.get(PodDisruptionBudget, { namespace, name })));
      known = undefined;
      checkDisruption(budget);
      const status = budget.status!;
      status.disruptionsAllowed -= 1;
      if (status.disruptionsAllowed === 0) withoutDisruptions(budget, timestamp(clock));
      if (context.dryRun) return;
      status.disruptedPods = { ...status.disruptedPods, [pod.metadata!.name!]: timestamp(clock) };
      await client.updateStatus(PodDisruptionBudget, budget);
    });
  } catch (error) {
    if (isConflict(error)) throw timeout(`couldn't update PodDisruptionBudget "${name}" due to conflicts`, 10);
    throw error;
  }
}

function checkDisruption(budget: PodDisruptionBudget): void {
  const { name = '', generation = 0 } = budget.metadata ?? {};
  const status = budget.status;
  const resource = { group: 'policy', resource: 'poddisruptionbudget' };
  if (!status || (status.observedGeneration ?? 0) < generation) throw stillProcessing(name);
  if (status.disruptionsAllowed < 0) throw forbidden(resource, name, 'pdb disruptions allowed is negative');
  if (Object.keys(status.disruptedPods ?? {}).length > disruptedLimit)
    throw forbidden(resource, name, 'DisruptedPods map too big - too many evictions not confirmed by PDB controller');
  if ((status.disruptionsAllowed ?? 0) > 0) return;
  const condition = status.conditions?.find(({ type }) => type === 'DisruptionAllowed');
  const said = condition?.status === 'False' && condition.message ? condition : undefined;
  const refused = `The disruption budget ${name} does not allow evicting pods currently`;
  if (said?.reason === 'SyncFailed') throw refusal(0, `${refused} because it failed sync: ${said.message}`);
  if (status.currentHealthy <= status.desiredHealthy)
    throw refusal(
      0,
      `The disruption budget ${name} needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`,
    );
  throw refusal(0, said ? `${refused} (${said.reason}): ${said.message}` : refused);
}

/** upstream: component-helpers/apps/poddisruptionbudget UpdateDisruptionAllowedCondition. */
function withoutDisruptions(budget: PodDisruptionBudget, now: string): void {
  const status = budget.status!;
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'DisruptionAllowed');
  const known = status.conditions?.find(({ type }) => type === 'DisruptionAllowed');
  status.conditions = [
    ...others,
    {
      type: 'DisruptionAllowed',
      status: 'False',
      reason: 'InsufficientPods',
      message: '',
      observedGeneration: status.observedGeneration ?? 0,
      lastTransitionTime: known?.status === 'False' ? known.lastTransitionTime : now,
    },
  ];
}

async function markAndDelete(dependencies: Dependencies, context: RequestContext, name: string, options: DeleteOptions): Promise<void> {
  const { registry, clock } = dependencies;
  const pods = registry.storage('', 'pods')!;
  const { namespace } = context.info;
  let toDelete = options;
  if (!context.dryRun) {
    const { object } = await pods.update(
      context,
      namespace,
      name,
      (old) => {
        checkPrecondition(old as Pod, options);
        const pod = draft(old as Pod);
        setPodCondition(
          pod,
          { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' },
          clock,
        );
        return pod;
      },
      'status',
    );
    if (options.preconditions?.resourceVersion !== undefined)
      toDelete = { ...options, preconditions: { ...options.preconditions, resourceVersion: object.metadata!.resourceVersion! } };
  }
  await pods.delete(context, namespace, name, toDelete);
}

function checkPrecondition(pod: Pod, { preconditions }: DeleteOptions): void {
  const { name = '', uid = '', resourceVersion = '' } = pod.metadata ?? {};
  const resource = { group: '', resource: 'Pod' };
  if (preconditions?.uid && preconditions.uid !== uid)
    throw conflict(
      resource,
      name,
      `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    );
  if (preconditions?.resourceVersion && preconditions.resourceVersion !== resourceVersion)
    throw conflict(
      resource,
      name,
      `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    );
}
