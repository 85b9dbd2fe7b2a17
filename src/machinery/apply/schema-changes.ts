import { withFields } from './entries.ts';
import type { ManagedEntries } from './entries.ts';
import { isEmptyFields, isKnownToFit, knownNormal, leaf } from './fields.ts';
import type { Fields } from './fields.ts';
import { deducedSchema } from './schema.ts';
import type { TypeSchema } from './schema.ts';

/**
 * Brings what is managed to the types as they are now: what was owned field by field and has become atomic is owned as a whole.
 * `schemaOf` answers undefined for a version that is not served any more. Changes `managed`.
 * upstream: structured-merge-diff/typed/reconcile_schema.go.
 */
export function reconcileSchemas(managed: ManagedEntries, schemaOf: (apiVersion: string) => TypeSchema | undefined): void {
  for (const [id, entry] of managed) {
    const schema = schemaOf(entry.apiVersion);
    if (!schema || schema.map?.atomic) continue;
    if (isKnownToFit(entry.fields, schema)) continue;
    const fields = knownNormal(reconciled(entry.fields, schema), schema);
    if (fields !== entry.fields) managed.set(id, withFields(entry, fields)!);
  }
}

/** The set itself where nothing of it has changed so. */
function reconciled(fields: Fields, schema: TypeSchema): Fields {
  // What has nothing below is a whole already; of free-form values there is no saying what they were.
  if (isEmptyFields(fields) || schema === deducedSchema) return fields;
  const { map, scalar, list } = schema;
  if (map ? map.atomic : !scalar && list?.type === 'atomic') return leaf;
  let copy: Record<string, Fields> | undefined;
  for (const step in fields) {
    const type = map ? ((step.startsWith('f:') ? map.field(step.slice(2)) : undefined) ?? map.element) : list?.element;
    if (step === '.' || !type) continue;
    const now = reconciled(fields[step]!, type);
    if (now !== fields[step]) (copy ??= { ...fields })[step] = now;
  }
  return copy ?? fields;
}
