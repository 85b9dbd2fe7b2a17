/** The schema of a custom resource as its definition has it. Structural: every field's type is said once. */
import type { JSONSchemaProps } from '#api';

export type Schema = JSONSchemaProps;
export type JsonObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Items that are described one by one are not structural: they count as undescribed. */
export const itemsOf = (schema: Schema | undefined): Schema | undefined =>
  schema?.items && !Array.isArray(schema.items) ? schema.items : undefined;

/** Undefined for `true` and `false` too: what is behind them is unknown. */
export const additionalOf = (schema: Schema | undefined): Schema | undefined =>
  isObject(schema?.additionalProperties) ? (schema.additionalProperties as Schema) : undefined;

export const propertyOf = (schema: Schema | undefined, name: string): Schema | undefined =>
  schema?.properties && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;

/** What describes the field `name`: its own schema or that of all others. */
export const fieldSchemaOf = (schema: Schema | undefined, name: string): Schema | undefined =>
  propertyOf(schema, name) ?? additionalOf(schema);

/** "a.b", "a[0]", as upstream's field paths; the root has no name. */
export const childPath = (path: string, name: string): string => (path ? `${path}.${name}` : name);
export const keyPath = (path: string, key: string): string => `${path}[${key}]`;
