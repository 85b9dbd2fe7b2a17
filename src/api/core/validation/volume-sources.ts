/** What each volume source needs, shared by pods' volumes and persistent volumes. upstream: validate…VolumeSource in pkg/apis/core/validation. */
import { isDNS1123Subdomain, nameIsDNSSubdomain } from '#machinery/names';
import { checkLabel, invalidField, invalidFor, required, requireText, tooLong, unsupported } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type {
  AzureDiskVolumeSource,
  CSIVolumeSource,
  FCVolumeSource,
  FlockerVolumeSource,
  HostPathVolumeSource,
  ISCSIVolumeSource,
  KeyToPath,
  NFSVolumeSource,
  QuobyteVolumeSource,
} from '../../facts/types.ts';
import { checkFileMode, checkNoBacksteps, checkUnreservedPath } from './paths.ts';

const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];
const inByte = 'must be between 0 and 255, inclusive';
const diskPartition = 'must be between 1 and 255, inclusive';

export function checkHostPath(errors: Errors, path: string, source: HostPathVolumeSource): void {
  requireText(errors, `${path}.path`, source.path);
  if (!source.path) return;
  checkNoBacksteps(errors, `${path}.path`, source.path);
  if (source.type !== undefined && !hostPathTypes.includes(source.type))
    errors.push(unsupported(`${path}.type`, source.type, hostPathTypes));
}

/** A disk with a partition: GCE's and AWS'. */
export function checkDisk(errors: Errors, path: string, field: string, id: string | undefined, partition: number | undefined): void {
  requireText(errors, `${path}.${field}`, id);
  if (partition !== undefined && (partition < 0 || partition > 255))
    errors.push(invalidField(`${path}.partition`, partition, diskPartition));
}

const initiatorFormats: [string, RegExp][] = [
  ['iqn', /iqn\.\d{4}-\d{2}\.([a-zA-Z0-9\-.]+)(:[^,;*&$|\s]+)$/],
  ['eui', /^eui.[a-zA-Z0-9]{16}$/],
  ['naa', /^naa.[a-zA-Z0-9]{32}$/],
];

function checkInitiator(errors: Errors, path: string, name: string, startText: string): void {
  const format = initiatorFormats.find(([prefix]) => name.startsWith(prefix));
  if (!format) errors.push(invalidField(path, name, startText));
  else if (!format[1].test(name)) errors.push(invalidField(path, name, 'must be valid format'));
}

/** `volume`: the claim of a pod's volume, whose texts differ a little from a persistent volume's. */
export function checkIscsi(
  errors: Errors,
  path: string,
  source: Omit<ISCSIVolumeSource, 'secretRef'> & { secretRef?: { name?: string } },
  persistent?: { name: string },
): void {
  const startText = persistent ? 'must be valid format' : 'must be valid format starting with iqn, eui, or naa';
  requireText(errors, `${path}.targetPortal`, source.targetPortal);
  if (persistent && source.initiatorName !== undefined && `${persistent.name}:${source.targetPortal}`.length > 64)
    errors.push(invalidField(`${path}.targetportal`, source.targetPortal, iscsiNameTooLong));
  if (!source.iqn) errors.push(required(`${path}.iqn`));
  else checkInitiator(errors, `${path}.iqn`, source.iqn, startText);
  const lun = source.lun ?? 0;
  if (lun < 0 || lun > 255) errors.push(invalidField(`${path}.lun`, lun, inByte));
  if ((source.chapAuthDiscovery || source.chapAuthSession) && !source.secretRef) errors.push(required(`${path}.secretRef`));
  if (persistent && source.secretRef) requireText(errors, `${path}.secretRef.name`, source.secretRef.name);
  if (source.initiatorName !== undefined) checkInitiator(errors, `${path}.initiatorname`, source.initiatorName, startText);
}

export const iscsiNameTooLong =
  'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.';

export function checkFibreChannel(errors: Errors, path: string, { targetWWNs = [], wwids = [], lun }: FCVolumeSource): void {
  if (!targetWWNs.length && !wwids.length)
    errors.push(required(`${path}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both'));
  if (targetWWNs.length && wwids.length)
    errors.push(invalidField(`${path}.targetWWNs`, targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'));
  if (!targetWWNs.length) return;
  if (lun === undefined) errors.push(required(`${path}.lun`, 'lun is required if targetWWNs is specified'));
  else if (lun < 0 || lun > 255) errors.push(invalidField(`${path}.lun`, lun, inByte));
}

export function checkNfs(errors: Errors, path: string, source: NFSVolumeSource): void {
  requireText(errors, `${path}.server`, source.server);
  requireText(errors, `${path}.path`, source.path);
  if (!source.path?.startsWith('/')) errors.push(invalidField(`${path}.path`, source.path ?? '', 'must be an absolute path'));
}

export function checkQuobyte(errors: Errors, path: string, { registry, tenant, volume }: QuobyteVolumeSource): void {
  const pairs = 'must be a host:port pair or multiple pairs separated by commas';
  if (!registry) errors.push(required(`${path}.registry`, pairs));
  else if ((tenant ?? '').length >= 65)
    errors.push(required(`${path}.tenant`, 'must be a UUID and may not exceed a length of 64 characters'));
  else
    for (const pair of registry.split(','))
      if (!/^([^:[\]]*|\[[^\]]*\]):[^:]*$/.test(pair)) errors.push(invalidField(`${path}.registry`, registry, pairs));
  requireText(errors, `${path}.volume`, volume);
}

export function checkFlocker(errors: Errors, path: string, { datasetName, datasetUUID }: FlockerVolumeSource): void {
  if (!datasetName && !datasetUUID) errors.push(required(path, 'one of datasetName and datasetUUID is required'));
  if (datasetName && datasetUUID)
    errors.push(invalidField(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'));
  if (datasetName?.includes('/')) errors.push(invalidField(`${path}.datasetName`, datasetName, "must not contain '/'"));
}

export function checkFlexVolume(errors: Errors, path: string, source: { driver: string; options?: Record<string, string> }): void {
  requireText(errors, `${path}.driver`, source.driver);
  for (const key in source.options) {
    const namespace = `.${(key.includes('/') ? key.slice(0, key.indexOf('/')) : key).toLowerCase()}`;
    if (namespace.endsWith('.kubernetes.io') || namespace.endsWith('.k8s.io'))
      errors.push(invalidField(`${path}.options[${key}]`, key, 'kubernetes.io and k8s.io namespaces are reserved'));
  }
}

const diskIds = ['/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}'];
const blobUris = ['https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd'];

export function checkAzureDisk(errors: Errors, path: string, source: Partial<AzureDiskVolumeSource>): void {
  const { diskName, diskURI = '', cachingMode, kind } = source;
  requireText(errors, `${path}.diskName`, diskName);
  requireText(errors, `${path}.diskURI`, diskURI);
  const modes = ['None', 'ReadOnly', 'ReadWrite'];
  const kinds = ['Dedicated', 'Managed', 'Shared'];
  if (cachingMode !== undefined && !modes.includes(cachingMode)) errors.push(unsupported(`${path}.cachingMode`, cachingMode, modes));
  if (kind !== undefined && !kinds.includes(kind)) errors.push(unsupported(`${path}.kind`, kind, kinds));
  if (kind === 'Managed' && !diskURI.startsWith('/subscriptions/')) errors.push(unsupported(`${path}.diskURI`, diskURI, diskIds));
  if (kind !== undefined && kind !== 'Managed' && !diskURI.startsWith('https://'))
    errors.push(unsupported(`${path}.diskURI`, diskURI, blobUris));
}

/** `needsNamespace`: a persistent volume names its Secrets with their namespace. */
export function checkStorageOS(
  errors: Errors,
  path: string,
  source: { volumeName?: string; volumeNamespace?: string; secretRef?: { name?: string; namespace?: string } },
  needsNamespace = false,
): void {
  if (!source.volumeName) errors.push(required(`${path}.volumeName`));
  else checkLabel(errors, `${path}.volumeName`, source.volumeName);
  if (source.volumeNamespace) checkLabel(errors, `${path}.volumeNamespace`, source.volumeNamespace);
  if (!source.secretRef) return;
  requireText(errors, `${path}.secretRef.name`, source.secretRef.name);
  if (needsNamespace) requireText(errors, `${path}.secretRef.namespace`, source.secretRef.namespace);
}

const longestCsiDriver = 63;

/** upstream: ValidateCSIDriverName. */
export function checkCsiDriverName(errors: Errors, path: string, name: string | undefined): void {
  if (!name) {
    errors.push(required(path));
    return;
  }
  if (name.length > longestCsiDriver) errors.push(tooLong(path, longestCsiDriver));
  invalidFor(errors, path, name, isDNS1123Subdomain(name.toLowerCase()));
}

export function checkCsi(errors: Errors, path: string, source: CSIVolumeSource): void {
  checkCsiDriverName(errors, `${path}.driver`, source.driver);
  if (!source.nodePublishSecretRef) return;
  const { name } = source.nodePublishSecretRef;
  if (!name) errors.push(required(`${path}.nodePublishSecretRef.name`));
  else invalidFor(errors, `${path}.name`, name, nameIsDNSSubdomain(name, false));
}

export function checkKeysToPaths(errors: Errors, path: string, items: readonly KeyToPath[] | undefined): void {
  for (const [index, item] of (items ?? []).entries()) checkKeyToPath(errors, `${path}[${index}]`, item);
}

export function checkKeyToPath(errors: Errors, path: string, { key, path: file, mode }: KeyToPath): void {
  requireText(errors, `${path}.key`, key);
  requireText(errors, `${path}.path`, file);
  checkUnreservedPath(errors, `${path}.path`, file ?? '');
  checkFileMode(errors, `${path}.mode`, mode);
}
