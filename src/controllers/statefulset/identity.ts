import type { PersistentVolumeClaim, Pod, StatefulSet } from '#api';
import { StatefulSet as StatefulSetKind } from '#api';
import { draft } from '#machinery/meta';
import type { PodTemplateSpec } from '../api-types.ts';
import { revisionHashLabel } from '../controller-revision.ts';
import { podFromTemplate } from '../pod-control.ts';

/** Names, ordinals and storage of a StatefulSet's pods. upstream: pkg/controller/statefulset/stateful_set_utils.go. */

const podNameLabel = 'statefulset.kubernetes.io/pod-name';
const podIndexLabel = 'apps.kubernetes.io/pod-index';

export const replicas = (set: StatefulSet): number => set.spec!.replicas ?? 1;
export const firstOrdinal = (set: StatefulSet): number => set.spec!.ordinals?.start ?? 0;

/** The number at the end of a pod's name; -1 without one. */
export function ordinalOf(pod: Pod): number {
  const parts = /-(\d+)$/.exec(pod.metadata!.name!);
  return parts ? Number(parts[1]) : -1;
}

export const isInRange = (set: StatefulSet, pod: Pod): boolean => {
  const ordinal = ordinalOf(pod);
  return ordinal >= firstOrdinal(set) && ordinal < firstOrdinal(set) + replicas(set);
};

export const belongsTo = (set: StatefulSet, pod: Pod): boolean => /^(.*)-\d+$/.exec(pod.metadata!.name!)?.[1] === set.metadata!.name;

export const revisionOf = (pod: Pod): string => pod.metadata!.labels?.[revisionHashLabel] ?? '';

const claimName = (set: StatefulSet, template: PersistentVolumeClaim, ordinal: number): string =>
  `${template.metadata!.name}-${set.metadata!.name}-${ordinal}`;

/** The claims of a pod, by the name of their volume. */
export function claimsOf(set: StatefulSet, pod: Pod): Map<string, PersistentVolumeClaim> {
  const claims = new Map<string, PersistentVolumeClaim>();
  for (const template of set.spec!.volumeClaimTemplates ?? []) {
    const claim = draft(template);
    claim.apiVersion = 'v1';
    claim.kind = 'PersistentVolumeClaim';
    claim.metadata = {
      ...claim.metadata,
      name: claimName(set, template, ordinalOf(pod)),
      namespace: set.metadata!.namespace!,
      labels: { ...claim.metadata?.labels, ...set.spec!.selector.matchLabels },
    };
    delete claim.status;
    claims.set(template.metadata!.name!, claim);
  }
  return claims;
}

/** Gives the pod its labels. Changes `pod`. */
export function setIdentity(pod: Pod): void {
  const name = pod.metadata!.name!;
  pod.metadata!.labels = { ...pod.metadata!.labels, [podNameLabel]: name, [podIndexLabel]: String(ordinalOf(pod)) };
}

/** Puts the pod's claims into its volumes, in place of what the template has under their names. Changes `pod`. */
export function setStorage(set: StatefulSet, pod: Pod): void {
  const claims = claimsOf(set, pod);
  if (claims.size === 0) return;
  pod.spec!.volumes = [
    ...[...claims].map(([name, claim]) => ({ name, persistentVolumeClaim: { claimName: claim.metadata!.name! } })),
    ...(pod.spec!.volumes ?? []).filter(({ name }) => !claims.has(name)),
  ];
}

export const hasIdentity = (set: StatefulSet, pod: Pod): boolean =>
  belongsTo(set, pod) && pod.metadata!.labels?.[podNameLabel] === pod.metadata!.name;

export function hasStorage(set: StatefulSet, pod: Pod): boolean {
  for (const [name, claim] of claimsOf(set, pod))
    if (pod.spec!.volumes?.find((volume) => volume.name === name)?.persistentVolumeClaim?.claimName !== claim.metadata!.name) return false;
  return true;
}

/** The pod of an ordinal, of a revision. */
export function newPod(set: StatefulSet, template: PodTemplateSpec, ordinal: number, revision: string): Pod {
  const pod = podFromTemplate(template, set, StatefulSetKind);
  delete pod.metadata!.generateName;
  pod.metadata!.name = `${set.metadata!.name}-${ordinal}`;
  setIdentity(pod);
  pod.metadata!.labels![revisionHashLabel] = revision;
  pod.spec!.hostname = pod.metadata!.name;
  if (set.spec!.serviceName) pod.spec!.subdomain = set.spec!.serviceName;
  setStorage(set, pod);
  return pod;
}
