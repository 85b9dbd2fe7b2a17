/** Defaults of a pod's spec, shared by pods and every pod template. upstream: pkg/apis/core/v1/defaults.go and zz_generated.defaults.go. */
import { canonicalResources } from './resource-list.ts';
import type { ResourceList } from './resource-list.ts';
import type {
  AzureDiskVolumeSource,
  Container,
  DownwardAPIVolumeFile,
  HTTPGetAction,
  ISCSIVolumeSource,
  PodSpec,
  PodTemplateSpec,
  Probe,
  RBDVolumeSource,
  ScaleIOVolumeSource,
  Volume,
} from '../facts/types.ts';

/** Changes `spec`. */
export function defaultPodSpec(spec: PodSpec): void {
  if (!spec.dnsPolicy) spec.dnsPolicy = 'ClusterFirst';
  if (!spec.restartPolicy) spec.restartPolicy = 'Always';
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  if (!spec.schedulerName) spec.schedulerName = 'default-scheduler';
  // The old name of the field and the new one always say the same; the new one wins. upstream: Convert_v1_PodSpec_To_core_PodSpec.
  if (!spec.serviceAccountName && spec.serviceAccount) spec.serviceAccountName = spec.serviceAccount;
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  if (spec.overhead) canonicalResources(spec.overhead);
  if (spec.resources) defaultResources(spec.resources);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const container of spec.initContainers ?? []) defaultContainer(container);
  for (const container of spec.containers ?? []) defaultContainer(container);
  for (const container of spec.ephemeralContainers ?? []) defaultContainer(container as Container);
}

/** Changes `template`. */
export function defaultPodTemplate(template: PodTemplateSpec | undefined): void {
  if (!template) return;
  defaultPodSpec((template.spec ??= { containers: [] }));
}

function defaultResources(resources: { limits?: ResourceList; requests?: ResourceList }): void {
  if (resources.limits) canonicalResources(resources.limits);
  if (resources.requests) canonicalResources(resources.requests);
}

function defaultContainer(container: Container): void {
  if (!container.imagePullPolicy) container.imagePullPolicy = pullPolicyOf(container.image);
  if (!container.terminationMessagePath) container.terminationMessagePath = '/dev/termination-log';
  if (!container.terminationMessagePolicy) container.terminationMessagePolicy = 'File';
  for (const port of container.ports ?? []) if (!port.protocol) port.protocol = 'TCP';
  for (const { valueFrom } of container.env ?? []) {
    if (!valueFrom) continue;
    if (valueFrom.fieldRef && !valueFrom.fieldRef.apiVersion) valueFrom.fieldRef.apiVersion = 'v1';
    if (valueFrom.fileKeyRef) valueFrom.fileKeyRef.optional ??= false;
  }
  if (container.resources) defaultResources(container.resources);
  else container.resources = {};
  if (container.livenessProbe) defaultProbe(container.livenessProbe);
  if (container.readinessProbe) defaultProbe(container.readinessProbe);
  if (container.startupProbe) defaultProbe(container.startupProbe);
  if (container.lifecycle) {
    if (container.lifecycle.postStart?.httpGet) defaultHttpGet(container.lifecycle.postStart.httpGet);
    if (container.lifecycle.preStop?.httpGet) defaultHttpGet(container.lifecycle.preStop.httpGet);
  }
}

function defaultProbe(probe: Probe): void {
  if (!probe.timeoutSeconds) probe.timeoutSeconds = 1;
  if (!probe.periodSeconds) probe.periodSeconds = 10;
  if (!probe.successThreshold) probe.successThreshold = 1;
  if (!probe.failureThreshold) probe.failureThreshold = 3;
  if (probe.httpGet) defaultHttpGet(probe.httpGet);
  if (probe.grpc) probe.grpc.service ??= '';
}

function defaultHttpGet(action: HTTPGetAction): void {
  if (!action.path) action.path = '/';
  if (!action.scheme) action.scheme = 'HTTP';
}

/** The part of an image reference after the name: its tag, "latest" without one, "" with only a digest. upstream: pkg/util/parsers. */
export function imageTag(image: string | undefined): string {
  if (!image) return '';
  const at = image.indexOf('@');
  const name = at < 0 ? image : image.slice(0, at);
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  if (colon >= 0) return name.slice(colon + 1);
  return at < 0 ? 'latest' : '';
}

/** An image whose name cannot be read has no tag that says latest. */
const pullPolicyOf = (image = ''): string =>
  imageTag(image) === 'latest' && (image === '' || readable.test(image)) ? 'Always' : 'IfNotPresent';
const readable = /^(?:[\w.-]+(?::\d+)?\/)?[a-z\d._-]+(?:\/[a-z\d._-]+)*(?::\w[\w.-]*)?(?:@[\w+.:-]+)?$/;

/** The mode bits files of a volume get: 0644. */
const defaultMode = 0o644;

export function defaultVolume(volume: Volume): void {
  let empty = true;
  for (const key in volume) {
    if (key === 'name' || volume[key as keyof Volume] == null) continue;
    empty = false;
    defaultVolumeSource(volume);
    break;
  }
  if (empty) volume.emptyDir = {};
}

function defaultVolumeSource(volume: Volume): void {
  if (volume.configMap) volume.configMap.defaultMode ??= defaultMode;
  else if (volume.projected) {
    volume.projected.defaultMode ??= defaultMode;
    for (const source of volume.projected.sources ?? []) {
      if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= 3600;
      if (source.downwardAPI) defaultFieldRefs(source.downwardAPI.items);
    }
  } else if (volume.secret) volume.secret.defaultMode ??= defaultMode;
  else if (volume.hostPath) volume.hostPath.type ??= '';
  else if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= defaultMode;
    defaultFieldRefs(volume.downwardAPI.items);
  } else if (volume.ephemeral?.volumeClaimTemplate) {
    const { spec } = volume.ephemeral.volumeClaimTemplate;
    if (spec) {
      spec.volumeMode ??= 'Filesystem';
      if (spec.resources) defaultResources(spec.resources);
    }
  } else if (volume.image) {
    if (!volume.image.pullPolicy) volume.image.pullPolicy = pullPolicyOf(volume.image.reference);
  } else if (volume.iscsi) defaultIscsi(volume.iscsi);
  else if (volume.rbd) defaultRbd(volume.rbd);
  else if (volume.azureDisk) defaultAzureDisk(volume.azureDisk);
  else if (volume.scaleIO) defaultScaleIO(volume.scaleIO);
}

function defaultFieldRefs(items: DownwardAPIVolumeFile[] | undefined): void {
  for (const { fieldRef } of items ?? []) if (fieldRef && !fieldRef.apiVersion) fieldRef.apiVersion = 'v1';
}

/** Defaults of the volume sources that persistent volumes have as well. */
export function defaultIscsi(iscsi: Pick<ISCSIVolumeSource, 'iscsiInterface'>): void {
  if (!iscsi.iscsiInterface) iscsi.iscsiInterface = 'default';
}
export function defaultRbd(rbd: Pick<RBDVolumeSource, 'pool' | 'user' | 'keyring'>): void {
  if (!rbd.pool) rbd.pool = 'rbd';
  if (!rbd.user) rbd.user = 'admin';
  if (!rbd.keyring) rbd.keyring = '/etc/ceph/keyring';
}
export function defaultAzureDisk(disk: AzureDiskVolumeSource): void {
  disk.cachingMode ??= 'ReadWrite';
  disk.fsType ??= 'ext4';
  disk.readOnly ??= false;
  disk.kind ??= 'Shared';
}
export function defaultScaleIO(scaleIO: Pick<ScaleIOVolumeSource, 'storageMode' | 'fsType'>): void {
  if (!scaleIO.storageMode) scaleIO.storageMode = 'ThinProvisioned';
  if (!scaleIO.fsType) scaleIO.fsType = 'xfs';
}
