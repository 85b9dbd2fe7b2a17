/** Volumes put together from several sources. upstream: validateProjectionSources, validateDownwardAPIVolumeFile. */
import { isDomainPrefixedKey, validateLabelSelector } from '#machinery/names';
import { forbiddenField, invalidField, required, requireText, tooLong, unsupported } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type {
  ClusterTrustBundleProjection,
  DownwardAPIVolumeFile,
  KeyToPath,
  PodCertificateProjection,
  ProjectedVolumeSource,
} from '../../facts/types.ts';
import { checkFieldRef, checkResourceFieldRef, volumeFields } from './env.ts';
import { checkFileMode, checkUnreservedPath } from './paths.ts';
import { checkSignerName, clusterTrustBundleNameErrors, isKubernetesSigner } from './signer-name.ts';
import { checkKeyToPath } from './volume-sources.ts';

function checkDownwardFile(errors: Errors, path: string, file: DownwardAPIVolumeFile): void {
  requireText(errors, `${path}.path`, file.path);
  checkUnreservedPath(errors, `${path}.path`, file.path ?? '');
  if (file.fieldRef) {
    checkFieldRef(errors, `${path}.fieldRef`, file.fieldRef, volumeFields);
    if (file.resourceFieldRef)
      errors.push(invalidField(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
  } else if (file.resourceFieldRef) checkResourceFieldRef(errors, `${path}.resourceFieldRef`, file.resourceFieldRef, true);
  else errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  checkFileMode(errors, `${path}.mode`, file.mode);
}

/** Upstream's paths do not count the files. */
export function checkDownwardFiles(errors: Errors, path: string, files: readonly DownwardAPIVolumeFile[] | undefined): void {
  for (const file of files ?? []) checkDownwardFile(errors, path, file);
}

export function checkProjected(errors: Errors, path: string, projected: ProjectedVolumeSource): void {
  checkFileMode(errors, `${path}.defaultMode`, projected.defaultMode);
  const taken = new Set<string>();
  const take = (file: string | undefined, shown: string): void => {
    if (file && taken.has(file)) errors.push(invalidField(path, shown, 'conflicting duplicate paths'));
    else if (file) taken.add(file);
  };
  const checkItems = (at: string, items: readonly KeyToPath[] | undefined, name: string | undefined): void => {
    for (const [index, item] of (items ?? []).entries()) {
      checkKeyToPath(errors, `${at}.items[${index}]`, item);
      take(item.path, name ?? '');
    }
  };
  for (const [index, source] of (projected.sources ?? []).entries()) {
    const at = `${path}.sources[${index}]`;
    let kinds = 0;
    for (const field of ['secret', 'configMap'] as const) {
      const projection = source[field];
      if (!projection) continue;
      kinds++;
      requireText(errors, `${at}.${field}.name`, projection.name);
      checkItems(`${at}.${field}`, projection.items, projection.name);
    }
    if (source.downwardAPI) {
      kinds++;
      for (const file of source.downwardAPI.items ?? []) {
        checkDownwardFile(errors, `${at}.downwardAPI`, file);
        take(file.path, file.path);
      }
    }
    if (source.serviceAccountToken) {
      kinds++;
      const { expirationSeconds = 3600, path: file } = source.serviceAccountToken;
      const expiration = `${at}.serviceAccountToken.expirationSeconds`;
      if (expirationSeconds < 600)
        errors.push(invalidField(expiration, expirationSeconds, 'may not specify a duration less than 10 minutes'));
      if (expirationSeconds > 2 ** 32)
        errors.push(invalidField(expiration, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'));
      if (!file) errors.push(required(`${path}.path`));
      else checkUnreservedPath(errors, `${path}.path`, file);
    }
    if (source.clusterTrustBundle) {
      kinds++;
      checkTrustBundle(errors, `${at}.clusterTrustBundle`, source.clusterTrustBundle);
      take(source.clusterTrustBundle.path, source.clusterTrustBundle.path);
    }
    if (source.podCertificate) {
      kinds++;
      checkPodCertificate(errors, `${at}.podCertificate`, source.podCertificate, take);
    }
    if (kinds > 1) errors.push(forbiddenField(at, 'may not specify more than 1 volume type per source'));
  }
}

function checkTrustBundle(errors: Errors, path: string, bundle: ClusterTrustBundleProjection): void {
  const { name, signerName, labelSelector, path: file } = bundle;
  if (name !== undefined && signerName !== undefined)
    errors.push(invalidField(path, bundle, 'only one of name and signerName may be used'));
  else if (name !== undefined) {
    if (name === '') errors.push(required(`${path}.name`, 'must be a valid object name'));
    for (const message of clusterTrustBundleNameErrors(name))
      errors.push(invalidField(`${path}.name`, name, `not a valid clustertrustbundlename: ${message}`));
    if (labelSelector)
      errors.push(invalidField(`${path}.labelSelector`, labelSelector, 'labelSelector must be unset if name is specified'));
  } else if (signerName !== undefined) {
    if (signerName === '') errors.push(required(`${path}.signerName`, 'must be a valid signer name'));
    checkSignerName(errors, `${path}.signerName`, signerName);
    errors.push(...validateLabelSelector(labelSelector, `${path}.labelSelector`));
  } else errors.push(required(path, 'either name or signerName must be specified'));
  requireText(errors, `${path}.path`, file);
  checkUnreservedPath(errors, `${path}.path`, file ?? '');
}

const keyTypes = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];
const largestAnnotations = 256 * 1024;

function checkPodCertificate(
  errors: Errors,
  path: string,
  certificate: PodCertificateProjection,
  take: (file: string | undefined, shown: string) => void,
): void {
  checkSignerName(errors, `${path}.signerName`, certificate.signerName);
  let size = 0;
  for (const [key, value] of Object.entries(certificate.userAnnotations ?? {})) {
    errors.push(...isDomainPrefixedKey(`${path}.userAnnotations`, key.toLowerCase()));
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > largestAnnotations) errors.push(tooLong(`${path}.userAnnotations`, largestAnnotations));
  if (!keyTypes.includes(certificate.keyType)) errors.push(unsupported(`${path}.keyType`, certificate.keyType, keyTypes));
  const seconds = certificate.maxExpirationSeconds;
  if (seconds !== undefined) {
    const most = isKubernetesSigner(certificate.signerName) ? 86400 : 91 * 86400;
    if (seconds < 3600)
      errors.push(invalidField(`${path}.maxExpirationSeconds`, seconds, 'if provided, maxExpirationSeconds must be >= 3600'));
    if (seconds > most)
      errors.push(invalidField(`${path}.maxExpirationSeconds`, seconds, `if provided, maxExpirationSeconds must be <= ${most}`));
  }
  let files = 0;
  for (const field of ['credentialBundlePath', 'keyPath', 'certificateChainPath'] as const) {
    const file = certificate[field];
    if (!file) continue;
    files++;
    checkUnreservedPath(errors, `${path}.${field}`, file);
    take(file, file);
  }
  if (files === 0) errors.push(required(path, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath'));
}
