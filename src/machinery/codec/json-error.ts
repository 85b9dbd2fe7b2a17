/** Why a text is not JSON, as Go's decoder says it. upstream: encoding/json scanner.go, whose texts clients see. */

const space = /[ \t\r\n]/;
const end = 'unexpected end of JSON input';

class SyntaxProblem extends Error {}

/** Go's text for what is wrong with the text; undefined where it is JSON. */
export function jsonSyntaxError(text: string): string | undefined {
  let at = 0;
  const fail = (context: string): never => {
    throw new SyntaxProblem(at >= text.length ? end : `invalid character ${quoted(text[at]!)} ${context}`);
  };
  const skip = (): void => {
    while (at < text.length && space.test(text[at]!)) at++;
  };
  const string = (): void => {
    for (at++; text[at] !== '"'; at++) {
      if (at >= text.length || text[at]! < ' ') fail('in string literal');
      if (text[at] !== '\\') continue;
      at++;
      if (at >= text.length || !'"\\/bfnrtu'.includes(text[at]!)) fail('in string escape code');
      if (text[at] !== 'u') continue;
      for (let digit = 0; digit < 4; digit++) {
        at++;
        if (at >= text.length || !/[0-9a-fA-F]/.test(text[at]!)) fail('in \\u hexadecimal character escape');
      }
    }
    at++;
  };
  const word = (literal: string): void => {
    for (const char of literal) {
      if (text[at] !== char) fail(`in literal ${literal} (expecting ${quoted(char)})`);
      at++;
    }
  };
  const digits = (context: string): void => {
    if (at >= text.length || !/\d/.test(text[at]!)) fail(context);
    while (/\d/.test(text[at] ?? '')) at++;
  };
  const number = (): void => {
    if (text[at] === '-') at++;
    if (text[at] === '0') at++;
    else digits('in numeric literal');
    if (text[at] === '.') {
      at++;
      digits('after decimal point in numeric literal');
    }
    if (text[at] === 'e' || text[at] === 'E') {
      at++;
      if (text[at] === '+' || text[at] === '-') at++;
      digits('in exponent of numeric literal');
    }
  };
  const members = (close: string, member: () => void, after: string): void => {
    at++;
    skip();
    if (text[at] === close) {
      at++;
      return;
    }
    for (;;) {
      member();
      skip();
      if (text[at] === close) break;
      if (text[at] !== ',') fail(after);
      at++;
      skip();
    }
    at++;
  };
  const value = (): void => {
    skip();
    const char = text[at];
    if (char === '{')
      members(
        '}',
        () => {
          if (text[at] !== '"') fail('looking for beginning of object key string');
          string();
          skip();
          if (text[at] !== ':') fail('after object key');
          at++;
          value();
        },
        'after object key:value pair',
      );
    else if (char === '[') members(']', value, 'after array element');
    else if (char === '"') string();
    else if (char === 't') word('true');
    else if (char === 'f') word('false');
    else if (char === 'n') word('null');
    else if (char !== undefined && /[-0-9]/.test(char)) number();
    else fail('looking for beginning of value');
  };
  try {
    value();
    skip();
    if (at < text.length) fail('after top-level value');
    return undefined;
  } catch (error) {
    if (error instanceof SyntaxProblem) return error.message;
    throw error;
  }
}

function quoted(char: string): string {
  if (char === "'") return String.raw`'\''`;
  if (char === '"') return `'"'`;
  return `'${JSON.stringify(char).slice(1, -1)}'`;
}
