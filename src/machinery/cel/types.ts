/** CEL's types. upstream: cel-go common/types/types.go. */

export type TypeKind =
  | 'any'
  | 'bool'
  | 'bytes'
  | 'double'
  | 'duration'
  | 'dyn'
  | 'error'
  | 'int'
  | 'list'
  | 'map'
  | 'null'
  | 'opaque'
  | 'param'
  | 'string'
  | 'struct'
  | 'timestamp'
  | 'type'
  | 'uint';

/** Immutable; simple types are the same object wherever they are used. */
export class CelType {
  readonly kind: TypeKind;
  /** As CEL names it at run time: google.protobuf.Timestamp, null_type, list. */
  readonly name: string;
  readonly params: readonly CelType[];

  constructor(kind: TypeKind, name: string, params: readonly CelType[] = []) {
    this.kind = kind;
    this.name = name;
    this.params = params;
  }

  /** As messages show it. */
  toString(): string {
    return formatType(this);
  }
}

const simple = (kind: TypeKind, name: string = kind): CelType => new CelType(kind, name);

export const anyType = simple('any', 'google.protobuf.Any');
export const boolType = simple('bool');
export const bytesType = simple('bytes');
export const doubleType = simple('double');
export const durationType = simple('duration', 'google.protobuf.Duration');
export const dynType = simple('dyn');
export const errorType = simple('error', '*error*');
export const intType = simple('int');
export const nullType = simple('null', 'null_type');
export const stringType = simple('string');
export const timestampType = simple('timestamp', 'google.protobuf.Timestamp');
export const typeType = simple('type');
export const uintType = simple('uint');

export const listOf = (element: CelType): CelType => new CelType('list', 'list', [element]);
export const mapOf = (key: CelType, value: CelType): CelType => new CelType('map', 'map', [key, value]);
export const opaque = (name: string, ...params: CelType[]): CelType => new CelType('opaque', name, params);
export const struct = (name: string): CelType => new CelType('struct', name);
export const typeParam = (name: string): CelType => new CelType('param', name);
export const typeOfType = (type: CelType): CelType => new CelType('type', 'type', [type]);
export const optionalOf = (value: CelType): CelType => opaque('optional_type', value);
export const listType = listOf(dynType);
export const mapType = mapOf(dynType, dynType);
export const optionalType = optionalOf(dynType);

export const isOptional = (type: CelType): boolean => type.kind === 'opaque' && type.name === 'optional_type';

const shortNames: Partial<Record<TypeKind, string>> = {
  any: 'any',
  duration: 'duration',
  error: '!error!',
  null: 'null',
  timestamp: 'timestamp',
};

/** upstream: cel-go checker/format.go FormatCELType. */
export function formatType(type: CelType): string {
  const short = shortNames[type.kind];
  if (short) return short;
  if (type.params.length === 0) return type.name;
  return `${type.name}(${type.params.map(formatType).join(', ')})`;
}

/** The same type, params included. */
export function sameType(a: CelType, b: CelType): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind || a.name !== b.name || a.params.length !== b.params.length) return false;
  return a.params.every((param, index) => sameType(param, b.params[index]!));
}

const simpleTypes = new Map<string, CelType>([
  ['any', anyType],
  ['bool', boolType],
  ['bytes', bytesType],
  ['double', doubleType],
  ['duration', durationType],
  ['dyn', dynType],
  ['int', intType],
  ['null', nullType],
  ['string', stringType],
  ['timestamp', timestampType],
  ['type', typeType],
  ['uint', uintType],
]);
const opaqueNames = new Set(['optional_type', 'net.IP', 'net.CIDR']);

/** Reads a type as declarations write it: list(A), map(K, V), optional_type(V), kubernetes.Quantity. Single capitals are parameters. */
export function parseType(text: string): CelType {
  const open = text.indexOf('(');
  if (open < 0) {
    const known = simpleTypes.get(text);
    if (known) return known;
    if (/^[A-Z]$/.test(text)) return typeParam(text);
    return opaqueNames.has(text) ? opaque(text) : struct(text);
  }
  const name = text.slice(0, open);
  const params = splitTypes(text.slice(open + 1, -1)).map(parseType);
  if (name === 'list') return listOf(params[0]!);
  if (name === 'map') return mapOf(params[0]!, params[1]!);
  if (name === 'type') return typeOfType(params[0]!);
  return opaque(name, ...params);
}

/** Splits "A, map(K, V)" at its outer commas. */
export function splitTypes(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '(') depth++;
    else if (character === ')') depth--;
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, index).trim());
      start = index + 1;
    }
  }
  const last = text.slice(start).trim();
  return last ? [...parts, last] : parts;
}
