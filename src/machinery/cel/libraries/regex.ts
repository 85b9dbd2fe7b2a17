import { RE2JS, RE2JSException } from 're2js';
import { library } from '../check/declarations.ts';
import { List } from '../values/list.ts';
import { CelError } from '../values/scalars.ts';
import type { Value } from '../values/value.ts';

/** RE2 expressions: matching takes time in proportion to the text. upstream: apiserver/pkg/cel/library/regex.go. */

const cache = new Map<string, RE2JS | string>();
const cacheSize = 512;

/** The compiled expression, or what is wrong with it. */
export function compilePattern(pattern: string): RE2JS | string {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  let compiled: RE2JS | string;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    if (!(error instanceof RE2JSException) && !(error instanceof Error)) throw error;
    compiled = error.message;
  }
  if (cache.size >= cacheSize) cache.clear();
  cache.set(pattern, compiled);
  return compiled;
}

export function matchesPattern(text: string, pattern: string): Value {
  const compiled = compilePattern(pattern);
  return typeof compiled === 'string' ? new CelError(compiled) : compiled.matcher(text).find();
}

function find(text: string, pattern: string): Value {
  const compiled = compilePattern(pattern);
  if (typeof compiled === 'string') return new CelError(`Illegal regex: ${compiled}`);
  const matcher = compiled.matcher(text);
  return matcher.find() ? (matcher.group() ?? '') : '';
}

function findAll(text: string, pattern: string, limit = -1n): Value {
  const compiled = compilePattern(pattern);
  if (typeof compiled === 'string') return new CelError(`Illegal regex: ${compiled}`);
  const matcher = compiled.matcher(text);
  const found: Value[] = [];
  while ((limit < 0n || BigInt(found.length) < limit) && matcher.find()) found.push(matcher.group() ?? '');
  return new List(found);
}

export const regexLibrary = library(
  `
.find string_find_string(string, string) -> string
.findAll string_find_all_string(string, string) -> list(string)
.findAll string_find_all_string_int(string, string, int) -> list(string)
`,
  { string_find_string: find, string_find_all_string: findAll, string_find_all_string_int: findAll },
);
