import type { ObjectMeta } from '#machinery/meta';
import { inOrder, isEmptyFields, knownNormal, normalizeFields } from './fields.ts';
import type { Fields } from './fields.ts';
import { PathElementError } from './path-element.ts';
import type { TypeSchema } from './schema.ts';

/** metadata.managedFields, read and written. upstream: apimachinery/pkg/util/managedfields/internal/managedfields.go. */

type WireEntry = NonNullable<ObjectMeta['managedFields']>[number];

/** One manager's fields. Immutable. */
export interface ManagedEntry {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string | undefined;
  readonly fields: Fields;
  /** How it is stored, where nothing of it changed since it was read. */
  readonly stored?: WireEntry;
}

/** By the manager's identity. */
export type ManagedEntries = Map<string, ManagedEntry>;

/** What tells managers apart, in upstream's spelling (conflicts are listed in its order). An applier is one manager whatever the version. */
export function managerId(entry: Pick<ManagedEntry, 'manager' | 'operation' | 'apiVersion' | 'subresource'>): string {
  const { manager, operation, apiVersion, subresource } = entry;
  const named = manager ? `"manager":${JSON.stringify(manager)},` : '';
  const version = operation === 'Update' ? `,"apiVersion":${JSON.stringify(apiVersion)}` : '';
  const below = subresource ? `,"subresource":${JSON.stringify(subresource)}` : '';
  return `{${named}"operation":"${operation}"${version}${below}}`;
}

/** Undefined where an entry cannot be read: then upstream starts anew on updates, and refuses to apply. */
export function decodeManagedFields(entries: readonly WireEntry[] | undefined): ManagedEntries | undefined {
  const managed: ManagedEntries = new Map();
  for (const stored of entries ?? []) {
    const { manager = '', operation, apiVersion = '', subresource = '', time, fieldsType, fieldsV1 } = stored;
    if ((operation !== 'Apply' && operation !== 'Update') || apiVersion === '' || fieldsType !== 'FieldsV1') return undefined;
    let fields: Fields;
    try {
      fields = normalizeFields(fieldsV1 ?? {});
    } catch (error) {
      if (error instanceof PathElementError) return undefined;
      throw error;
    }
    const entry = { manager, operation, apiVersion, subresource, time, fields } as const;
    managed.set(managerId(entry), fields === fieldsV1 ? { ...entry, stored } : entry);
  }
  return managed;
}

/** In upstream's order; undefined where nobody manages anything. `schema`: the type that all fit. */
export function encodeManagedFields(managed: ManagedEntries, schema?: TypeSchema): WireEntry[] | undefined {
  const entries: ManagedEntry[] = [];
  for (const entry of managed.values()) if (entry.stored || !isEmptyFields(entry.fields)) entries.push(entry);
  if (entries.length === 0) return undefined;
  if (entries.length > 1) entries.sort(compareEntries);
  return entries.map((entry) => encode(entry, schema));
}

function encode(entry: ManagedEntry, schema: TypeSchema | undefined): WireEntry {
  if (entry.stored) return entry.stored;
  const { manager, operation, apiVersion, subresource, time, fields } = entry;
  return {
    ...(manager && { manager }),
    operation,
    apiVersion,
    ...(time && { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: knownNormal(inOrder(fields), schema) as NonNullable<WireEntry['fieldsV1']>,
    ...(subresource && { subresource }),
  };
}

const seconds = (time: string | undefined): number => (time ? Math.trunc(Date.parse(time) / 1000) : 0);
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function compareEntries(a: ManagedEntry, b: ManagedEntry): number {
  return (
    order(a.operation, b.operation) ||
    seconds(a.time) - seconds(b.time) ||
    order(a.manager, b.manager) ||
    order(a.apiVersion, b.apiVersion) ||
    order(a.subresource, b.subresource)
  );
}

/** Entries of updates, the oldest first. */
export const updatesByAge = (managed: ManagedEntries): [string, ManagedEntry][] =>
  [...managed]
    .filter(([, { operation }]) => operation === 'Update')
    .sort(([x, a], [y, b]) => seconds(a.time) - seconds(b.time) || order(x, y));

/** The entry with other fields; undefined where none are left. */
export function withFields(entry: ManagedEntry, fields: Fields | undefined): ManagedEntry | undefined {
  if (fields === entry.fields) return entry;
  if (isEmptyFields(fields)) return undefined;
  const { stored: _, ...rest } = entry;
  return { ...rest, fields: fields! };
}
