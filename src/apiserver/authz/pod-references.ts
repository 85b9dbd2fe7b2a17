import type { Pod } from '#api';

type PodSpec = NonNullable<Pod['spec']>;
type Volume = NonNullable<PodSpec['volumes']>[number];

/** Secrets and config maps that a volume takes its content from. */
function volumeReferences(volume: Volume, secret: (name?: string) => void, configMap: (name?: string) => void): void {
  secret(volume.secret?.secretName);
  configMap(volume.configMap?.name);
  for (const source of volume.projected?.sources ?? []) {
    secret(source.secret?.name);
    configMap(source.configMap?.name);
  }
  secret(volume.azureFile?.secretName);
  secret(volume.cephfs?.secretRef?.name);
  secret(volume.cinder?.secretRef?.name);
  secret(volume.flexVolume?.secretRef?.name);
  secret(volume.rbd?.secretRef?.name);
  secret(volume.scaleIO?.secretRef?.name);
  secret(volume.iscsi?.secretRef?.name);
  secret(volume.storageos?.secretRef?.name);
  secret(volume.csi?.nodePublishSecretRef?.name);
}

/** Names of the secrets and config maps a pod refers to. upstream: pkg/api/v1/pod VisitPodSecretNames, VisitPodConfigmapNames. */
export function namesOf(pod: Pod): { secrets: Set<string>; configMaps: Set<string> } {
  const secrets = new Set<string>();
  const configMaps = new Set<string>();
  const secret = (name?: string): void => void (name && secrets.add(name));
  const configMap = (name?: string): void => void (name && configMaps.add(name));
  const spec = pod.spec;
  for (const reference of spec?.imagePullSecrets ?? []) secret(reference.name);
  for (const container of [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])]) {
    for (const source of container.envFrom ?? []) {
      secret(source.secretRef?.name);
      configMap(source.configMapRef?.name);
    }
    for (const variable of container.env ?? []) {
      secret(variable.valueFrom?.secretKeyRef?.name);
      configMap(variable.valueFrom?.configMapKeyRef?.name);
    }
  }
  for (const volume of spec?.volumes ?? []) volumeReferences(volume, secret, configMap);
  return { secrets, configMaps };
}

/** Names of the claims behind a pod's volumes, generic ephemeral ones included. */
export const claimsOf = (pod: Pod): string[] =>
  (pod.spec?.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim) return [volume.persistentVolumeClaim.claimName];
    return volume.ephemeral ? [`${pod.metadata?.name}-${volume.name}`] : [];
  });

/** Names of the ResourceClaims of a pod that exist. upstream: dynamic-resource-allocation/resourceclaim Name. */
export function resourceClaimsOf(pod: Pod): string[] {
  const made = new Map((pod.status?.resourceClaimStatuses ?? []).map((status) => [status.name, status.resourceClaimName]));
  const names = (pod.spec?.resourceClaims ?? []).map((claim) => claim.resourceClaimName ?? made.get(claim.name));
  return [...names, pod.status?.extendedResourceClaimStatus?.resourceClaimName].filter(
    (name) => name !== undefined && name !== '',
  ) as string[];
}

/** What a pod on a node lets that node read, as index values: "secret:ns/name", … A mirror pod gives no access: the node itself made it. */
export function referencesOf(pod: Pod): string[] {
  if (!pod.spec?.nodeName || pod.metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined) return [];
  const namespace = pod.metadata?.namespace;
  const { secrets, configMaps } = namesOf(pod);
  return [
    ...[...secrets].map((name) => `secret:${namespace}/${name}`),
    ...[...configMaps].map((name) => `configmap:${namespace}/${name}`),
    ...claimsOf(pod).map((name) => `pvc:${namespace}/${name}`),
    ...resourceClaimsOf(pod).map((name) => `claim:${namespace}/${name}`),
    ...(pod.spec.serviceAccountName ? [`serviceaccount:${namespace}/${pod.spec.serviceAccountName}`] : []),
  ];
}
