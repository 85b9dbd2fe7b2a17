import type { ContainerStatus, Pod, PodCondition, PodStatus } from '#api';
import { qosOf } from '../qos.ts';
import { conditionOf, containersOf, ephemeralContainersOf, initContainersOf, isHostNetwork, isTerminalPhase } from '../pod-spec.ts';
import { newest } from '../pod-runtime/runtime-pod.ts';
import { sandboxChange } from '../pod-runtime/actions.ts';
import { containersReady, isKubeletCondition, makeCondition, podInitialized, podReady } from './conditions.ts';
import type { StatusSource } from './container-status.ts';
import { containerStatuses } from './container-status.ts';
import { podPhase } from './phase.ts';

export interface PodStatusSource extends StatusSource {
  /** What the kubelet said last, or the API where it never did. */
  old: PodStatus;
  /** Every container has ended and none will be started. */
  terminal: boolean;
  nodeIps: readonly string[];
  /** Sets ready and started from the probes' results. Changes the statuses it is given. */
  applyProbes(pod: Pod, status: PodStatus): void;
  /** The node must get rid of the pod: active deadline, eviction. */
  evict?: { reason: string; message: string; disruption?: boolean } | undefined;
  /** PodResizePending, PodResizeInProgress. */
  resizeConditions?: PodCondition[];
}

const isV6 = (address: string): boolean => address.includes(':');

/** At most one address a family, the node's primary family first. */
export function sortedIps(ips: readonly string[], nodeIps: readonly string[]): string[] {
  const primary = isV6(nodeIps[0] ?? '');
  return [ips.find((ip) => isV6(ip) === primary), ips.find((ip) => isV6(ip) !== primary)].filter((ip) => ip !== undefined);
}

/** The status of a pod made from what the runtime shows. upstream: pkg/kubelet/kubelet_pods.go generateAPIPodStatus. */
export function podStatus(source: PodStatusSource): PodStatus {
  const { pod, runtime, old, nodeIps } = source;
  const init = containerStatuses(source, old.initContainerStatuses, initContainersOf(pod), 'init');
  const main = containerStatuses(source, old.containerStatuses, containersOf(pod), 'main');
  const ephemeral = containerStatuses(source, old.ephemeralContainerStatuses, ephemeralContainersOf(pod), 'ephemeral');
  const ips = sortedIps(runtime.ips, nodeIps);
  const status: PodStatus = {
    ...(ips.length && { podIP: ips[0]!, podIPs: ips.map((ip) => ({ ip })) }),
    qosClass: qosOf(pod),
    containerStatuses: main,
    ...(init.length && { initContainerStatuses: init }),
    ...(ephemeral.length && { ephemeralContainerStatuses: ephemeral }),
    ...(pod.metadata?.generation !== undefined && { observedGeneration: pod.metadata.generation }),
  };
  const anyMain = containersOf(pod).some(({ name }) => ['created', 'running', 'exited'].includes(newest(runtime, name)?.state ?? ''));

  // Started counts for the phase, so it must be known before; the probes look again once the phase is.
  source.applyProbes(pod, status);
  status.phase = podPhase(pod, [...main, ...init], source.terminal, anyMain);
  // A final phase is never taken back, nor changed for the other one.
  if (isTerminalPhase(old.phase)) status.phase = old.phase!;
  else if (isTerminalPhase(pod.status?.phase)) status.phase = pod.status!.phase!;
  if (status.phase === old.phase) {
    const reason = old.reason || pod.status?.reason;
    const message = old.message || pod.status?.message;
    if (reason) status.reason = reason;
    if (message) status.message = message;
  }
  if (source.evict) {
    status.phase = 'Failed';
    status.reason = source.evict.reason;
    status.message = source.evict.message;
  }
  if (isTerminalPhase(pod.status?.phase)) status.phase = pod.status!.phase!;

  const conditions: PodCondition[] = (pod.status?.conditions ?? []).filter(({ type }) => !isKubeletCondition(type));
  conditions.push(...(source.resizeConditions ?? []));
  const disruption = conditionOf(old.conditions, 'DisruptionTarget');
  if (disruption && !conditionOf(conditions, 'DisruptionTarget')) conditions.push(disruption);
  if (source.evict?.disruption && !conditionOf(conditions, 'DisruptionTarget'))
    conditions.push(
      makeCondition(pod, 'DisruptionTarget', { status: 'True', reason: 'TerminationByKubelet', message: source.evict.message }),
    );
  conditions.push(makeCondition(pod, 'PodReadyToStartContainers', { status: sandboxChange(pod, runtime).needed ? 'False' : 'True' }));
  const all: ContainerStatus[] = [...init, ...main];
  conditions.push(makeCondition(pod, 'Initialized', podInitialized(pod, all, status.phase)));
  conditions.push(makeCondition(pod, 'Ready', podReady(pod, conditions, all, status.phase)));
  conditions.push(makeCondition(pod, 'ContainersReady', containersReady(pod, all, status.phase)));
  conditions.push(makeCondition(pod, 'PodScheduled', { status: 'True' }));
  status.conditions = conditions;

  if (nodeIps.length) {
    status.hostIP = nodeIps[0]!;
    status.hostIPs = nodeIps.slice(0, 2).map((ip) => ({ ip }));
    if (isHostNetwork(pod)) {
      if (!status.podIP) {
        status.podIP = nodeIps[0]!;
        status.podIPs = [{ ip: nodeIps[0]! }];
      }
      if (nodeIps.length === 2 && status.podIPs?.length === 1 && isV6(status.podIPs[0]!.ip) !== isV6(nodeIps[1]!))
        status.podIPs = [...status.podIPs, { ip: nodeIps[1]! }];
    }
  }
  return status;
}
