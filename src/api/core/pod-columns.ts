/** What `kubectl get pods` shows. upstream: printPod in pkg/printers/internalversion/printers.go. */
import type { Column } from '../contract.ts';
import type { Container, ContainerStatus, Pod } from '../facts/types.ts';
import { ageColumn, since, text } from '../columns.ts';

const isSidecar = (container: Container | undefined): boolean => container?.restartPolicy === 'Always';

const conditionIsTrue = (pod: Pod, type: string): boolean =>
  pod.status?.conditions?.find((condition) => condition.type === type)?.status === 'True';

function readyContainers(pod: Pod): string {
  const sidecars = new Set((pod.spec?.initContainers ?? []).filter(isSidecar).map((container) => container.name));
  const total = (pod.spec?.containers?.length ?? 0) + sidecars.size;
  let ready = 0;
  const failing = firstInitializing(pod);
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    if (index === failing) break;
    if (status.state?.terminated?.exitCode !== 0 && sidecars.has(status.name) && status.started && status.ready) ready++;
  }
  if (failing < 0 || conditionIsTrue(pod, 'Initialized'))
    for (const status of pod.status?.containerStatuses ?? []) if (countsAsRunning(status)) ready++;
  return `${ready}/${total}`;
}

const countsAsRunning = ({ state, ready }: ContainerStatus): boolean =>
  !state?.waiting?.reason && !state?.terminated && ready && state?.running !== undefined;

/** The init container the pod has not got past; -1 when it has got past all. */
function firstInitializing(pod: Pod): number {
  const statuses = pod.status?.initContainerStatuses;
  if (!statuses?.length) return -1;
  const byName = new Map((pod.spec?.initContainers ?? []).map((container) => [container.name, container]));
  return statuses.findIndex(
    (status) => !(status.state?.terminated?.exitCode === 0 || (isSidecar(byName.get(status.name)) && status.started === true)),
  );
}

function exitText(prefix: string, terminated: { reason?: string; signal?: number; exitCode: number }): string {
  if (terminated.reason) return prefix + terminated.reason;
  return terminated.signal ? `${prefix}Signal:${terminated.signal}` : `${prefix}ExitCode:${terminated.exitCode}`;
}

/** One word for how the pod is: its phase, or what a container says that is worth more. */
export function podReason(pod: Pod): string {
  const status = pod.status ?? {};
  let reason = status.reason || (status.phase ?? '');
  if (status.conditions?.some((condition) => condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated'))
    reason = 'SchedulingGated';
  const initializing = firstInitializing(pod);
  if (initializing >= 0) {
    const { state } = status.initContainerStatuses![initializing]!;
    if (state?.terminated) reason = exitText('Init:', state.terminated);
    else if (state?.waiting?.reason && state.waiting.reason !== 'PodInitializing') reason = `Init:${state.waiting.reason}`;
    else reason = `Init:${initializing}/${pod.spec?.initContainers?.length ?? 0}`;
  }
  if (initializing < 0 || conditionIsTrue(pod, 'Initialized')) {
    let running = false;
    let failure = '';
    for (const container of [...(status.containerStatuses ?? [])].reverse()) {
      const { state } = container;
      if (state?.waiting?.reason) reason = state.waiting.reason;
      else if (state?.terminated) {
        reason = exitText('', state.terminated);
        if (state.terminated.exitCode !== 0) failure = reason;
      } else if (countsAsRunning(container)) running = true;
    }
    if (reason === 'Completed') {
      if (running && conditionIsTrue(pod, 'Ready')) reason = 'Running';
      else if (failure) reason = failure;
      else if (running) reason = 'NotReady';
    }
  }
  if (pod.metadata?.deletionTimestamp) {
    if (status.reason === 'NodeLost') return 'Unknown';
    if (status.phase !== 'Succeeded' && status.phase !== 'Failed') return 'Terminating';
  }
  return reason;
}

function restarts(pod: Pod, now: number): string {
  const initializing = firstInitializing(pod);
  const initStatuses = pod.status?.initContainerStatuses ?? [];
  let counted: ContainerStatus[];
  if (initializing < 0 || conditionIsTrue(pod, 'Initialized')) {
    const sidecars = new Set((pod.spec?.initContainers ?? []).filter(isSidecar).map((container) => container.name));
    const seen = initializing < 0 ? initStatuses : initStatuses.slice(0, initializing + 1);
    counted = [...seen.filter((status) => sidecars.has(status.name)), ...(pod.status?.containerStatuses ?? [])];
  } else counted = initStatuses.slice(0, initializing + 1);
  let count = 0;
  let last = '';
  for (const status of counted) {
    count += status.restartCount ?? 0;
    const finished = status.lastState?.terminated?.finishedAt;
    if (finished && (!last || Date.parse(finished) > Date.parse(last))) last = finished;
  }
  return count && last ? `${count} (${since(last, now)} ago)` : String(count);
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates;
  if (!gates?.length) return '<none>';
  return `${gates.filter((gate) => conditionIsTrue(pod, gate.conditionType)).length}/${gates.length}`;
}

export const podColumns: Column<Pod>[] = [
  text('Ready', readyContainers),
  text('Status', podReason),
  text('Restarts', restarts),
  ageColumn,
  text('IP', (pod) => pod.status?.podIPs?.[0]?.ip || pod.status?.podIP || '<none>', 1),
  text('Node', (pod) => pod.spec?.nodeName || '<none>', 1),
  text('Nominated Node', (pod) => pod.status?.nominatedNodeName || '<none>', 1),
  text('Readiness Gates', readinessGates, 1),
];
