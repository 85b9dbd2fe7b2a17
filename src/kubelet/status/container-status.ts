/** Containers' statuses as the API shows them. upstream: pkg/kubelet/kubelet_pods.go convertToAPIContainerStatuses. */
import type { Container, ContainerState, ContainerStatus, Pod, ResourceRequirements, VolumeMountStatus } from '#api';
import { milliQuantity, milliValue, quantity } from '#machinery/quantity';
import { draft } from '#machinery/meta';
import { metaTime } from '../meta-time.ts';
import { containerOf, initContainersOf, isDeleted, shouldRestart, uidOf } from '../pod-spec.ts';
import type { RuntimeContainer, RuntimePod } from '../pod-runtime/runtime-pod.ts';
import { newest } from '../pod-runtime/runtime-pod.ts';
import { quotaToMilli, sharesToMilli } from '../resources/cpu.ts';

/** Why a container waits, as the last attempt to start it found. Keyed by "<uid>/<container>". */
export type WaitingReasons = ReadonlyMap<string, { reason: string; message: string }>;

export interface StatusSource {
  pod: Pod;
  runtime: RuntimePod;
  /** "containerd": ids are shown as "containerd://<id>". */
  runtimeName: string;
  reasons: WaitingReasons;
  /** Resources last given to a running container, where the runtime does not tell. */
  actuated?(uid: string, container: string): ResourceRequirements | undefined;
  recursiveReadOnly?: boolean;
}

/** Whether a container must run (again) given what the runtime shows. upstream: ShouldContainerBeRestarted. */
export function mustRun(container: Container, pod: Pod, runtime: RuntimePod): boolean {
  if (isDeleted(pod)) return false;
  const status = newest(runtime, container.name);
  if (!status) return true;
  if (status.state === 'running') return false;
  if (status.state === 'unknown' || status.state === 'created') return true;
  return shouldRestart(container, pod, status.exitCode);
}

const lost = (message: string): ContainerState => ({
  terminated: {
    reason: 'ContainerStatusUnknown',
    message,
    exitCode: 137,
    startedAt: null,
    finishedAt: null,
  } as ContainerState['terminated'] & object,
});

function stateOf(container: RuntimeContainer, id: string, old: ContainerStatus | undefined, waiting: string): ContainerState {
  switch (container.state) {
    case 'running':
      return { running: { startedAt: metaTime(container.startedAt) } };
    case 'exited':
      return {
        terminated: {
          exitCode: container.exitCode,
          ...(container.reason && { reason: container.reason }),
          ...(container.message && { message: container.message }),
          startedAt: metaTime(container.startedAt),
          finishedAt: metaTime(container.finishedAt),
          containerID: id,
        },
      };
    case 'unknown':
      return old?.state?.running
        ? lost('The container could not be located when the pod was terminated')
        : { waiting: { reason: waiting } };
    default:
      return { waiting: { reason: waiting } };
  }
}

/** What a running container really has, as far as the runtime or our own record tells. */
function shownResources(source: StatusSource, spec: Container, container: RuntimeContainer): ResourceRequirements {
  const shown = draft(spec.resources ?? {});
  if (container.state !== 'running') return shown;
  const linux = container.resources?.linux;
  const recorded = source.actuated?.(uidOf(source.pod), spec.name);
  const recordedLimits = recorded?.limits as Record<string, string> | undefined;
  const recordedRequests = recorded?.requests as Record<string, string> | undefined;
  const limits = shown.limits as Record<string, string> | undefined;
  const requests = shown.requests as Record<string, string> | undefined;
  if (limits) {
    const milli = linux?.cpuPeriod ? quotaToMilli(linux.cpuQuota ?? 0, linux.cpuPeriod) : 0;
    if (milli > 0) {
      // 10 m is the least the kernel can be told, so a smaller limit shows as asked for.
      if ((milli > 10 || milliValue(limits['cpu']) > 10) && milli !== milliValue(limits['cpu']))
        limits['cpu'] = milliQuantity(milli).toString();
    } else if (recordedLimits?.['cpu'] !== undefined) limits['cpu'] = recordedLimits['cpu'];
    if (linux?.memoryLimitInBytes) {
      const bytes = quantity(linux.memoryLimitInBytes, 'BinarySI');
      if (limits['memory'] === undefined || bytes.compare(limits['memory'] as never) !== 0) limits['memory'] = bytes.toString();
    } else if (recordedLimits?.['memory'] !== undefined) limits['memory'] = recordedLimits['memory'];
  }
  if (requests) {
    const milli = linux?.cpuShares ? sharesToMilli(linux.cpuShares) : 0;
    if (recordedRequests) {
      for (const name of ['cpu', 'memory']) if (recordedRequests[name] !== undefined) requests[name] = recordedRequests[name];
    } else if (milli > 2 && milliValue(requests['cpu']) > 2 && milli !== milliValue(requests['cpu']))
      requests['cpu'] = milliQuantity(milli).toString();
  }
  return shown;
}

function mountStatuses(container: Container, recursive: boolean): VolumeMountStatus[] {
  return (container.volumeMounts ?? []).map((mount) => {
    const mode = mount.readOnly
      ? mount.recursiveReadOnly === 'Enabled' || (mount.recursiveReadOnly === 'IfPossible' && recursive)
        ? 'Enabled'
        : 'Disabled'
      : undefined;
    return {
      name: mount.name,
      mountPath: mount.mountPath,
      ...(mount.readOnly && { readOnly: true }),
      ...(mode && { recursiveReadOnly: mode }),
    };
  });
}

function shownStatus(
  source: StatusSource,
  container: RuntimeContainer,
  old: ContainerStatus | undefined,
  waiting: string,
): ContainerStatus {
  const id = `${source.runtimeName}://${container.id}`;
  const spec = containerOf(source.pod, container.name);
  const state = stateOf(container, id, old, waiting);
  const status: ContainerStatus = {
    name: container.name,
    restartCount: state.terminated?.reason === 'ContainerStatusUnknown' ? (old?.restartCount ?? 0) + 1 : container.restartCount,
    // Some runtimes only know the image they were told to run by its digest.
    image: container.image.startsWith('sha256:') ? (spec?.image ?? container.image) : container.image,
    imageID: container.imageRef,
    containerID: id,
    ready: false,
    state,
    lastState: {},
    ...(old?.volumeMounts && { volumeMounts: old.volumeMounts }),
  };
  // Until a probe has spoken after a restart of the kubelet, what was known stays true.
  if (container.state === 'running' && old?.started !== undefined && old.containerID === id) status.started = old.started;
  if (spec) {
    status.resources = shownResources(source, spec, container);
    if (spec.resources?.requests) status.allocatedResources = spec.resources.requests;
  }
  const linux = container.user?.linux;
  if (linux)
    status.user = {
      linux: {
        uid: linux.uid ?? 0,
        gid: linux.gid ?? 0,
        ...(linux.supplementalGroups?.length && { supplementalGroups: linux.supplementalGroups }),
      },
    };
  if (container.stopSignal) status.stopSignal = container.stopSignal;
  return status;
}

export function containerStatuses(
  source: StatusSource,
  previous: readonly ContainerStatus[] | undefined,
  containers: readonly Container[],
  kind: 'init' | 'main' | 'ephemeral',
): ContainerStatus[] {
  const { pod, runtime } = source;
  const old = new Map((previous ?? []).map((status) => [status.name, status]));
  const reason = initContainersOf(pod).length ? 'PodInitializing' : 'ContainerCreating';
  const shown = new Map<string, ContainerStatus>();

  for (const container of containers) {
    const before = old.get(container.name);
    const mounts = mountStatuses(container, source.recursiveReadOnly ?? false);
    let status: ContainerStatus = {
      name: container.name,
      image: container.image ?? '',
      imageID: '',
      ready: false,
      restartCount: before?.restartCount ?? 0,
      state: { waiting: { reason } },
      lastState: before?.lastState ?? {},
      ...(mounts.length && { volumeMounts: mounts }),
    };
    if (before?.state?.terminated) status = draft(before);
    else if (before?.state?.running && !status.lastState?.terminated && !runtime.containers.some((item) => item.name === container.name)) {
      // It ran, and is gone without a trace.
      status.lastState = lost('The container could not be located when the pod was deleted.  The container used to be Running');
      if (!isDeleted(pod)) status.restartCount++;
    }
    shown.set(container.name, status);
  }

  // The newest container of a name gives its state, the one before it the last state.
  const seen = new Map<string, number>();
  for (const container of runtime.containers) {
    const status = shown.get(container.name);
    const count = seen.get(container.name) ?? 0;
    if (!status || count >= 2) continue;
    const next = shownStatus(source, container, old.get(container.name) ?? status, reason);
    if (count === 0) {
      if (!next.volumeMounts && status.volumeMounts) next.volumeMounts = status.volumeMounts;
      shown.set(container.name, next);
    } else status.lastState = next.state ?? {};
    seen.set(container.name, count + 1);
  }

  for (const container of containers) {
    const current = newest(runtime, container.name);
    if (kind === 'init' && current?.state === 'exited' && current.exitCode === 0) continue;
    if (!mustRun(container, pod, runtime)) continue;
    const waits = source.reasons.get(`${uidOf(pod)}/${container.name}`);
    if (!waits) continue;
    const status = shown.get(container.name)!;
    if (status.state?.terminated) status.lastState = status.state;
    status.state = { waiting: { reason: waits.reason, ...(waits.message && { message: waits.message }) } };
  }

  const list = containers.map((container) => shown.get(container.name)!);
  return kind === 'init' ? list : list.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
