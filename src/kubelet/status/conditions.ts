/** The conditions a kubelet keeps on a pod. upstream: pkg/kubelet/status/generate.go, pkg/kubelet/types/pod_status.go. */
import type { Container, ContainerStatus, Pod, PodCondition } from '#api';
import { conditionOf, containersOf, initContainersOf, isSidecar, specOf } from '../pod-spec.ts';

const owned = new Set([
  'PodScheduled',
  'Ready',
  'Initialized',
  'ContainersReady',
  'PodReadyToStartContainers',
  'PodResizePending',
  'PodResizeInProgress',
  'AllContainersRestarting',
]);
export const isKubeletCondition = (type: string): boolean => owned.has(type);

type Verdict = Pick<PodCondition, 'status' | 'reason' | 'message'>;

const terminalVerdict = (phase: string): Verdict => ({ status: 'False', reason: phase === 'Failed' ? 'PodFailed' : 'PodCompleted' });

export function makeCondition(pod: Pod, type: string, verdict: Verdict): PodCondition {
  const generation = pod.metadata?.generation;
  return {
    type,
    ...(generation !== undefined && { observedGeneration: generation }),
    status: verdict.status,
    ...(verdict.reason && { reason: verdict.reason }),
    ...(verdict.message && { message: verdict.message }),
  };
}

/** Lists as Go prints them: [a b]. */
const names = (list: string[]): string => `[${list.join(' ')}]`;

export function containersReady(pod: Pod, statuses: readonly ContainerStatus[] | undefined, phase: string): Verdict {
  if (!statuses) return { status: 'False', reason: 'UnknownContainerStatuses' };
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const unknown: string[] = [];
  const unready: string[] = [];
  const counted = [...initContainersOf(pod).filter(isSidecar), ...containersOf(pod)];
  for (const { name } of counted) {
    const status = byName.get(name);
    if (!status) unknown.push(name);
    else if (!status.ready) unready.push(name);
  }
  if (phase === 'Failed' || (phase === 'Succeeded' && unknown.length === 0)) return terminalVerdict(phase);
  const messages: string[] = [];
  if (unknown.length) messages.push(`containers with unknown status: ${names(unknown)}`);
  if (unready.length) messages.push(`containers with unready status: ${names(unready)}`);
  return messages.length ? { status: 'False', reason: 'ContainersNotReady', message: messages.join(', ') } : { status: 'True' };
}

export function podReady(
  pod: Pod,
  conditions: readonly PodCondition[],
  statuses: readonly ContainerStatus[] | undefined,
  phase: string,
): Verdict {
  const containers = containersReady(pod, statuses, phase);
  if (containers.status !== 'True') return containers;
  const messages: string[] = [];
  for (const { conditionType } of specOf(pod).readinessGates ?? []) {
    const condition = conditionOf(conditions, conditionType);
    if (!condition) messages.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    else if (condition.status !== 'True')
      messages.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`);
  }
  return messages.length ? { status: 'False', reason: 'ReadinessGatesNotReady', message: messages.join(', ') } : { status: 'True' };
}

const hasInitialized = (container: Container, status: ContainerStatus): boolean =>
  isSidecar(container) ? status.started === true : status.ready;

/** Some main container has run, so initialization is over whatever its containers say now. */
const anyMainStarted = (pod: Pod, statuses: readonly ContainerStatus[]): boolean => {
  const mains = new Set(containersOf(pod).map(({ name }) => name));
  return statuses.some(
    (status) => mains.has(status.name) && (status.lastState?.terminated || status.state?.running || status.state?.terminated),
  );
};

export function podInitialized(pod: Pod, statuses: readonly ContainerStatus[] | undefined, phase: string): Verdict {
  const containers = initContainersOf(pod);
  if (!statuses && containers.length) return { status: 'False', reason: 'UnknownContainerStatuses' };
  const byName = new Map((statuses ?? []).map((status) => [status.name, status]));
  const unknown: string[] = [];
  const incomplete: string[] = [];
  for (const container of containers) {
    const status = byName.get(container.name);
    if (!status) unknown.push(container.name);
    else if (!hasInitialized(container, status)) incomplete.push(container.name);
  }
  if (phase === 'Succeeded' && unknown.length === 0) return { status: 'True', reason: 'PodCompleted' };
  if (anyMainStarted(pod, statuses ?? [])) return { status: 'True' };
  const messages: string[] = [];
  if (unknown.length) messages.push(`containers with unknown status: ${names(unknown)}`);
  if (incomplete.length) messages.push(`containers with incomplete status: ${names(incomplete)}`);
  return messages.length ? { status: 'False', reason: 'ContainersNotInitialized', message: messages.join(', ') } : { status: 'True' };
}
