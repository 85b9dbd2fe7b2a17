/**
 * Server-side apply and the tracking of who manages which field (metadata.managedFields).
 * Upstream counterpart: sigs.k8s.io/structured-merge-diff, apimachinery/pkg/util/managedfields.
 * Invariants: objects given are never changed; a set of fields is the FieldsV1 object itself, so that what did not change is stored again
 * as it was. Read first: fields.ts, then update.ts (runs on every write) and apply.ts.
 */
export { applyPatch } from './apply.ts';
export type { ApplyOptions } from './apply.ts';
export { trackUpdate } from './update.ts';
export type { UpdateOptions } from './update.ts';
export type { Versions } from './versions.ts';
export { decodeManagedFields, encodeManagedFields } from './entries.ts';
export type { ManagedEntries, ManagedEntry } from './entries.ts';
export {
  difference,
  fieldsOf,
  hasField,
  intersection,
  isEmptyFields,
  normalizeFields,
  pathsOf,
  recursiveDifference,
  union,
} from './fields.ts';
export type { Fields } from './fields.ts';
export { compare } from './compare.ts';
export type { Comparison } from './compare.ts';
export { fieldSetOf } from './field-set.ts';
export { mergeApplied } from './merge.ts';
export { deducedSchema } from './schema.ts';
export type { ListSchema, MapSchema, ScalarKind, TypeSchema } from './schema.ts';
export { factTypeSchema } from './schema-facts.ts';
export { structuralTypeSchema } from './schema-structural.ts';
export type { StructuralSchema } from './schema-structural.ts';
