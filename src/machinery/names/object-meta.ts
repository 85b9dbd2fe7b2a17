import { equal } from '#machinery/meta';
import { forbiddenField, invalidField, required } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import type { ObjectMeta } from '#machinery/meta';
import { validateAnnotations } from './annotations.ts';
import { validateFinalizers, validateNoNewFinalizers } from './finalizers.ts';
import { validateLabels } from './labels.ts';
import { validateManagedFields } from './managed-fields.ts';
import { nameIsDNSSubdomain, validateNamespaceName } from './name-rules.ts';
import type { NameRule } from './name-rules.ts';
import { validateOwnerReferences } from './owner-references.ts';
import { fieldImmutable, isNegativeError } from './texts.ts';

/** upstream: apimachinery/pkg/api/validation/objectmeta.go. */

export interface ObjectMetaOptions {
  namespaced: boolean;
  /** Default: a DNS-1123 subdomain. */
  nameErrors?: NameRule;
  /** Default "metadata". */
  path?: string;
}

/** Metadata of an object about to be created; its name has been generated. */
export function validateObjectMeta(meta: ObjectMeta | undefined, options: ObjectMetaOptions): FieldError[] {
  const { namespaced, nameErrors = nameIsDNSSubdomain, path = 'metadata' } = options;
  const { namespace = '' } = meta ?? {};
  const errors = validateObjectName(meta, nameErrors, path);
  if (!namespaced) {
    if (namespace) errors.push(forbiddenField(`${path}.namespace`, 'not allowed on this type'));
  } else if (namespace === '') errors.push(required(`${path}.namespace`));
  else for (const message of validateNamespaceName(namespace, false)) errors.push(invalidField(`${path}.namespace`, namespace, message));
  errors.push(...validateNonnegative(meta?.generation, `${path}.generation`));
  errors.push(...validateCommon(meta, path));
  errors.push(...validateFinalizers(meta?.finalizers, `${path}.finalizers`));
  return errors;
}

const identity = ['name', 'namespace', 'uid'] as const;
const lifetime = ['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const;

/** Metadata of an update against what is stored. */
export function validateObjectMetaUpdate(meta: ObjectMeta | undefined, old: ObjectMeta | undefined, path = 'metadata'): FieldError[] {
  const errors: FieldError[] = [];
  if (old?.deletionTimestamp) errors.push(...validateNoNewFinalizers(meta?.finalizers, old.finalizers, `${path}.finalizers`));
  if (!meta?.resourceVersion)
    errors.push(invalidField(`${path}.resourceVersion`, meta?.resourceVersion ?? '', 'must be specified for an update'));
  if ((meta?.generation ?? 0) < (old?.generation ?? 0))
    errors.push(invalidField(`${path}.generation`, meta?.generation ?? 0, 'must not be decremented'));
  for (const field of identity) errors.push(...validateImmutable(meta?.[field] ?? '', old?.[field] ?? '', `${path}.${field}`));
  for (const field of lifetime) errors.push(...validateImmutable(meta?.[field], old?.[field], `${path}.${field}`));
  errors.push(...validateCommon(meta, path));
  return errors;
}

/** Its name alone. */
export function validateObjectName(meta: ObjectMeta | undefined, nameErrors: NameRule, path = 'metadata'): FieldError[] {
  const { name = '', generateName = '' } = meta ?? {};
  const errors: FieldError[] = [];
  if (generateName)
    for (const message of nameErrors(generateName, true)) errors.push(invalidField(`${path}.generateName`, generateName, message));
  if (name === '') errors.push(required(`${path}.name`, 'name or generateName is required'));
  else for (const message of nameErrors(name, false)) errors.push(invalidField(`${path}.name`, name, message));
  return errors;
}

function validateCommon(meta: ObjectMeta | undefined, path: string): FieldError[] {
  if (!meta) return [];
  const errors = validateLabels(meta.labels, `${path}.labels`);
  errors.push(...validateAnnotations(meta.annotations, `${path}.annotations`));
  errors.push(...validateOwnerReferences(meta.ownerReferences, `${path}.ownerReferences`));
  errors.push(...validateManagedFields(meta.managedFields, `${path}.managedFields`));
  return errors;
}

/** Upstream's rule for fields that may never change, with its text. */
export const validateImmutable = (value: unknown, old: unknown, path: string): FieldError[] =>
  equal(value, old) || (value ?? undefined) === (old ?? undefined) ? [] : [invalidField(path, value, fieldImmutable)];

export const validateNonnegative = (value: number | undefined, path: string): FieldError[] =>
  value !== undefined && value < 0 ? [invalidField(path, value, isNegativeError)] : [];
