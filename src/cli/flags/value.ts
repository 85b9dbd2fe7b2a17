/** Reads one value of a flag by its type, with the complaints of Go's pflag, which programs match. upstream: github.com/spf13/pflag. */
import type { Flag, FlagType, ValueTypes } from './table.ts';

const units: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's time.ParseDuration, in milliseconds; undefined where the text is none. */
export function goDuration(text: string): number | undefined {
  if (text === '0' || text === '+0' || text === '-0') return 0;
  const [, sign, rest = ''] = /^([-+]?)(.+)$/.exec(text) ?? [];
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(rest)) return undefined;
  let sum = 0;
  for (const [, number, unit] of rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) sum += Number(number) * units[unit!]!;
  return sign === '-' ? -sum : sum;
}

/** One line of CSV. */
function commaSeparated(text: string): string[] {
  if (text === '') return [];
  const fields: string[] = [];
  for (let at = 0; at <= text.length;) {
    if (text[at] === '"') {
      let field = '';
      for (at++; at < text.length; at++) {
        if (text[at] !== '"') field += text[at];
        else if (text[at + 1] === '"') field += text[at++];
        else break;
      }
      if (at >= text.length) throw new Error('parse error: extraneous or missing " in quoted-field');
      fields.push(field);
      at += 2;
    } else {
      const comma = text.indexOf(',', at);
      const end = comma < 0 ? text.length : comma;
      fields.push(text.slice(at, end));
      at = end + 1;
    }
  }
  return fields;
}

function boolean(text: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

const pairs = (text: string, separator: string): [string, string][] =>
  text
    .split(',')
    .filter(Boolean)
    .map((pair) => {
      const at = pair.indexOf(separator);
      if (at < 0) throw new Error(`malformed pair, expect string${separator}string`);
      return [pair.slice(0, at).trim(), pair.slice(at + separator.length).trim()];
    });

const readers: { [T in FlagType]: (text: string) => ValueTypes[T] } = {
  bool: boolean,
  string: (text) => text,
  int(text) {
    if (!/^[-+]?\d+$/.test(text)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    return Number(text);
  },
  float(text) {
    if (text.trim() === '' || Number.isNaN(Number(text)))
      throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
    return Number(text);
  },
  duration(text) {
    const found = goDuration(text);
    if (found === undefined) throw new Error(`time: invalid duration ${JSON.stringify(text)}`);
    return found;
  },
  strings: commaSeparated,
  stringArray: (text) => [text],
  map: (text) => Object.fromEntries(pairs(text, '=')),
  switches: (text) =>
    Object.fromEntries(
      pairs(text, '=').map(([key, value]) => {
        try {
          return [key, boolean(value)];
        } catch (error) {
          throw new Error(`invalid value of ${key}: ${value}, err: ${(error as Error).message}`, { cause: error });
        }
      }),
    ),
  thresholds: (text) => Object.fromEntries(pairs(text, '<')),
};

export const readValue = (type: FlagType, text: string): unknown => readers[type](text);

/** The default's value. */
export function fallbackOf([type, fallback]: Flag): unknown {
  return type === 'stringArray' && fallback === '' ? [] : readValue(type, fallback);
}

/** A value given once more: lists and maps grow, others are replaced. */
export function joinValues(type: FlagType, before: unknown, next: unknown): unknown {
  switch (type) {
    case 'strings':
    case 'stringArray':
      return [...(before as string[]), ...(next as string[])];
    case 'map':
    case 'switches':
    case 'thresholds':
      return { ...(before as object), ...(next as object) };
    default:
      return next;
  }
}
