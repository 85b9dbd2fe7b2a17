/** Reads a command line by a table of flags, as Go's pflag does. upstream: github.com/spf13/pflag, component-base/cli/flag. */
import type { FlagTable, FlagValues } from './table.ts';
import { fallbackOf, joinValues, readValue } from './value.ts';

export interface ParsedFlags<T extends FlagTable> {
  values: FlagValues<T>;
  /** Those that stood on the command line. */
  given: ReadonlySet<keyof T & string>;
  help: boolean;
  /** 'raw' for --version=raw. */
  version: false | true | 'raw';
  /** What was given that has no effect, a sentence each. */
  warnings: string[];
}

/** 'go': Go's own flag package, where one dash is as good as two and nothing has a short name. */
export type FlagStyle = 'pflag' | 'go';

const shorthands: Record<string, string> = { h: 'help', v: 'v' };

/** Throws an Error with pflag's text for what cannot be read, and for what is refused. `component` is upstream's name of the program. */
export function parseFlags<const T extends FlagTable>(
  component: string,
  table: T,
  parameters: readonly string[],
  style: FlagStyle = 'pflag',
): ParsedFlags<T> {
  const values: Record<string, unknown> = {};
  const given = new Set<string>();
  const operands: string[] = [];
  let help = false;
  let version: ParsedFlags<T>['version'] = false;
  for (let at = 0; at < parameters.length; at++) {
    const parameter = parameters[at]!;
    if (parameter === '--') {
      operands.push(...parameters.slice(at + 1));
      break;
    }
    if (!parameter.startsWith('-') || parameter === '-') {
      operands.push(parameter);
      continue;
    }
    const dashes = parameter.startsWith('--') ? 2 : 1;
    const long = dashes === 2 || style === 'go';
    const equals = parameter.indexOf('=');
    let name = parameter.slice(dashes, equals < 0 ? undefined : equals);
    let text = equals < 0 ? undefined : parameter.slice(equals + 1);
    if (name === '' || name.startsWith('-')) throw new Error(`bad flag syntax: ${parameter}`);
    if (!long) {
      const letter = name[0]!;
      const known = shorthands[letter];
      if (!known || (known !== 'help' && !table[known])) throw new Error(`unknown shorthand flag: '${letter}' in ${parameter}`);
      if (name.length > 1) text = parameter.slice(2).replace(/^=/, '');
      name = known;
    }
    name = name.replaceAll('_', '-');
    if (name === 'help') {
      help = text === undefined || text === 'true';
      continue;
    }
    if (name === 'version') {
      if (text !== undefined && !['true', 'false', 'raw'].includes(text) && !text.startsWith('v'))
        throw new Error(`invalid argument ${JSON.stringify(text)} for "--version" flag: invalid version`);
      version = text === 'raw' ? 'raw' : text !== 'false';
      continue;
    }
    const flag = Object.hasOwn(table, name) ? table[name] : undefined;
    if (!flag) throw new Error(style === 'go' ? `flag provided but not defined: -${name}` : `unknown flag: --${name}`);
    const [type] = flag;
    if (text === undefined) {
      if (type === 'bool') text = 'true';
      else if (at + 1 < parameters.length) text = parameters[++at]!;
      else throw new Error(long ? `flag needs an argument: --${name}` : `flag needs an argument: '${name}' in ${parameter}`);
    }
    let value: unknown;
    try {
      value = readValue(type, text);
    } catch (error) {
      throw new Error(`invalid argument ${JSON.stringify(text)} for "--${name}" flag: ${(error as Error).message}`, { cause: error });
    }
    values[name] = given.has(name) ? joinValues(type, values[name], value) : value;
    given.add(name);
  }
  if (help || version !== false) return { values: values as FlagValues<T>, given, help, version, warnings: [] };
  if (operands.length > 0)
    throw new Error(`"${component}" does not take any arguments, got [${operands.map((text) => JSON.stringify(text)).join(' ')}]`);

  const warnings: string[] = [];
  for (const [name, flag] of Object.entries(table)) {
    const fallback = fallbackOf(flag);
    if (!given.has(name)) {
      values[name] = fallback;
      continue;
    }
    if (JSON.stringify(values[name]) === JSON.stringify(fallback)) continue;
    if (flag[2] === 'refuse')
      throw new Error(`--${name} is not supported by coxswain, and without what it asks for the cluster would be less safe than it says`);
    if (flag[2] === 'warn') warnings.push(`--${name} has no effect: coxswain does not support it`);
  }
  return { values: values as FlagValues<T>, given, help, version, warnings };
}
