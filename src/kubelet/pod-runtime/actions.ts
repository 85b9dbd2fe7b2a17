/**
 * What is to be done to bring a pod's containers from what the runtime shows to what the spec asks. Pure.
 * upstream: pkg/kubelet/kuberuntime computePodActions, computeInitContainerActions; pkg/kubelet/kuberuntime/util PodSandboxChanged.
 */
import type { Container, Pod } from '#api';
import { containersOf, ephemeralContainersOf, initContainersOf, isHostNetwork, isSidecar, shouldRestart, specOf } from '../pod-spec.ts';
import { mustRun } from '../status/container-status.ts';
import { hashContainer } from './labels.ts';
import type { RuntimeContainer, RuntimePod } from './runtime-pod.ts';
import { newest, sandboxReady } from './runtime-pod.ts';

export type KillReason = 'StartupProbe' | 'LivenessProbe' | 'FailedPostStartHook' | 'Unknown' | '';
export type ProbeResult = 'success' | 'failure' | 'unknown';

export interface ContainerToKill {
  id: string;
  container: Container;
  message: string;
  reason: KillReason;
}

export interface ResizeRequest {
  container: Container;
  id: string;
}

export interface PodActions {
  /** Stop every container and the sandbox. */
  killPod: boolean;
  createSandbox: boolean;
  sandboxId: string;
  attempt: number;
  initToStart: Container[];
  toStart: Container[];
  ephemeralToStart: Container[];
  toKill: ContainerToKill[];
  /** Running containers whose resources are to change in place. */
  toResize: ResizeRequest[];
  /** A container restarts with other resources, so the pod's own change too. */
  resizePod: boolean;
}

/** What the probes and the record of resources say of a container. */
export interface ActionFacts {
  liveness(containerId: string): ProbeResult | undefined;
  startup(containerId: string): ProbeResult | undefined;
  /** How a running container's resources differ from its spec: not, in place, or so that it must restart. */
  resize?(pod: Pod, container: Container, running: RuntimeContainer): 'none' | 'in-place' | 'restart';
}

export function sandboxChange(pod: Pod, runtime: RuntimePod): { needed: boolean; attempt: number; id: string } {
  const latest = runtime.sandboxes[0];
  if (!latest) return { needed: true, attempt: 0, id: '' };
  const attempt = (latest.metadata?.attempt ?? 0) + 1;
  const ready = runtime.sandboxes.filter(sandboxReady).length;
  const id = latest.id ?? '';
  if (ready > 1 || !sandboxReady(latest)) return { needed: true, attempt, id };
  const network = latest.linux?.namespaces?.options?.network ?? 'POD';
  if (network !== (isHostNetwork(pod) ? 'NODE' : 'POD')) return { needed: true, attempt, id: '' };
  if (!isHostNetwork(pod) && !latest.network?.ip) return { needed: true, attempt, id };
  return { needed: false, attempt: latest.metadata?.attempt ?? 0, id };
}

const changed = (container: Container, status: RuntimeContainer): boolean => status.hash !== '' && status.hash !== hashContainer(container);

const failed = (status: RuntimeContainer): boolean => (status.state === 'exited' ? status.exitCode !== 0 : status.state === 'unknown');

/** Adds to `actions` what the init containers need; true once the pod is initialized. */
function initActions(pod: Pod, runtime: RuntimePod, facts: ActionFacts, actions: PodActions): boolean {
  const containers = initContainersOf(pod);
  if (containers.length === 0) return true;
  let initialized = containersOf(pod).some(({ name }) => ['created', 'running'].includes(newest(runtime, name)?.state ?? ''));
  let previously = initialized;
  const start: number[] = [];
  const kill = (container: Container, status: RuntimeContainer, message: string, reason: KillReason): void => {
    actions.toKill.push({ id: status.id, container, message, reason });
  };
  const giveUp = (): false => {
    actions.killPod = true;
    actions.initToStart = [];
    return false;
  };

  // From the last to the first: the last one that has a status tells how far the pod is.
  for (let index = containers.length - 1; index >= 0; index--) {
    const container = containers[index]!;
    const sidecar = isSidecar(container);
    const status = newest(runtime, container.name);
    if (!status) {
      if (previously && sidecar) start.push(index);
      continue;
    }
    if (previously && !sidecar) continue;
    const advance = (): void => {
      if (index === containers.length - 1) initialized = true;
      else if (!previously) start.push(index + 1);
    };
    switch (status.state) {
      case 'created':
        start.push(index);
        break;
      case 'running': {
        if (!sidecar) break;
        if (container.startupProbe) {
          const startup = facts.startup(status.id);
          if (startup === undefined) break;
          if (startup !== 'success') {
            if (startup === 'failure') {
              kill(container, status, `Init container ${container.name} failed startup probe`, 'StartupProbe');
              start.push(index);
            }
            break;
          }
        }
        advance();
        if (changed(container, status)) {
          kill(container, status, `Init container ${container.name} definition changed`, '');
          start.push(index);
        } else if (container.livenessProbe && facts.liveness(status.id) === 'failure') {
          kill(container, status, `Init container ${container.name} failed liveness probe`, 'LivenessProbe');
          start.push(index);
        } else if (facts.resize) {
          const resize = facts.resize(pod, container, status);
          if (resize === 'in-place') actions.toResize.push({ container, id: status.id });
          else if (resize === 'restart') {
            kill(container, status, `Container ${container.name} resize requires restart`, '');
            start.push(index);
            actions.resizePod = true;
          }
        }
        break;
      }
      case 'exited':
        if (sidecar) start.push(index);
        else if (failed(status)) {
          if (!shouldRestart(container, pod, status.exitCode)) return giveUp();
          start.push(index);
        } else advance();
        break;
      default:
        if (!sidecar && (container.restartPolicy ?? specOf(pod).restartPolicy) === 'Never') return giveUp();
        kill(container, status, `Init container is in "unknown" state, try killing it before restart`, 'Unknown');
        start.push(index);
    }
    previously = true;
  }
  if (!previously) start.push(0);
  actions.initToStart = start.toReversed().map((index) => containers[index]!);
  return initialized;
}

export function computePodActions(pod: Pod, runtime: RuntimePod, facts: ActionFacts): PodActions {
  const sandbox = sandboxChange(pod, runtime);
  const actions: PodActions = {
    killPod: sandbox.needed,
    createSandbox: sandbox.needed,
    sandboxId: sandbox.id,
    attempt: sandbox.attempt,
    initToStart: [],
    toStart: [],
    ephemeralToStart: [],
    toKill: [],
    toResize: [],
    resizePod: false,
  };
  const restartsOnFailure = specOf(pod).restartPolicy !== 'Never';

  if (sandbox.needed) {
    if (!restartsOnFailure && sandbox.attempt !== 0 && runtime.containers.length > 0) {
      actions.createSandbox = false;
      return actions;
    }
    const toStart = containersOf(pod).filter((container) => {
      const once = (container.restartPolicy ?? specOf(pod).restartPolicy) === 'OnFailure';
      const status = newest(runtime, container.name);
      return !(once && status?.state === 'exited' && status.exitCode === 0);
    });
    if (
      toStart.length === 0 &&
      containersOf(pod).some(({ name }) => ['created', 'running', 'exited'].includes(newest(runtime, name)?.state ?? ''))
    ) {
      actions.createSandbox = false;
      return actions;
    }
    const [first] = initContainersOf(pod);
    if (first) actions.initToStart = [first];
    else actions.toStart = toStart;
    return actions;
  }

  actions.ephemeralToStart = ephemeralContainersOf(pod).filter(({ name }) => !newest(runtime, name));
  if (!initActions(pod, runtime, facts, actions)) return actions;

  let kept = 0;
  for (const container of containersOf(pod)) {
    const status = newest(runtime, container.name);
    if (status?.state !== 'running') {
      if (mustRun(container, pod, runtime)) {
        actions.toStart.push(container);
        if (status?.state === 'unknown')
          actions.toKill.push({
            id: status.id,
            container,
            message: 'Container is in "unknown" state, try killing it before restart',
            reason: 'Unknown',
          });
      }
      continue;
    }
    // Probe failures go by the policy alone: the container has no exit code for the rules to look at.
    let restart = container.restartPolicy === undefined ? restartsOnFailure : container.restartPolicy !== 'Never';
    let message: string;
    let reason: KillReason = '';
    if (changed(container, status)) {
      message = `Container ${container.name} definition changed`;
      restart = true;
    } else if (facts.liveness(status.id) === 'failure') {
      message = `Container ${container.name} failed liveness probe`;
      reason = 'LivenessProbe';
    } else if (facts.startup(status.id) === 'failure') {
      message = `Container ${container.name} failed startup probe`;
      reason = 'StartupProbe';
    } else {
      const resize = facts.resize?.(pod, container, status) ?? 'none';
      if (resize !== 'restart') {
        if (resize === 'in-place') actions.toResize.push({ container, id: status.id });
        kept++;
        continue;
      }
      actions.resizePod = true;
      actions.toStart.push(container);
      actions.toKill.push({ id: status.id, container, message: `Container ${container.name} resize requires restart`, reason: '' });
      continue;
    }
    if (restart) {
      message = `${message}, will be restarted`;
      actions.toStart.push(container);
    }
    actions.toKill.push({ id: status.id, container, message, reason });
  }
  if (kept === 0 && actions.toStart.length === 0) {
    actions.killPod = true;
    actions.initToStart = [];
  }
  return actions;
}
