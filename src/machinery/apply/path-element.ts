import type { ListSchema } from './schema.ts';
import { parseJson } from '#machinery/json';
import { asMap } from './schema.ts';

/**
 * One step of a path, in the text that FieldsV1 has for it: f:<field>, k:<keys as JSON>, v:<value as JSON>, i:<index>.
 * upstream: structured-merge-diff/fieldpath/element.go, serialize-pe.go.
 */
export class PathElementError extends Error {
  override name = 'PathElementError';
}

/** The step to an item of a list of type set or map. Throws a PathElementError for an item that cannot be recognised again. */
export function elementOf(list: ListSchema, item: unknown): string {
  if (list.type === 'set') {
    if (item === null || item === undefined)
      throw new PathElementError("associative list without keys has an element that's an explicit null");
    if (Array.isArray(item)) throw new PathElementError('not supported: associative list with lists as elements');
    if (typeof item === 'object') throw new PathElementError("associative list without keys has an element that's a map type");
    return `v:${JSON.stringify(item)}`;
  }
  if (item === null || item === undefined) throw new PathElementError('associative list with keys may not have a null element');
  const map = asMap(item);
  if (!map) throw new PathElementError('associative list with keys may not have non-map elements');
  let text = '';
  for (const key of list.keys) {
    const value = map[key] === undefined ? list.keyDefault(key) : map[key];
    if (value === undefined) continue;
    text += `${text ? ',' : ''}${JSON.stringify(key)}:${JSON.stringify(value)}`;
  }
  if (text === '') {
    const names = list.keys.map((key) => JSON.stringify(key)).join(' ');
    throw new PathElementError(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return `k:{${text}}`;
}

const canonical = new Map<string, string>();
const canonicalSize = 4096;

/** The one spelling of a step that came from a client; undefined for kinds of steps that are not known. Throws a PathElementError. */
export function normalizeElement(text: string): string | undefined {
  if (text.startsWith('f:')) return text;
  if (text.length < 2) throw new PathElementError('key must be 2 characters long:');
  if (text[1] !== ':') throw new PathElementError(`missing colon: ${text}`);
  const known = canonical.get(text);
  if (known !== undefined) return known;
  const normal = normalizeOther(text);
  if (normal !== undefined) {
    if (canonical.size >= canonicalSize) canonical.clear();
    canonical.set(text, normal);
  }
  return normal;
}

function normalizeOther(text: string): string | undefined {
  const rest = text.slice(2);
  switch (text[0]) {
    case 'i':
      if (!/^[+-]?[0-9]+$/.test(rest)) throw new PathElementError(`strconv.Atoi: parsing ${JSON.stringify(rest)}: invalid syntax`);
      return `i:${Number(rest)}`;
    case 'v':
      return `v:${JSON.stringify(parse(rest))}`;
    case 'k': {
      const keys = asMap(parse(rest));
      if (!keys) throw new PathElementError(`expected a map of keys: ${text}`);
      const fields = Object.keys(keys)
        .sort()
        .map((key) => `${JSON.stringify(key)}:${JSON.stringify(keys[key])}`);
      return `k:{${fields.join(',')}}`;
    }
    default:
      return undefined;
  }
}

function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new PathElementError(`cannot parse ${text}`, { cause });
  }
}

/** As messages show it: .spec, [name="a"], [="b"], [0]. */
export function formatElement(text: string): string {
  const rest = text.slice(2);
  switch (text[0]) {
    case 'f':
      return `.${rest}`;
    case 'k': {
      const keys = parseJson(rest) as Record<string, unknown>;
      return `[${Object.entries(keys)
        .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
        .join(',')}]`;
    }
    case 'v':
      return `[=${rest}]`;
    default:
      return `[${rest}]`;
  }
}

const ranks = '.fkvi';

/** The order of steps in FieldsV1. */
export function compareElements(a: string, b: string): number {
  const rank = ranks.indexOf(a[0]!) - ranks.indexOf(b[0]!);
  if (rank !== 0) return rank;
  if (a.startsWith('i:')) return Number(a.slice(2)) - Number(b.slice(2));
  return a < b ? -1 : a > b ? 1 : 0;
}
