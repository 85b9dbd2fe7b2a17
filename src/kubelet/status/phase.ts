import type { ContainerStatus, Pod } from '#api';
import { containersOf, initContainersOf, isSidecar, isStaticPod, shouldRestart } from '../pod-spec.ts';

/** The phase that the containers' states make. upstream: pkg/kubelet/kubelet_pods.go getPhase. */
export function podPhase(pod: Pod, statuses: readonly ContainerStatus[], terminal: boolean, initialized: boolean): string {
  const byName = new Map(statuses.map((status) => [status.name, status]));
  let pendingInit = 0;
  let pendingSidecars = 0;
  let failedInit = 0;
  let unknown = 0;
  let running = 0;
  let waiting = 0;
  let stopped = 0;
  let stoppedForGood = 0;
  let succeeded = 0;

  for (const container of initContainersOf(pod)) {
    const status = byName.get(container.name);
    const state = status?.state ?? {};
    const last = status?.lastState?.terminated;
    if (isSidecar(container)) {
      if (!status) unknown++;
      else if (state.running) {
        if (!status.started) pendingSidecars++;
        running++;
      } else if (state.waiting) {
        if (!last) {
          pendingSidecars++;
          waiting++;
        }
      } else if (!state.terminated) {
        pendingSidecars++;
        unknown++;
      }
      continue;
    }
    const ended = state.terminated ?? (state.waiting ? last : undefined);
    if (!ended) pendingInit++;
    else if (ended.exitCode !== 0 && !shouldRestart(container, pod, ended.exitCode)) failedInit++;
  }

  for (const container of containersOf(pod)) {
    const status = byName.get(container.name);
    const state = status?.state ?? {};
    if (!status) unknown++;
    else if (state.running) running++;
    else if (state.terminated) {
      stopped++;
      if (!shouldRestart(container, pod, state.terminated.exitCode)) stoppedForGood++;
      if (state.terminated.exitCode === 0) succeeded++;
    } else if (state.waiting) {
      const last = status.lastState?.terminated;
      if (last) {
        stopped++;
        if (!shouldRestart(container, pod, last.exitCode)) stoppedForGood++;
      } else waiting++;
    } else unknown++;
  }

  if (failedInit > 0) return 'Failed';
  if (pendingInit > 0 || (pendingSidecars > 0 && !initialized) || waiting > 0) return 'Pending';
  if (running > 0 && unknown === 0) return 'Running';
  if (running === 0 && stopped > 0 && unknown === 0) {
    if (terminal && !isStaticPod(pod)) return stopped === succeeded ? 'Succeeded' : 'Failed';
    if (stopped !== stoppedForGood) return 'Running';
    return stopped === succeeded ? 'Succeeded' : 'Failed';
  }
  return 'Pending';
}
