/**
 * The labels and annotations by which containers are found again. They are upstream's, so that tools which read them, and
 * upstream's own kubelet, understand what runs. upstream: pkg/kubelet/kuberuntime/labels.go, pkg/kubelet/types/labels.go.
 */
import type { Container, Pod } from '#api';
import { nameOf, namespaceOf, specOf, uidOf } from '../pod-spec.ts';

export const labels = {
  pod: 'io.kubernetes.pod.name',
  namespace: 'io.kubernetes.pod.namespace',
  uid: 'io.kubernetes.pod.uid',
  container: 'io.kubernetes.container.name',
} as const;

export const annotations = {
  hash: 'io.kubernetes.container.hash',
  restartCount: 'io.kubernetes.container.restartCount',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  preStop: 'io.kubernetes.container.preStopHandler',
  ports: 'io.kubernetes.container.ports',
  deletionGracePeriod: 'io.kubernetes.pod.deletionGracePeriod',
  terminationGracePeriod: 'io.kubernetes.pod.terminationGracePeriod',
} as const;

export const sandboxLabels = (pod: Pod): Record<string, string> => ({
  ...pod.metadata?.labels,
  [labels.pod]: nameOf(pod),
  [labels.namespace]: namespaceOf(pod),
  [labels.uid]: uidOf(pod),
});

export const containerLabels = (pod: Pod, container: Container): Record<string, string> => ({
  [labels.pod]: nameOf(pod),
  [labels.namespace]: namespaceOf(pod),
  [labels.uid]: uidOf(pod),
  [labels.container]: container.name,
});

export function containerAnnotations(pod: Pod, container: Container, restartCount: number): Record<string, string> {
  const deletion = pod.metadata?.deletionGracePeriodSeconds;
  const grace = specOf(pod).terminationGracePeriodSeconds;
  return {
    [annotations.hash]: hashContainer(container),
    [annotations.restartCount]: String(restartCount),
    [annotations.terminationMessagePath]: container.terminationMessagePath ?? '',
    [annotations.terminationMessagePolicy]: container.terminationMessagePolicy ?? '',
    ...(deletion !== undefined && { [annotations.deletionGracePeriod]: String(deletion) }),
    ...(grace !== undefined && { [annotations.terminationGracePeriod]: String(grace) }),
    ...(container.lifecycle?.preStop && { [annotations.preStop]: JSON.stringify(container.lifecycle.preStop) }),
    ...(container.ports?.length && { [annotations.ports]: JSON.stringify(container.ports) }),
  };
}

/**
 * A change of name or image means another container. The value is upstream's: FNV-1a over the printed bytes of the JSON, in
 * hexadecimal (upstream: pkg/kubelet/container HashContainer), so that a change of kubelet restarts nothing.
 */
export function hashContainer(container: Container): string {
  const json = JSON.stringify({ image: container.image ?? '', name: container.name });
  const printed = `([]uint8)[${[...new TextEncoder().encode(json)].join(' ')}]`;
  let hash = 0x811c9dc5;
  for (let index = 0; index < printed.length; index++) hash = Math.imul(hash ^ printed.charCodeAt(index), 0x01000193) >>> 0;
  return hash.toString(16);
}
