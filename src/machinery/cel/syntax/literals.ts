import { maxInt, maxUint, minInt, Uint } from '../values/scalars.ts';

/** The values of written literals. upstream: cel-go parser/unescape.go. */

/** Undefined where it does not fit. */
export function parseInt64(text: string): bigint | undefined {
  const negative = text.startsWith('-');
  const size = BigInt(negative ? text.slice(1) : text);
  const value = negative ? -size : size;
  return value < minInt || value > maxInt ? undefined : value;
}

export function parseUint64(text: string): Uint | undefined {
  const value = BigInt(text);
  return value > maxUint ? undefined : new Uint(value);
}

const simple: Record<string, number> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, '\\': 92, "'": 39, '"': 34, '`': 96, '?': 63 };

/** The text between the quotes with its escapes read; code points, or bytes for a bytes literal. A string answer is what is wrong. */
function unescape(body: string, isBytes: boolean): number[] | string {
  const units: number[] = [];
  const characters = Array.from(body);
  for (let index = 0; index < characters.length; index++) {
    const character = characters[index]!;
    if (character !== '\\') {
      const code = character.codePointAt(0)!;
      if (isBytes && code > 127) units.push(...Buffer.from(character));
      else units.push(code);
      continue;
    }
    const kind = characters[++index];
    if (kind === undefined) return "unable to unescape string, found '\\' as last character";
    const known = simple[kind];
    if (known !== undefined) {
      units.push(known);
      continue;
    }
    const digits = kind === 'x' || kind === 'X' ? 2 : kind === 'u' ? 4 : kind === 'U' ? 8 : 0;
    if (digits > 2 && isBytes) return 'unable to unescape string';
    const code = digits
      ? Number.parseInt(characters.slice(index + 1, index + 1 + digits).join(''), 16)
      : Number.parseInt(characters.slice(index, index + 3).join(''), 8);
    index += digits || 2;
    if (!isBytes && (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))) return 'invalid unicode code point';
    units.push(code);
  }
  return units;
}

function body(text: string): { raw: boolean; inner: string } {
  const raw = /^[rR]/.test(text);
  const quoted = (raw ? text.slice(1) : text).replace(/\r\n?/g, '\n');
  const width = quoted.length >= 6 && (quoted.startsWith('"""') || quoted.startsWith("'''")) ? 3 : 1;
  return { raw, inner: quoted.slice(width, -width) };
}

/** The value of a string literal, or what is wrong with it. */
export function unquote(text: string): { value: string } | { error: string } {
  const { raw, inner } = body(text);
  if (raw || !inner.includes('\\')) return { value: inner };
  const units = unescape(inner, false);
  return typeof units === 'string' ? { error: units } : { value: units.map((unit) => String.fromCodePoint(unit)).join('') };
}

/** The value of a bytes literal, its b in front already gone. */
export function unquoteBytes(text: string): { value: Uint8Array } | { error: string } {
  const { raw, inner } = body(text);
  if (raw || !inner.includes('\\')) return { value: Uint8Array.from(Buffer.from(inner)) };
  const units = unescape(inner, true);
  return typeof units === 'string' ? { error: units } : { value: Uint8Array.from(units) };
}
