/** How a Go kind is called. */
export type GoKind = 'string' | 'bool' | 'int32' | 'int64' | 'float64' | 'slice' | 'map' | 'struct';

const basic = new Set(['string', 'bool', 'int32', 'int64', 'float64']);
export const goKind = (goType: string): GoKind => {
  if (goType.startsWith('[]')) return 'slice';
  if (goType.startsWith('map[')) return 'map';
  return basic.has(goType) ? (goType as GoKind) : 'struct';
};

/** The kind that decoded JSON has in Go. */
function given(value: unknown): GoKind {
  if (Array.isArray(value)) return 'slice';
  if (typeof value === 'object') return 'map';
  if (typeof value === 'bigint') return 'int64';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : 'string';
}

/**
 * Why a value does not fit where maps are made into a type, as strategic merge patches do it: with other words than JSON's decoder has.
 * upstream: apimachinery/pkg/runtime/converter.go fromUnstructured.
 */
export function conversionText(value: unknown, goType: string, kind: GoKind = goKind(goType)): string {
  const from = given(value);
  if (kind === 'slice' || kind === 'map') return `cannot restore ${kind} from ${from}`;
  if (kind === 'struct') return `cannot restore struct from: ${from}`;
  // Go could make a number of a number, and a character of an integer; what it could not make of it at all has no name there.
  const number = from === 'int64' || from === 'float64';
  const convertible = number && (kind === 'string' ? from === 'int64' : kind !== 'bool');
  return convertible ? `cannot convert ${from} to ${goType}` : `unrecognized type: ${kind}`;
}
