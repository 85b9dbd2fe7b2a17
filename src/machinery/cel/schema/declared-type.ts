import type { TypeProvider } from '../check/environment.ts';
import type { SizeEstimator } from '../cost/node.ts';
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  struct,
  timestampType,
} from '../types.ts';
import type { CelType } from '../types.ts';
import { escapeName } from './escaping.ts';
import { withObjectMeta } from './schema.ts';
import type { CelSchema } from './schema.ts';

/**
 * A schema as a type, with how large its values can be: costs are estimated from that.
 * upstream: apiserver/pkg/cel/common/schemas.go, apiserver/pkg/cel/types.go.
 */
export interface DeclaredType {
  readonly type: CelType;
  /** Bytes of the smallest value as JSON. */
  readonly minSize: number;
  /** Characters, items or entries of the largest. */
  readonly maxElements: number;
  readonly fields?: ReadonlyMap<string, DeclaredType>;
  readonly key?: DeclaredType | undefined;
  readonly element?: DeclaredType;
}

/** No request is larger. upstream: apiserver/pkg/apis/cel/config.go. */
const maxRequestSize = 3 * 1024 * 1024;
const anyText = maxRequestSize - 2;
const maxDuration = 32;
const maxDateTime = 32;
const dateSize = 12;

const texts = (schema: CelSchema): number => {
  if (schema.maxLength !== undefined) return Math.max(0, schema.maxLength) * 4;
  if (!schema.enum?.length) return anyText;
  return Math.max(0, ...schema.enum.map((value) => (typeof value === 'string' ? Buffer.byteLength(value) : 0)));
};

/** Collects the object types of a schema under names of their own. */
class Declarer {
  readonly objects = new Map<string, ReadonlyMap<string, DeclaredType>>();

  declare(schema: CelSchema, isObject: boolean, name: string): DeclaredType | undefined {
    if (schema['x-kubernetes-int-or-string'])
      return { type: dynType, minSize: 1, maxElements: schema.maxLength === undefined ? anyText : Math.max(0, schema.maxLength) * 4 };
    const whole = isObject ? withObjectMeta(schema) : schema;
    switch (whole.type) {
      case 'array':
        return this.#array(whole, name);
      case 'object':
        return this.#object(whole, name);
      case 'string':
        return string(whole);
      case 'boolean':
        return { type: boolType, minSize: 4, maxElements: 0 };
      case 'number':
        return { type: doubleType, minSize: 1, maxElements: 0 };
      case 'integer':
        return { type: intType, minSize: 1, maxElements: 0 };
      default:
        return undefined;
    }
  }

  #inner(schema: CelSchema, name: string): DeclaredType | undefined {
    return this.declare(schema, schema['x-kubernetes-embedded-resource'] === true, name);
  }

  #array(schema: CelSchema, name: string): DeclaredType | undefined {
    const element = schema.items && this.#inner(schema.items, `${name}.@idx`);
    if (!element) return undefined;
    const maxElements =
      schema.maxItems === undefined ? Math.floor((maxRequestSize - 2) / (element.minSize + 1)) : Math.max(0, schema.maxItems);
    return { type: listOf(element.type), minSize: 2, maxElements, element };
  }

  #object(schema: CelSchema, name: string): DeclaredType | undefined {
    if (typeof schema.additionalProperties === 'object') {
      const element = this.#inner(schema.additionalProperties, `${name}.@elem`);
      if (!element) return undefined;
      const maxElements =
        schema.maxProperties === undefined ? Math.floor((maxRequestSize - 2) / (element.minSize + 6)) : Math.max(0, schema.maxProperties);
      return { type: mapOf(stringType, element.type), minSize: 2, maxElements, key: keys, element };
    }
    const fields = new Map<string, DeclaredType>();
    let minSize = 2;
    for (const [property, inner] of Object.entries(schema.properties ?? {})) {
      const escaped = escapeName(property);
      const declared = this.#inner(inner, `${name}.${escaped ?? property}`);
      if (!declared) continue;
      if (escaped !== undefined) fields.set(escaped, declared);
      if (schema.required?.includes(property) && inner.default === undefined) minSize += Buffer.byteLength(property) + declared.minSize + 4;
    }
    this.objects.set(name, fields);
    return { type: struct(name), minSize, maxElements: 0, fields };
  }
}

const keys: DeclaredType = { type: stringType, minSize: 2, maxElements: 0 };

function string(schema: CelSchema): DeclaredType {
  switch (schema.format) {
    case 'byte':
      return { type: bytesType, minSize: 2, maxElements: schema.maxLength === undefined ? anyText : Math.max(0, schema.maxLength) };
    case 'duration':
      return { type: durationType, minSize: 3, maxElements: maxDuration };
    case 'date':
      return { type: timestampType, minSize: dateSize, maxElements: dateSize };
    case 'date-time':
      return { type: timestampType, minSize: 21, maxElements: maxDateTime };
    default:
      return { type: stringType, minSize: 2, maxElements: texts(schema) };
  }
}

/** What a schema declares: the type, and the object types within it. */
export interface Declaration {
  readonly root: DeclaredType;
  readonly types: TypeProvider;
  /** Sizes for a variable of the type (of whatever name). */
  readonly sizes: SizeEstimator;
  /** How many values of the type one request can hold. */
  readonly maxCardinality: number;
}

/** Undefined for a schema that expressions cannot see (no type, as with unknown fields that are kept). `name` is that of the root's type. */
export function declareSchema(schema: CelSchema, isResourceRoot: boolean, name = 'object'): Declaration | undefined {
  const declarer = new Declarer();
  const root = declarer.declare(schema, isResourceRoot, name);
  if (!root) return undefined;
  return {
    root,
    types: {
      fields(type) {
        const fields = declarer.objects.get(type);
        return fields && ((field) => fields.get(field)?.type);
      },
    },
    sizes: sizesOf(root),
    maxCardinality: Math.floor(maxRequestSize / (root.minSize + 1)),
  };
}

function sizesOf(root: DeclaredType): SizeEstimator {
  return ({ path }) => {
    if (!path?.length) return undefined;
    let at: DeclaredType | undefined = root;
    for (const step of path.slice(1)) {
      if (step === '@items' || step === '@values') at = at.element;
      else if (step === '@keys') at = at.key;
      else at = at.fields?.get(step);
      if (!at) return undefined;
    }
    return { min: 0, max: at.maxElements };
  };
}
