/** The volumes of a pod. upstream: ValidateVolumes, validateVolumeSource. */
import { nameIsDNSSubdomain } from '#machinery/names';
import { isQuantity, parseQuantity } from '#machinery/quantity';
import { checkLabel, duplicate, forbiddenField, invalidField, required, requireText } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { ObjectMeta, Volume } from '../../facts/types.ts';
import { checkPullPolicy } from './pull-policy.ts';
import { checkClaimTemplate } from './persistent-volume-claim.ts';
import { checkDescendingPath, checkFileMode } from './paths.ts';
import { checkDownwardFiles, checkProjected } from './projected-volume.ts';
import {
  checkAzureDisk,
  checkCsi,
  checkDisk,
  checkFibreChannel,
  checkFlexVolume,
  checkFlocker,
  checkHostPath,
  checkIscsi,
  checkKeysToPaths,
  checkNfs,
  checkQuobyte,
  checkStorageOS,
  iscsiNameTooLong,
} from './volume-sources.ts';

export interface VolumeChecks {
  /** A pod, not a template of one. */
  isPod: boolean;
  /** The pod's metadata, where there is a pod. */
  metadata?: ObjectMeta;
}

/** Sources in the order in which upstream looks for them: all after the first are refused. */
type Source = Exclude<keyof Volume, 'name'>;
const sources: {
  [S in Source]?: (errors: Errors, path: string, source: NonNullable<Volume[S]>, volume: Volume, checks: VolumeChecks) => void;
} = {
  emptyDir: (errors, path, { sizeLimit }) => {
    if (isQuantity(sizeLimit) && parseQuantity(sizeLimit!).sign() < 0)
      errors.push(forbiddenField(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity'));
  },
  hostPath: checkHostPath,
  gitRepo: (errors, path, source) => {
    requireText(errors, `${path}.repository`, source.repository);
    checkDescendingPath(errors, `${path}.directory`, source.directory ?? '');
  },
  gcePersistentDisk: (errors, path, source) =>
    checkDisk(errors, path.replace(/gcePersistentDisk$/, 'persistentDisk'), 'pdName', source.pdName, source.partition),
  awsElasticBlockStore: (errors, path, source) => checkDisk(errors, path, 'volumeID', source.volumeID, source.partition),
  secret: (errors, path, source) => {
    requireText(errors, `${path}.secretName`, source.secretName);
    checkFileMode(errors, `${path}.defaultMode`, source.defaultMode);
    checkKeysToPaths(errors, `${path}.items`, source.items);
  },
  nfs: checkNfs,
  iscsi: (errors, path, source, volume) => {
    checkIscsi(errors, path, source);
    if (source.initiatorName !== undefined && `${volume.name}:${source.targetPortal}`.length > 64)
      errors.push(invalidField(path.replace(/iscsi$/, 'name'), volume.name, iscsiNameTooLong));
  },
  glusterfs: (errors, path, source) => {
    requireText(errors, `${path}.endpoints`, source.endpoints);
    requireText(errors, `${path}.path`, source.path);
  },
  flocker: checkFlocker,
  persistentVolumeClaim: (errors, path, source) => requireText(errors, `${path}.claimName`, source.claimName),
  rbd: (errors, path, source) => {
    if (!source.monitors?.length) errors.push(required(`${path}.monitors`));
    requireText(errors, `${path}.image`, source.image);
  },
  cinder: (errors, path, source) => {
    requireText(errors, `${path}.volumeID`, source.volumeID);
    if (source.secretRef) requireText(errors, `${path}.secretRef.name`, source.secretRef.name);
  },
  cephfs: (errors, path, source) => {
    if (!source.monitors?.length) errors.push(required(`${path}.monitors`));
  },
  quobyte: checkQuobyte,
  downwardAPI: (errors, path, source) => {
    checkFileMode(errors, `${path}.defaultMode`, source.defaultMode);
    checkDownwardFiles(errors, path, source.items);
  },
  fc: checkFibreChannel,
  flexVolume: checkFlexVolume,
  configMap: (errors, path, source) => {
    requireText(errors, `${path}.name`, source.name);
    checkFileMode(errors, `${path}.defaultMode`, source.defaultMode);
    checkKeysToPaths(errors, `${path}.items`, source.items);
  },
  azureFile: (errors, path, source) => {
    requireText(errors, `${path}.secretName`, source.secretName);
    requireText(errors, `${path}.shareName`, source.shareName);
  },
  vsphereVolume: (errors, path, source) => requireText(errors, `${path}.volumePath`, source.volumePath),
  photonPersistentDisk: (errors, path, source) => requireText(errors, `${path}.pdID`, source.pdID),
  portworxVolume: (errors, path, source) => requireText(errors, `${path}.volumeID`, source.volumeID),
  azureDisk: checkAzureDisk,
  storageos: (errors, path, source) => checkStorageOS(errors, path, source),
  projected: (errors, path, source) => checkProjected(errors, path, source),
  scaleIO: (errors, path, source) => {
    requireText(errors, `${path}.gateway`, source.gateway);
    requireText(errors, `${path}.system`, source.system);
    requireText(errors, `${path}.volumeName`, source.volumeName);
  },
  csi: checkCsi,
  ephemeral: (errors, path, source, volume, { metadata }) => {
    if (!source.volumeClaimTemplate) errors.push(required(`${path}.volumeClaimTemplate`));
    else checkClaimTemplate(errors, `${path}.volumeClaimTemplate`, source.volumeClaimTemplate);
    if (!metadata?.name || !volume.name) return;
    const claim = `${metadata.name}-${volume.name}`;
    for (const message of nameIsDNSSubdomain(claim, false))
      errors.push(invalidField(path.replace(/ephemeral$/, 'name'), volume.name, `PVC name ${JSON.stringify(claim)}: ${message}`));
  },
  image: (errors, path, source, _volume, { isPod }) => {
    if (isPod) requireText(errors, `${path}.reference`, source.reference);
    checkPullPolicy(errors, `${path}.pullPolicy`, source.pullPolicy);
  },
};
const order = Object.keys(sources) as Source[];
/** Where upstream's refusal of a second source names it in its own way. */
const refusedName: Partial<Record<Source, string>> = { cephfs: 'cephFS', downwardAPI: 'downwarAPI' };

function checkSource(errors: Errors, path: string, volume: Volume, checks: VolumeChecks): void {
  // Almost every volume has exactly one source.
  let only: Source | undefined;
  let count = 0;
  for (const field in volume)
    if (field !== 'name' && volume[field as Source] != null) {
      only = field as Source;
      count++;
    }
  if (count === 0) errors.push(required(path, 'must specify a volume type'));
  else if (count === 1) checkOne(errors, `${path}.${only!}`, only!, volume, checks);
  else {
    let first = true;
    for (const source of order) {
      if (volume[source] == null) continue;
      if (first) checkOne(errors, `${path}.${source}`, source, volume, checks);
      else errors.push(forbiddenField(`${path}.${refusedName[source] ?? source}`, 'may not specify more than 1 volume type'));
      first = false;
    }
  }
}

function checkOne<S extends Source>(errors: Errors, path: string, source: S, volume: Volume, checks: VolumeChecks): void {
  sources[source]?.(errors, path, volume[source] as NonNullable<Volume[S]>, volume, checks);
}

/** Answers the volumes that containers may mount, by name. */
export function checkVolumes(
  errors: Errors,
  path: string,
  volumes: readonly Volume[] | undefined,
  checks: VolumeChecks,
): ReadonlyMap<string, Volume> {
  const known = new Map<string, Volume>();
  if (!volumes?.length) return known;
  const podName = checks.metadata?.name;
  const created = new Set(podName ? volumes.filter((volume) => volume.ephemeral).map((volume) => `${podName}-${volume.name}`) : []);
  for (const [index, volume] of volumes.entries()) {
    const at = `${path}[${index}]`;
    const before = errors.length;
    checkSource(errors, at, volume, checks);
    if (!volume.name) errors.push(required(`${at}.name`));
    else checkLabel(errors, `${at}.name`, volume.name);
    if (known.has(volume.name)) errors.push(duplicate(`${at}.name`, volume.name));
    if (errors.length === before) known.set(volume.name, volume);
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined && created.has(claim))
      errors.push(
        invalidField(`${at}.persistentVolumeClaim.claimName`, claim, 'must not reference a PVC that gets created for an ephemeral volume'),
      );
  }
  return known;
}
