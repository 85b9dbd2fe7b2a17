import { Pod, PodDisruptionBudget } from '#api';
import type { PodCondition } from '#api';
import { isNotFound } from '#machinery/status';
import { timestamp } from '#machinery/clock';
import type { NodeInfo } from '../cache/node-info.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import type { Handle, PluginFactory, PostFilterAnswer } from '../contract.ts';
import type { CycleState } from '../framework/cycle-state.ts';
import { action } from '../framework/events.ts';
import { fitErrorMessage, NodeStatuses } from '../framework/node-statuses.ts';
import { failed, unresolvable, unschedulable } from '../framework/status.ts';
import type { Status } from '../framework/status.ts';
import { labelSelector } from '../selector.ts';

const name = 'DefaultPreemption';

interface Candidate {
  nodeName: string;
  /** The most important first. */
  victims: PodInfo[];
  budgetViolations: number;
}

interface Args {
  minCandidateNodesPercentage?: number;
  minCandidateNodesAbsolute?: number;
}

const startOf = ({ pod }: PodInfo, now: number): number => (pod.status?.startTime ? Date.parse(pod.status.startTime) : now);

/** Priority, then who started earlier. upstream: pkg/scheduler/util MoreImportantPod. */
const moreImportant =
  (now: number) =>
  (a: PodInfo, b: PodInfo): number =>
    b.priority - a.priority || startOf(a, now) - startOf(b, now);

function terminatingByPreemption(pod: Pod): boolean {
  if (!pod.metadata?.deletionTimestamp) return false;
  const condition = pod.status?.conditions?.find((entry) => entry.type === 'DisruptionTarget');
  return condition?.status === 'True' && condition.reason === 'PreemptionByScheduler';
}

/** Splits pods (in order) into those whose eviction would break a budget and the others. */
function byBudgets(pods: readonly PodInfo[], budgets: readonly PodDisruptionBudget[]): { violating: PodInfo[]; others: PodInfo[] } {
  const allowed = budgets.map((budget) => budget.status?.disruptionsAllowed ?? 0);
  const selectors = budgets.map((budget) => labelSelector(budget.spec?.selector));
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const info of pods) {
    let breaks = false;
    const labels = info.pod.metadata?.labels;
    if (labels && Object.keys(labels).length > 0)
      for (const [index, budget] of budgets.entries()) {
        const selector = selectors[index]!;
        if (budget.metadata?.namespace !== info.namespace || selector.empty || !selector.matches(labels)) continue;
        if (budget.status?.disruptedPods?.[info.name] !== undefined) continue;
        if (--allowed[index]! < 0) breaks = true;
      }
    (breaks ? violating : others).push(info);
  }
  return { violating, others };
}

/** The best of several candidates. upstream: framework/preemption pickOneNodeForPreemption. */
function pick(candidates: readonly Candidate[], now: number): Candidate {
  const earliestOfMostImportant = ({ victims }: Candidate): number => {
    const highest = Math.max(...victims.map((victim) => victim.priority));
    return Math.min(...victims.filter((victim) => victim.priority === highest).map((victim) => startOf(victim, now)));
  };
  const rules: ((candidate: Candidate) => number)[] = [
    (candidate) => -candidate.budgetViolations,
    (candidate) => -candidate.victims[0]!.priority,
    (candidate) => -candidate.victims.reduce((sum, victim) => sum + victim.priority + 2 ** 31, 0),
    (candidate) => -candidate.victims.length,
    earliestOfMostImportant,
  ];
  let left = [...candidates];
  for (const rule of rules) {
    const best = Math.max(...left.map(rule));
    left = left.filter((candidate) => rule(candidate) === best);
    if (left.length === 1) break;
  }
  return left[0]!;
}

/**
 * Makes room for a pod that fits nowhere, by removing pods of lower priority: as few and unimportant as possible, sparing disruption
 * budgets where it can. The choice is made in the cycle; the removals run beside it, and meanwhile the pod stays out of the queue.
 * upstream: plugins/defaultpreemption, framework/preemption.
 */
export const defaultPreemption: PluginFactory = (handle, args: Args) => {
  const { cache, clock, random, informers } = handle;
  const pods = informers.for(Pod);
  const budgets = informers.for(PodDisruptionBudget);
  /** Preemptors at work → the victim that is removed last, once only that one is left. */
  const preempting = new Map<string, string | undefined>();

  function running(uid: string): boolean {
    if (!preempting.has(uid)) return false;
    const last = preempting.get(uid);
    if (last === undefined) return true;
    const victim = pods.get(last);
    return victim !== undefined && !victim.metadata?.deletionTimestamp;
  }

  function notEligible(pod: PodInfo, statuses: NodeStatuses): string | undefined {
    if (pod.pod.spec?.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
    const nominated = pod.pod.status?.nominatedNodeName;
    if (!nominated || statuses.get(nominated).code === 'unresolvable') return undefined;
    for (const victim of cache.get(nominated)?.pods.values() ?? [])
      if (victim.priority < pod.priority && terminatingByPreemption(victim.pod))
        return 'not eligible due to a terminating pod on the nominated node.';
    return undefined;
  }

  function victimsOn(state: CycleState, pod: PodInfo, node: NodeInfo): Candidate | Status {
    const what = node.clone();
    const stateCopy = state.clone();
    const remove = (victim: PodInfo): void => {
      what.removePod(victim.uid);
      handle.removePod(stateCopy, pod, victim, what);
    };
    const potential = [...what.pods.values()].filter((victim) => victim.priority < pod.priority);
    if (potential.length === 0) return unresolvable('No preemption victims found for incoming pod');
    for (const victim of potential) remove(victim);
    const status = handle.filterWithNominated(stateCopy, pod, what);
    if (status) return status;
    const order = moreImportant(clock.now());
    potential.sort(order);
    const { violating, others } = byBudgets(potential, budgets.list());
    const victims: PodInfo[] = [];
    let budgetViolations = 0;
    const reprieve = (victim: PodInfo): boolean => {
      what.addPod(victim);
      handle.addPod(stateCopy, pod, victim, what);
      if (!handle.filterWithNominated(stateCopy, pod, what)) return true;
      remove(victim);
      victims.push(victim);
      return false;
    };
    for (const victim of violating) if (!reprieve(victim)) budgetViolations++;
    for (const victim of others) reprieve(victim);
    if (victims.length === 0) return failed(new Error(`expected at least one victim pod on node "${node.name}"`));
    return { nodeName: node.name, victims: victims.sort(order), budgetViolations };
  }

  function findCandidates(state: CycleState, pod: PodInfo, statuses: NodeStatuses): { candidates: Candidate[]; outcomes: NodeStatuses } {
    const outcomes = new NodeStatuses();
    outcomes.absent = unresolvable('Preemption is not helpful for scheduling');
    const potential = cache.list().filter((node) => statuses.get(node.name).code === 'unschedulable');
    const candidates: Candidate[] = [];
    if (potential.length === 0) return { candidates, outcomes };
    const share = Math.trunc((potential.length * (args.minCandidateNodesPercentage ?? 10)) / 100);
    const enough = Math.min(potential.length, Math.max(share, args.minCandidateNodesAbsolute ?? 100));
    const offset = Math.floor(random.next() * potential.length);
    let harmless = 0;
    for (let turn = 0; turn < potential.length && !(harmless > 0 && candidates.length >= enough); turn++) {
      const node = potential[(offset + turn) % potential.length]!;
      const answer = victimsOn(state, pod, node);
      if ('victims' in answer) {
        candidates.push(answer);
        if (answer.budgetViolations === 0) harmless++;
      } else outcomes.set(node.name, answer);
    }
    return { candidates, outcomes };
  }

  async function preempt(preemptor: PodInfo, victim: PodInfo, nodeName: string): Promise<void> {
    const { namespace, name: victimName } = victim;
    const waiting = handle.waitingPod(victim.uid);
    if (waiting) waiting.reject(name, 'preempted');
    else {
      const condition: PodCondition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'PreemptionByScheduler',
        message: `${preemptor.pod.spec?.schedulerName ?? 'default-scheduler'}: preempting to accommodate a higher priority pod`,
        lastTransitionTime: timestamp(clock),
        ...(victim.pod.metadata?.generation !== undefined && { observedGeneration: victim.pod.metadata.generation }),
      };
      try {
        const options = { subresource: 'status' };
        await handle.client.patch(Pod, { namespace, name: victimName }, 'strategic', { status: { conditions: [condition] } }, options);
        await handle.client.delete(
          Pod,
          { namespace, name: victimName },
          victim.pod.metadata?.uid ? { preconditions: { uid: victim.pod.metadata.uid } } : {},
        );
      } catch (error) {
        if (isNotFound(error)) return;
        throw error;
      }
    }
    handle.events.record({
      regarding: victim.pod,
      related: preemptor.pod,
      type: 'Normal',
      reason: 'Preempted',
      action: 'Preempting',
      note: `Preempted by pod ${preemptor.uid} on node ${nodeName}`,
    });
  }

  async function carryOut(pod: PodInfo, { nodeName, victims }: Candidate): Promise<void> {
    const left = victims.filter((victim) => !victim.pod.metadata?.deletionTimestamp);
    await clearLowerNominations(handle, pod, nodeName);
    const last = left.pop();
    if (!last) return;
    await Promise.all(left.map((victim) => preempt(pod, victim, nodeName)));
    preempting.set(pod.uid, `${last.namespace}/${last.name}`);
    await preempt(pod, last, nodeName);
  }

  return {
    name,
    events: () => [{ event: { resource: 'Pod', actions: action.delete }, hint: () => 'skip' }],
    preEnqueue: (pod) =>
      running(pod.metadata?.uid ?? '') ? unresolvable('waiting for the preemption for this pod to be finished') : undefined,
    postFilter(state, pod, statuses): PostFilterAnswer {
      const told = (status: Status): Status => ({ ...status, reasons: status.reasons.map((reason) => `preemption: ${reason}`) });
      const why = notEligible(pod, statuses);
      if (why) return { status: told(unschedulable(why)) };
      const { candidates, outcomes } = findCandidates(state, pod, statuses);
      if (candidates.length === 0)
        return { status: told(unschedulable(fitErrorMessage(cache.list().length, outcomes))), nominatedNodeName: '' };
      const best = pick(candidates, clock.now());
      const removals = best.victims.some((victim) => !victim.pod.metadata?.deletionTimestamp);
      if (removals) {
        preempting.set(pod.uid, undefined);
        void carryOut(pod, best)
          .catch((error: unknown) => {
            handle.log.error('Preemption failed', { pod: `${pod.namespace}/${pod.name}`, node: best.nodeName, error });
            preempting.delete(pod.uid);
            handle.activate([pod.pod]);
          })
          .finally(() => preempting.delete(pod.uid));
      }
      return { nominatedNodeName: best.nodeName };
    },
  };
};

/** Pods of lower priority that were meant for this node look elsewhere now. */
async function clearLowerNominations(handle: Handle, pod: PodInfo, nodeName: string): Promise<void> {
  const lower = handle.nominatedPods(nodeName).filter((other) => other.priority < pod.priority && other.pod.status?.nominatedNodeName);
  await Promise.all(
    lower.map(async ({ namespace, name: podName }) => {
      const body = { status: { nominatedNodeName: null } };
      await handle.client.patch(Pod, { namespace, name: podName }, 'merge', body, { subresource: 'status' }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }),
  );
}
