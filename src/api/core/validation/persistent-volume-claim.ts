/** The spec of a claim, alone or as a template. upstream: ValidatePersistentVolumeClaimSpec. */
import { isDNS1123Subdomain, nameIsDNSLabel, nameIsDNSSubdomain, validateAnnotations } from '#machinery/names';
import { isQuantity, parseQuantity } from '#machinery/quantity';
import { checkLabels, checkSelector, forbiddenField, invalidField, invalidFor, required, unsupported } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { ObjectMeta, PersistentVolumeClaimSpec, PersistentVolumeClaimTemplate, TypedObjectReference } from '../../facts/types.ts';
import { checkPositiveAmount, checkResourceAmount } from './resources.ts';

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const volumeModes = ['Block', 'Filesystem'];

export function checkAccessModes(errors: Errors, path: string, modes: readonly string[] | undefined): void {
  let single = false;
  let others = false;
  for (const mode of modes ?? []) {
    if (!accessModes.includes(mode)) errors.push(unsupported(path, mode, accessModes));
    else if (mode === 'ReadWriteOncePod') single = true;
    else others = true;
  }
  if (single && others) errors.push(forbiddenField(path, 'may not use ReadWriteOncePod with other access modes'));
}

export interface ClaimChecks {
  /** The stored object names a group already: what it is was settled then. */
  allowInvalidGroup?: boolean;
  allowInvalidLabelValue?: boolean;
}

export function checkClaimSpec(errors: Errors, path: string, spec: PersistentVolumeClaimSpec, checks: ClaimChecks = {}): void {
  if (!spec.accessModes?.length) errors.push(required(`${path}.accessModes`, 'at least 1 access mode is required'));
  checkSelector(errors, `${path}.selector`, spec.selector, { allowInvalidLabelValue: checks.allowInvalidLabelValue ?? false });
  checkAccessModes(errors, `${path}.accessModes`, spec.accessModes);
  const storage = spec.resources?.requests?.['storage'];
  const at = `${path}.resources[storage]`;
  if (storage === undefined) errors.push(required(at));
  else if (isQuantity(storage) && parseQuantity(storage).sign() > 0) checkResourceAmount(errors, at, 'storage', storage);
  else checkPositiveAmount(errors, at, storage);
  if (spec.storageClassName)
    invalidFor(errors, `${path}.storageClassName`, spec.storageClassName, nameIsDNSSubdomain(spec.storageClassName, false));
  if (spec.volumeMode !== undefined && !volumeModes.includes(spec.volumeMode))
    errors.push(unsupported(`${path}.volumeMode`, spec.volumeMode, volumeModes));
  const { dataSource, dataSourceRef } = spec;
  if (dataSource) checkDataSource(errors, `${path}.dataSource`, dataSource, checks);
  if (dataSourceRef) {
    checkDataSource(errors, `${path}.dataSourceRef`, dataSourceRef, checks);
    if (dataSourceRef.namespace)
      invalidFor(errors, `${path}.dataSourceRef.namespace`, dataSourceRef.namespace, nameIsDNSLabel(dataSourceRef.namespace, false));
  }
  // The value that upstream shows is a path, which its messages print as an object without fields.
  if (dataSource && dataSourceRef?.namespace)
    errors.push(invalidField(path, {}, 'may not be specified when dataSourceRef.namespace is specified'));
  else if (
    dataSource &&
    dataSourceRef &&
    (dataSource.apiGroup !== dataSourceRef.apiGroup || dataSource.kind !== dataSourceRef.kind || dataSource.name !== dataSourceRef.name)
  )
    errors.push(invalidField(path, {}, 'must match dataSourceRef'));
  if (spec.volumeAttributesClassName)
    invalidFor(
      errors,
      `${path}.volumeAttributesClassName`,
      spec.volumeAttributesClassName,
      nameIsDNSSubdomain(spec.volumeAttributesClassName, false),
    );
}

function checkDataSource(errors: Errors, path: string, { apiGroup, kind, name }: TypedObjectReference, checks: ClaimChecks): void {
  if (!name) errors.push(required(`${path}.name`));
  if (!kind) errors.push(required(`${path}.kind`));
  if (!apiGroup && kind !== 'PersistentVolumeClaim')
    errors.push(invalidField(path, kind ?? '', "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  if (apiGroup && !checks.allowInvalidGroup) invalidFor(errors, `${path}.apiGroup`, apiGroup, isDNS1123Subdomain(apiGroup));
}

/** The metadata of templates of claims: labels and annotations. upstream: ValidateTemplateObjectMeta. */
export function checkTemplateMetadata(errors: Errors, path: string, metadata: ObjectMeta | undefined): void {
  errors.push(...validateAnnotations(metadata?.annotations, `${path}.annotations`));
  checkLabels(errors, `${path}.labels`, metadata?.labels);
  for (const field in metadata) {
    if (field === 'annotations' || field === 'labels' || metadata[field as 'name'] == null || field === 'creationTimestamp') continue;
    errors.push(forbiddenField(`${path}.${field}`, 'cannot be set'));
  }
}

/** upstream: ValidatePersistentVolumeClaimTemplate. */
export function checkClaimTemplate(errors: Errors, path: string, { metadata, spec }: PersistentVolumeClaimTemplate): void {
  checkTemplateMetadata(errors, `${path}.metadata`, metadata);
  checkClaimSpec(errors, `${path}.spec`, spec ?? {});
}
