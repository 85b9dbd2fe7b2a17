/** upstream: ValidatePersistentVolume in pkg/apis/core/validation, pkg/volume/validation. */
import { fieldImmutable, nameIsDNSLabel, nameIsDNSSubdomain } from '#machinery/names';
import { isQuantity, parseQuantity } from '#machinery/quantity';
import {
  checkImmutable,
  checkLabel,
  checkSubdomain,
  forbiddenField,
  invalidField,
  invalidFor,
  required,
  requireText,
  unsupported,
} from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { CSIPersistentVolumeSource, PersistentVolume, PersistentVolumeSpec, VolumeNodeAffinity } from '../facts/types.ts';
import { difference, same } from '../same.ts';
import { checkNodeSelector, hasInvalidValue } from './validation/node-selector.ts';
import { checkNoBacksteps } from './validation/paths.ts';
import { checkAccessModes, volumeModes } from './validation/persistent-volume-claim.ts';
import { checkPositiveAmount } from './validation/resources.ts';
import {
  checkAzureDisk,
  checkCsiDriverName,
  checkDisk,
  checkFibreChannel,
  checkFlexVolume,
  checkFlocker,
  checkHostPath,
  checkIscsi,
  checkNfs,
  checkQuobyte,
  checkStorageOS,
} from './validation/volume-sources.ts';

type Source = Exclude<
  keyof PersistentVolumeSpec,
  | 'accessModes'
  | 'capacity'
  | 'claimRef'
  | 'mountOptions'
  | 'nodeAffinity'
  | 'persistentVolumeReclaimPolicy'
  | 'storageClassName'
  | 'volumeAttributesClassName'
  | 'volumeMode'
>;

function checkSecret(errors: Errors, path: string, secret: { name?: string; namespace?: string } | undefined): void {
  if (!secret) return;
  requireText(errors, `${path}.name`, secret.name);
  requireText(errors, `${path}.namespace`, secret.namespace);
}

function checkCsi(errors: Errors, path: string, source: CSIPersistentVolumeSource): void {
  checkCsiDriverName(errors, `${path}.driver`, source.driver);
  requireText(errors, `${path}.volumeHandle`, source.volumeHandle);
  for (const field of ['controllerPublishSecretRef', 'controllerExpandSecretRef', 'nodePublishSecretRef', 'nodeExpandSecretRef'] as const) {
    const secret = source[field];
    if (!secret) continue;
    if (!secret.name) errors.push(required(`${path}.${field}.name`));
    else checkSubdomain(errors, `${path}.${field}.name`, secret.name);
    if (!secret.namespace) errors.push(required(`${path}.${field}.namespace`));
    else checkLabel(errors, `${path}.${field}.namespace`, secret.namespace);
  }
}

/** In upstream's order: all after the first are refused. */
const sources: {
  [S in Source]?: (errors: Errors, path: string, source: NonNullable<PersistentVolumeSpec[S]>, name: string) => void;
} = {
  hostPath: checkHostPath,
  gcePersistentDisk: (errors, path, source) =>
    checkDisk(errors, path.replace(/gcePersistentDisk$/, 'persistentDisk'), 'pdName', source.pdName, source.partition),
  awsElasticBlockStore: (errors, path, source) => checkDisk(errors, path, 'volumeID', source.volumeID, source.partition),
  glusterfs: (errors, path, source) => {
    requireText(errors, `${path}.endpoints`, source.endpoints);
    requireText(errors, `${path}.path`, source.path);
    const namespace = source.endpointsNamespace;
    if (namespace === '')
      errors.push(
        invalidField(`${path}.endpointsNamespace`, namespace, 'if the endpointnamespace is set, it must be a valid namespace name'),
      );
    else if (namespace !== undefined) invalidFor(errors, `${path}.endpointsNamespace`, namespace, nameIsDNSLabel(namespace, false));
  },
  flocker: checkFlocker,
  nfs: checkNfs,
  rbd: (errors, path, source) => {
    if (!source.monitors?.length) errors.push(required(`${path}.monitors`));
    requireText(errors, `${path}.image`, source.image);
  },
  quobyte: checkQuobyte,
  cephfs: (errors, path, source) => {
    if (!source.monitors?.length) errors.push(required(`${path}.monitors`));
  },
  iscsi: (errors, path, source, name) => checkIscsi(errors, path, source, { name }),
  cinder: (errors, path, source) => {
    requireText(errors, `${path}.volumeID`, source.volumeID);
    checkSecret(errors, `${path}.secretRef`, source.secretRef);
  },
  fc: checkFibreChannel,
  flexVolume: checkFlexVolume,
  azureFile: (errors, path, source) => {
    requireText(errors, `${path}.secretName`, source.secretName);
    requireText(errors, `${path}.shareName`, source.shareName);
    if (source.secretNamespace === '') errors.push(required(`${path}.secretNamespace`));
  },
  vsphereVolume: (errors, path, source) => requireText(errors, `${path}.volumePath`, source.volumePath),
  photonPersistentDisk: (errors, path, source) => requireText(errors, `${path}.pdID`, source.pdID),
  portworxVolume: (errors, path, source) => requireText(errors, `${path}.volumeID`, source.volumeID),
  azureDisk: checkAzureDisk,
  scaleIO: (errors, path, source) => {
    requireText(errors, `${path}.gateway`, source.gateway);
    requireText(errors, `${path}.system`, source.system);
    requireText(errors, `${path}.volumeName`, source.volumeName);
  },
  local: (errors, path, source) => {
    requireText(errors, `${path}.path`, source.path);
    if (source.path) checkNoBacksteps(errors, `${path}.path`, source.path);
  },
  storageos: (errors, path, source) => checkStorageOS(errors, path, source, true),
  csi: checkCsi,
};
const order = Object.keys(sources) as Source[];

function checkSources(errors: Errors, path: string, spec: PersistentVolumeSpec, name: string): void {
  let found = 0;
  for (const source of order) {
    if (spec[source] == null) continue;
    if (found++ > 0)
      errors.push(forbiddenField(`${path}.${source === 'cephfs' ? 'cephFS' : source}`, 'may not specify more than 1 volume type'));
    else {
      (sources[source] as (errors: Errors, path: string, source: unknown, name: string) => void)(
        errors,
        `${path}.${source}`,
        spec[source],
        name,
      );
      if (source === 'local' && !spec.nodeAffinity) errors.push(required(`${path}.nodeAffinity`, 'Local volume requires node affinity'));
    }
  }
  if (found === 0) errors.push(required(path, 'must specify a volume type'));
}

function checkCapacity(errors: Errors, path: string, { capacity = {} }: PersistentVolumeSpec): void {
  const names = Object.keys(capacity);
  if (!names.length) errors.push(required(path));
  if (capacity['storage'] === undefined || names.length > 1) errors.push(unsupported(path, capacity, ['storage']));
  for (const name of names) {
    const value = capacity[name]!;
    if (isQuantity(value) && parseQuantity(value).value() < 0)
      errors.push(invalidField(`${path}[${name}]`, parseQuantity(value).value(), 'must be a valid resource quantity'));
    checkPositiveAmount(errors, `${path}[${name}]`, value);
  }
}

function checkNodeAffinity(
  errors: Errors,
  path: string,
  affinity: VolumeNodeAffinity | undefined,
  old: VolumeNodeAffinity | undefined,
): void {
  if (!affinity) return;
  if (!affinity.required) errors.push(required(`${path}.required`, 'must specify required node constraints'));
  else checkNodeSelector(errors, `${path}.required`, affinity.required, !hasInvalidValue(old?.required));
}

const policies = ['Delete', 'Recycle', 'Retain'];
const notInline = 'may not be specified in the context of inline volumes';

/** `inline`: the spec stands in a VolumeAttachment, where much of it has no place. upstream: ValidatePersistentVolumeSpec. */
export function checkVolumeSpec(
  errors: Errors,
  path: string,
  spec: PersistentVolumeSpec,
  name: string,
  inline = false,
  old?: PersistentVolumeSpec,
): void {
  const { persistentVolumeReclaimPolicy: policy, storageClassName, volumeMode, volumeAttributesClassName: attributes } = spec;
  if (inline) {
    if (spec.claimRef) errors.push(forbiddenField(`${path}.claimRef`, notInline));
    if (Object.keys(spec.capacity ?? {}).length) errors.push(forbiddenField(`${path}.capacity`, notInline));
    if (!spec.csi) errors.push(required(`${path}.csi`, 'has to be specified in the context of inline volumes'));
  }
  if (!spec.accessModes?.length) errors.push(required(`${path}.accessModes`));
  checkAccessModes(errors, `${path}.accessModes`, spec.accessModes);
  if (!inline) checkCapacity(errors, `${path}.capacity`, spec);
  const policyPath = `${path}.persistentVolumeReclaimPolicy`;
  if (policy && inline && policy !== 'Retain')
    errors.push(forbiddenField(policyPath, 'may only be Retain in the context of inline volumes'));
  else if (policy && !inline && !policies.includes(policy)) errors.push(unsupported(policyPath, policy, policies));
  if (inline && spec.nodeAffinity) errors.push(forbiddenField(`${path}.nodeAffinity`, notInline));
  else checkNodeAffinity(errors, `${path}.nodeAffinity`, spec.nodeAffinity, old?.nodeAffinity);
  checkSources(errors, path, spec, name);
  if (spec.hostPath && /^\/+(\.\/*)*$/.test(spec.hostPath.path) && policy === 'Recycle')
    errors.push(forbiddenField(policyPath, "may not be 'recycle' for a hostPath mount of '/'"));
  if (storageClassName) {
    if (inline) errors.push(forbiddenField(`${path}.storageClassName`, notInline));
    else invalidFor(errors, `${path}.storageClassName`, storageClassName, nameIsDNSSubdomain(storageClassName, false));
  }
  if (volumeMode !== undefined) {
    if (inline && volumeMode !== 'Filesystem')
      errors.push(
        forbiddenField(`${path}.volumeMode`, 'may not specify volumeMode other than Filesystem in the context of inline volumes'),
      );
    else if (!inline && !volumeModes.includes(volumeMode)) errors.push(unsupported(`${path}.volumeMode`, volumeMode, volumeModes));
  }
  if (attributes === undefined) return;
  if (attributes === '') errors.push(required(`${path}.volumeAttributesClassName`, 'an empty string is disallowed'));
  else invalidFor(errors, `${path}.volumeAttributesClassName`, attributes, nameIsDNSSubdomain(attributes, false));
  if (!spec.csi) errors.push(required(`${path}.csi`, 'has to be specified when using volumeAttributesClassName'));
}

export function validatePersistentVolume({ metadata, spec }: PersistentVolume, old?: PersistentVolume): Errors {
  const errors: Errors = [];
  checkVolumeSpec(errors, 'spec', spec ?? {}, metadata?.name ?? '', false, old?.spec);
  checkMountOptions(errors, metadata?.annotations?.[mountOptionsAnnotation], spec ?? {});
  return errors;
}

const mountOptionsAnnotation = 'volume.beta.kubernetes.io/mount-options';
const mountable = [
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'nfs',
  'rbd',
  'quobyte',
  'iscsi',
  'cephfs',
  'cinder',
  'azureFile',
  'vsphereVolume',
  'azureDisk',
  'photonPersistentDisk',
] as const;

function checkMountOptions(errors: Errors, annotation: string | undefined, spec: PersistentVolumeSpec): void {
  if (annotation === undefined || mountable.some((source) => spec[source])) return;
  errors.push(forbiddenField(`metadata.annotations.${mountOptionsAnnotation}`, 'may not specify mount options for this volume type'));
}

const sourceOf = (spec: PersistentVolumeSpec = {}): Record<string, unknown> =>
  Object.fromEntries(order.flatMap((source) => (spec[source] == null ? [] : [[source, spec[source]]])));

/** The beta labels of nodes may become the stable ones. */
const stableLabels: ReadonlyMap<string, string> = new Map([
  ['failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['failure-domain.beta.kubernetes.io/region', 'topology.kubernetes.io/region'],
  ['beta.kubernetes.io/os', 'kubernetes.io/os'],
  ['beta.kubernetes.io/arch', 'kubernetes.io/arch'],
  ['beta.kubernetes.io/instance-type', 'node.kubernetes.io/instance-type'],
]);

/** `old` with those beta labels that `affinity` writes the stable way. */
function stabilized(old: VolumeNodeAffinity, affinity: VolumeNodeAffinity | undefined): VolumeNodeAffinity {
  if (!old.required) return old;
  const nodeSelectorTerms = (old.required.nodeSelectorTerms ?? []).map((term, index) => {
    if (!term.matchExpressions) return term;
    const wanted = affinity?.required?.nodeSelectorTerms?.[index]?.matchExpressions;
    return {
      ...term,
      matchExpressions: term.matchExpressions.map((each, position) =>
        // Upstream's table gives the empty text for what it does not know.
        (stableLabels.get(each.key) ?? '') === wanted?.[position]?.key ? { ...each, key: wanted[position].key } : each,
      ),
    };
  });
  return { required: { nodeSelectorTerms } };
}

export function validatePersistentVolumeUpdate(volume: PersistentVolume, old: PersistentVolume): Errors {
  const errors = validatePersistentVolume(volume, old);
  const source = sourceOf(volume.spec);
  const before = sourceOf(old.spec);
  // The secret for expanding a volume may come later.
  const csi = source['csi'] as CSIPersistentVolumeSource | undefined;
  if (csi?.controllerExpandSecretRef && old.spec?.csi && !old.spec.csi.controllerExpandSecretRef) {
    const { controllerExpandSecretRef: _, ...rest } = csi;
    source['csi'] = rest;
  }
  if (!same(source, before))
    errors.push(
      forbiddenField(
        'spec.persistentvolumesource',
        `spec.persistentvolumesource is immutable after creation\n${difference(before, source)}`,
      ),
    );
  checkImmutable(errors, 'volumeMode', volume.spec?.volumeMode, old.spec?.volumeMode);
  const affinity = volume.spec?.nodeAffinity;
  if (old.spec?.nodeAffinity && !same(affinity, stabilized(old.spec.nodeAffinity, affinity)))
    errors.push(invalidField('nodeAffinity', affinity ?? null, `${fieldImmutable}, except for updating from beta label to GA`));
  if (old.spec?.volumeAttributesClassName !== undefined && volume.spec?.volumeAttributesClassName === undefined)
    errors.push(forbiddenField('spec.volumeAttributesClassName', 'update from non-nil value to nil is forbidden'));
  return errors;
}
