import { schema as facts } from '../../../api/facts/schema.ts';
import type { FieldFact } from '../../../api/facts/schema.ts';
import type { TypeProvider } from '../check/environment.ts';
import { boolType, bytesType, doubleType, dynType, intType, listOf, mapOf, stringType, struct } from '../types.ts';
import type { CelType } from '../types.ts';
import { unescapeName } from './escaping.ts';

/** Built-in types as types of CEL, for checking policies against what they select. upstream: apiserver/pkg/cel/openapi/resolver. */

const scalars: Readonly<Record<string, CelType>> = {
  string: stringType,
  bytes: bytesType,
  int32: intType,
  int64: intType,
  double: doubleType,
  boolean: boolType,
};

/** By the published name ("io.k8s.api.core.v1.Pod"). Quantities and whatever may be of several kinds are dyn. */
export function factCelType(name: string): CelType {
  if (name.startsWith('[]')) return listOf(factCelType(name.slice(2)));
  const scalar = scalars[name];
  if (scalar) return scalar;
  const fact = facts[name];
  if (fact?.fields) return struct(name);
  return fact?.scalar === 'string' && fact.format === 'date-time' ? stringType : dynType;
}

function fieldType(field: FieldFact): CelType {
  const type = factCelType(field.type);
  if (field.repeated) return listOf(type);
  return field.map ? mapOf(stringType, type) : type;
}

/** Fields of all built-in types. */
export const factTypes: TypeProvider = {
  fields(type) {
    const fields = facts[type]?.fields;
    if (!fields) return undefined;
    return (escaped) => {
      const name = unescapeName(escaped);
      const field = name !== undefined && Object.hasOwn(fields, name) ? fields[name] : undefined;
      return field && fieldType(field);
    };
  },
};
