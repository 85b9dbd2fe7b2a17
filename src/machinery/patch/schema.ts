import { schema as facts } from '../../api/facts/schema.ts';

/** What strategic merge needs to know about a type. upstream: strategicpatch.LookupPatchMeta. */
export interface PatchSchema {
  /** The name for messages. */
  readonly name: string;
  /** The field's element type and how patches treat it; undefined for a field the type does not have. */
  field(name: string): { schema: PatchSchema; strategies: readonly string[]; mergeKey: string } | undefined;
}

const none: readonly string[] = [];

/** Values without known fields: maps, scalars, free-form objects. Lists in them are replaced. */
export const untyped: PatchSchema = {
  name: 'map',
  field: () => ({ schema: untyped, strategies: none, mergeKey: '' }),
};

/** To upstream a struct that has no field of JSON: what is in it can be replaced, not merged. */
const rawExtension: PatchSchema = { name: 'RawExtension', field: () => undefined };

const cache = new Map<string, PatchSchema>([['io.k8s.apimachinery.pkg.runtime.RawExtension', rawExtension]]);

/** The schema of a built-in type by its published name ("io.k8s.api.core.v1.Pod"). */
export function factSchema(type: string): PatchSchema {
  const known = cache.get(type);
  if (known) return known;
  const fact = facts[type];
  const fields = fact?.fields;
  if (!fields) return untyped;
  const found = new Map<string, NonNullable<ReturnType<PatchSchema['field']>>>();
  const schema: PatchSchema = {
    name: type.slice(type.lastIndexOf('.') + 1),
    field(name) {
      const cached = found.get(name);
      if (cached) return cached;
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (!field) return undefined;
      const element = factSchema(field.type);
      const made = {
        schema: field.map ? mapOf(element) : element,
        strategies: field.patchStrategy?.split(',') ?? none,
        mergeKey: field.patchMergeKey ?? '',
      };
      found.set(name, made);
      return made;
    },
  };
  cache.set(type, schema);
  return schema;
}

const mapOf = (element: PatchSchema): PatchSchema =>
  element === untyped ? untyped : { name: 'map', field: () => ({ schema: element, strategies: none, mergeKey: '' }) };
