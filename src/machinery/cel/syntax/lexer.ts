import type { Issue } from '../source.ts';

/** The words of an expression. upstream: cel-go parser/gen/CEL.g4. */

export type TokenKind =
  | 'end'
  | 'symbol'
  | 'in'
  | 'true'
  | 'false'
  | 'null'
  | 'identifier'
  | 'escaped'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes';

export interface Token {
  kind: TokenKind;
  text: string;
  offset: number;
}

const escape = String.raw`\\(?:[abfnrtv"'\\?${'`'}]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})`;
const text = [
  String.raw`"""(?:${escape}|[^\\])*?"""`,
  String.raw`'''(?:${escape}|[^\\])*?'''`,
  String.raw`"(?:${escape}|[^\\"\n\r])*"`,
  String.raw`'(?:${escape}|[^\\'\n\r])*'`,
  String.raw`[rR]"""[^]*?"""`,
  String.raw`[rR]'''[^]*?'''`,
  String.raw`[rR]"[^"\n\r]*"`,
  String.raw`[rR]'[^'\n\r]*'`,
].join('|');

const patterns: [TokenKind | 'space', RegExp][] = [
  ['space', /(?:[\t \r\n\f]+|\/\/[^\n]*)+/uy],
  ['bytes', new RegExp(`[bB](?:${text})`, 'uy')],
  ['string', new RegExp(`(?:${text})`, 'uy')],
  ['double', /(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)/uy],
  ['uint', /(?:0x[0-9a-fA-F]+|\d+)[uU]/uy],
  ['int', /0x[0-9a-fA-F]+|\d+/uy],
  ['identifier', /[A-Za-z_][A-Za-z0-9_]*/uy],
  ['escaped', /`[A-Za-z0-9_.\-/ ]+`/uy],
  ['symbol', /==|!=|<=|>=|&&|\|\||[<>[\]{}().,\-!?:+*/%]/uy],
];
const words = new Set(['in', 'true', 'false', 'null']);

/** Words up to the end; what is none is skipped and put into `issues`. */
export function tokenize(source: string, issues: Issue[]): Token[] {
  const tokens: Token[] = [];
  // Offsets count code points: kept beside the index, which counts UTF-16.
  let index = 0;
  let offset = 0;
  const advance = (piece: string): void => {
    index += piece.length;
    offset += Array.from(piece).length;
  };
  next: while (index < source.length) {
    for (const [kind, pattern] of patterns) {
      pattern.lastIndex = index;
      const piece = pattern.exec(source)?.[0];
      if (piece === undefined) continue;
      if (kind !== 'space') tokens.push({ kind: words.has(piece) ? (piece as TokenKind) : kind, text: piece, offset });
      advance(piece);
      continue next;
    }
    const bad = unrecognized(source.slice(index));
    issues.push({ offset, message: `Syntax error: token recognition error at: '${bad.replaceAll('\n', '\\n').replaceAll('\t', '\\t')}'` });
    advance(bad);
  }
  tokens.push({ kind: 'end', text: '<EOF>', offset });
  return tokens;
}

/** As far as the generated lexer reads before it gives up. */
function unrecognized(rest: string): string {
  const [first = '', second = ''] = Array.from(rest);
  if (first === '"' || first === "'") {
    const line = /^["'](?:\\[^]|[^\\\n\r])*/u.exec(rest)![0];
    return line;
  }
  // These begin operators of two characters.
  return '=|&'.includes(first) ? first + second : first;
}
