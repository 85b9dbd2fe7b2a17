import { parseType, splitTypes } from '../types.ts';
import type { CelType } from '../types.ts';
import type { Value } from '../values/value.ts';

/** Functions and their overloads. upstream: cel-go common/decls. */

export interface Overload {
  readonly id: string;
  /** Called as target.fn(…): the target is the first argument. */
  readonly member: boolean;
  readonly args: readonly CelType[];
  readonly result: CelType;
  /** Names of type parameters in it. */
  readonly params: readonly string[];
  /** What it does; operators and comprehensions are the evaluator's own. Called with arguments of matching kinds only. */
  readonly run?: OverloadFunction | undefined;
}

export type OverloadFunction = (...args: any[]) => Value;

export interface FunctionDeclaration {
  readonly name: string;
  readonly overloads: readonly Overload[];
}

/** A set of functions that environments are put together from. */
export interface Library {
  readonly functions: readonly FunctionDeclaration[];
}

function paramsIn(type: CelType, found: Set<string>): void {
  if (type.kind === 'param') found.add(type.name);
  for (const param of type.params) paramsIn(param, found);
}

/**
 * Reads declarations, one an overload a line: `name id(A, list(A)) -> bool`; a dot in front makes it a member.
 * `implementations` are by overload id.
 */
export function library(text: string, implementations: Readonly<Record<string, OverloadFunction>> = {}): Library {
  const functions = new Map<string, Overload[]>();
  for (const line of text.split('\n')) {
    const match = /^\s*(\.?)(\S+) (\S+?)\((.*)\) -> (\S.*?)\s*$/.exec(line);
    if (!match) {
      if (line.trim()) throw new Error(`Cannot read a declaration: ${line}`);
      continue;
    }
    const [, dot, name, id, args, result] = match as unknown as [string, string, string, string, string, string];
    const types = splitTypes(args).map(parseType);
    const resultType = parseType(result);
    const found = new Set<string>();
    for (const type of [...types, resultType]) paramsIn(type, found);
    const overload: Overload = {
      id,
      member: dot === '.',
      args: types,
      result: resultType,
      params: [...found],
      run: implementations[id],
    };
    const known = functions.get(name);
    if (known) known.push(overload);
    else functions.set(name, [overload]);
  }
  return { functions: [...functions].map(([name, overloads]) => ({ name, overloads })) };
}
