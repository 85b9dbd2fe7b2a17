/** upstream: ValidatePersistentVolumeClaim and updates of it in pkg/apis/core/validation. */
import { isQualifiedName, validateLabelSelector } from '#machinery/names';
import { compareQuantities, isQuantity, parseQuantity } from '#machinery/quantity';
import { checkImmutable, forbiddenField, invalidField, invalidFor, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec, Quantity } from '../facts/types.ts';
import { difference, same } from '../same.ts';
import { storageClassAnnotation } from './access-modes.ts';
import { isNativeResource } from './resource-list.ts';
import { checkClaimSpec } from './validation/persistent-volume-claim.ts';
import { checkResourceAmount } from './validation/resources.ts';

export function validatePersistentVolumeClaim({ spec }: PersistentVolumeClaim, old?: PersistentVolumeClaim): Errors {
  const errors: Errors = [];
  checkClaimSpec(errors, 'spec', spec ?? {}, {
    allowInvalidGroup: old?.spec?.dataSource?.apiGroup !== undefined || old?.spec?.dataSourceRef?.apiGroup !== undefined,
    allowInvalidLabelValue: validateLabelSelector(old?.spec?.selector, '').length > 0,
  });
  return errors;
}

/** `spec` with the old values of what an update may change. */
function withMutableFieldsOf(errors: Errors, claim: PersistentVolumeClaim, old: PersistentVolumeClaim): PersistentVolumeClaimSpec {
  const spec: PersistentVolumeClaimSpec = { ...claim.spec };
  const before = old.spec ?? {};
  const annotation = claim.metadata?.annotations?.[storageClassAnnotation];
  const oldAnnotation = old.metadata?.annotations?.[storageClassAnnotation];
  const restoreClass = (): void => {
    if (before.storageClassName === undefined) delete spec.storageClassName;
    else spec.storageClassName = before.storageClassName;
  };
  // The class may move from the old annotation to the field, or be filled in where there was none.
  const fromAnnotation =
    oldAnnotation !== undefined &&
    before.storageClassName === undefined &&
    spec.storageClassName === oldAnnotation &&
    (annotation === undefined || annotation === oldAnnotation);
  if (fromAnnotation) restoreClass();
  else {
    if ((annotation ?? '') !== (oldAnnotation ?? ''))
      errors.push(invalidField(`metadata.annotations.${storageClassAnnotation}`, annotation ?? '', 'field is immutable'));
    const fromNothing =
      spec.storageClassName !== undefined &&
      before.storageClassName === undefined &&
      (oldAnnotation === undefined || spec.storageClassName === oldAnnotation);
    if (fromNothing) restoreClass();
  }
  if (!before.volumeName) {
    if (before.volumeName === undefined) delete spec.volumeName;
    else spec.volumeName = before.volumeName;
  }
  if (claim.status?.phase === 'Bound') {
    const stored = before.resources?.requests?.['storage'];
    if (spec.resources?.requests && stored !== undefined)
      spec.resources = { ...spec.resources, requests: { ...spec.resources.requests, storage: stored } };
    if (before.volumeAttributesClassName === undefined) delete spec.volumeAttributesClassName;
    else spec.volumeAttributesClassName = before.volumeAttributesClassName;
  }
  return spec;
}

const amount = (value: Quantity | undefined): Quantity => (isQuantity(value) ? value! : '0');

export function validatePersistentVolumeClaimUpdate(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): Errors {
  const errors = validatePersistentVolumeClaim(claim, old);
  const munged = withMutableFieldsOf(errors, claim, old);
  if (!same(munged, old.spec))
    errors.push(
      forbiddenField(
        'spec',
        `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${difference(old.spec, munged)}`,
      ),
    );
  const size = amount(claim.spec?.resources?.requests?.['storage']);
  // A size that could not be had may be taken back, but never to what there is already.
  if (
    compareQuantities(size, amount(old.spec?.resources?.requests?.['storage'])) < 0 &&
    compareQuantities(size, amount(old.status?.capacity?.['storage'])) <= 0
  )
    errors.push(forbiddenField('spec.resources.requests.storage', 'field can not be less than status.capacity'));
  checkImmutable(errors, 'volumeMode', claim.spec?.volumeMode, old.spec?.volumeMode);
  const attributes = claim.spec?.volumeAttributesClassName;
  if (attributes !== old.spec?.volumeAttributesClassName && old.status?.currentVolumeAttributesClassName !== undefined && !attributes)
    errors.push(
      forbiddenField(
        'spec.volumeAttributesClassName',
        `update to ${attributes === undefined ? 'nil' : 'empty string'} is forbidden when status.currentVolumeAttributesClassName is not nil`,
      ),
    );
  return errors;
}

const resizeStatuses = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
];

/** Answers whether the name is good. */
function checkKey(errors: Errors, path: string, name: string): boolean {
  const messages = isQualifiedName(name);
  invalidFor(errors, path, name, messages);
  if (messages.length) return false;
  if (!isNativeResource(name) || name === 'storage') return true;
  errors.push(unsupported(path, name, ['storage']));
  return false;
}

function checkBasic(errors: Errors, path: string, value: Quantity): boolean {
  if (!isQuantity(value) || parseQuantity(value).value() >= 0) return true;
  errors.push(invalidField(path, parseQuantity(value).value(), 'must be a valid resource quantity'));
  return false;
}

export function validatePersistentVolumeClaimStatus({ spec, status }: PersistentVolumeClaim): Errors {
  const errors: Errors = [];
  if (!spec?.accessModes?.length) errors.push(required('Spec.accessModes'));
  for (const [name, value] of Object.entries(status?.capacity ?? {})) checkBasic(errors, `status.capacity[${name}]`, value);
  for (const [name, value] of Object.entries(status?.allocatedResourceStatuses ?? {})) {
    checkKey(errors, 'status.allocatedResourceStatuses', name);
    if (!resizeStatuses.includes(value)) errors.push(unsupported('status.allocatedResourceStatuses', name, resizeStatuses));
  }
  for (const [name, value] of Object.entries(status?.allocatedResources ?? {})) {
    if (!checkKey(errors, 'status.allocatedResources', name)) continue;
    const path = `status.allocatedResources[${name}]`;
    if (checkBasic(errors, path, value)) checkResourceAmount(errors, path, 'storage', value);
  }
  return errors;
}
