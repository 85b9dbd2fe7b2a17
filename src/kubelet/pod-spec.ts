/** Questions about a pod's spec that many parts ask. upstream: pkg/api/v1/pod, pkg/kubelet/container/helpers.go. */
import type { Container, EphemeralContainer, Pod, PodCondition, PodSpec, ResourceRequirements } from '#api';

export const uidOf = (pod: Pod): string => pod.metadata?.uid ?? '';
export const nameOf = (pod: Pod): string => pod.metadata?.name ?? '';
export const namespaceOf = (pod: Pod): string => pod.metadata?.namespace ?? '';
/** "name_namespace(uid)", as upstream writes pods in texts. */
export const formatPod = (pod: Pod): string => `${nameOf(pod)}_${namespaceOf(pod)}(${uidOf(pod)})`;

const empty: PodSpec = { containers: [] };
export const specOf = (pod: Pod): PodSpec => pod.spec ?? empty;
export const initContainersOf = (pod: Pod): Container[] => specOf(pod).initContainers ?? [];
export const containersOf = (pod: Pod): Container[] => specOf(pod).containers ?? [];
export const ephemeralContainersOf = (pod: Pod): EphemeralContainer[] => specOf(pod).ephemeralContainers ?? [];

export function* allContainers(pod: Pod): Generator<Container> {
  yield* initContainersOf(pod);
  yield* containersOf(pod);
  yield* ephemeralContainersOf(pod);
}

export function containerOf(pod: Pod, name: string): Container | undefined {
  for (const container of allContainers(pod)) if (container.name === name) return container;
  return undefined;
}

/** "spec.containers{name}": what events about a container point at. */
export function fieldPathOf(pod: Pod, name: string): string {
  if (initContainersOf(pod).some((container) => container.name === name)) return `spec.initContainers{${name}}`;
  if (ephemeralContainersOf(pod).some((container) => container.name === name)) return `spec.ephemeralContainers{${name}}`;
  return `spec.containers{${name}}`;
}

/** A sidecar: an init container that keeps running. */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';
export const hasSidecar = (pod: Pod): boolean => initContainersOf(pod).some(isSidecar);
export const isHostNetwork = (pod: Pod): boolean => specOf(pod).hostNetwork === true;
export const isDeleted = (pod: Pod): boolean => pod.metadata?.deletionTimestamp !== undefined;
export const isTerminalPhase = (phase: string | undefined): boolean => phase === 'Succeeded' || phase === 'Failed';

export const configSourceAnnotation = 'kubernetes.io/config.source';
export const configMirrorAnnotation = 'kubernetes.io/config.mirror';
export const configHashAnnotation = 'kubernetes.io/config.hash';
export const configSeenAnnotation = 'kubernetes.io/config.seen';
export const isStaticPod = (pod: Pod): boolean => (pod.metadata?.annotations?.[configSourceAnnotation] ?? 'api') !== 'api';
export const isMirrorPod = (pod: Pod): boolean => pod.metadata?.annotations?.[configMirrorAnnotation] !== undefined;
/** Static, mirror and system-critical pods are admitted first and evicted last. upstream: pkg/kubelet/types IsCriticalPod. */
export const isCriticalPod = (pod: Pod): boolean => isStaticPod(pod) || isMirrorPod(pod) || (specOf(pod).priority ?? 0) >= 2_000_000_000;

/** The action of the first restart rule that matches an exit code. */
export function restartRuleAction(container: Container, exitCode: number): string | undefined {
  for (const rule of container.restartPolicyRules ?? []) {
    const codes = rule.exitCodes;
    if (!codes) continue;
    const listed = (codes.values ?? []).includes(exitCode);
    if ((codes.operator === 'In' && listed) || (codes.operator === 'NotIn' && !listed)) return rule.action;
  }
  return undefined;
}

/** Whether a container that ended with `exitCode` is to run again. upstream: pkg/api/v1/pod ContainerShouldRestart. */
export function shouldRestart(container: Container, pod: Pod, exitCode: number): boolean {
  if (container.restartPolicy !== undefined && restartRuleAction(container, exitCode) === 'Restart') return true;
  switch (container.restartPolicy ?? specOf(pod).restartPolicy) {
    case 'Never':
      return false;
    case 'OnFailure':
      return exitCode !== 0;
    default:
      return true;
  }
}

/** Whether any exit of a container could lead to a restart. upstream: IsContainerRestartable. */
export function isRestartable(container: Container, pod: Pod): boolean {
  if (container.restartPolicy !== undefined) {
    if ((container.restartPolicyRules ?? []).some((rule) => rule.action === 'Restart')) return true;
    return container.restartPolicy !== 'Never';
  }
  return specOf(pod).restartPolicy !== 'Never';
}

export const conditionOf = (conditions: readonly PodCondition[] | undefined, type: string): PodCondition | undefined =>
  conditions?.find((condition) => condition.type === type);

/** Resources set for the whole pod rather than its containers. */
export const podLevelResources = (pod: Pod): ResourceRequirements | undefined => {
  const resources = specOf(pod).resources;
  return resources && (resources.requests || resources.limits) ? resources : undefined;
};
