import { accumulatorName, oldAccumulatorName, operators } from './ast.ts';
import type { Expr } from './ast.ts';
import type { Builder } from './builder.ts';

/** Calls that are written out as other expressions. upstream: cel-go parser/macro.go, cel/macro.go, ext/comprehensions.go, ext/lists.go. */

export class MacroError extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** `at` is the place of the call. Throws a MacroError; undefined leaves the call as it is. */
type Macro = (build: Builder, target: Expr | undefined, args: readonly Expr[], at: number) => Expr | undefined;

function variableOf(arg: Expr, complaint: string): string {
  if (arg.kind !== 'ident' || arg.name.startsWith('.')) throw new MacroError(complaint, arg.offset);
  if (arg.name === accumulatorName || arg.name === oldAccumulatorName)
    throw new MacroError('iteration variable overwrites accumulator variable', arg.offset);
  return arg.name;
}

function variablesOf(args: readonly Expr[]): [string, string] {
  const [first, second] = args as [Expr, Expr];
  const one = variableOf(first, 'argument must be a simple name');
  const two = variableOf(second, 'argument must be a simple name');
  if (one === two) throw new MacroError('duplicate variable name: ' + one, second.offset);
  return [one, two];
}

const has: Macro = (build, _target, [arg], at) => {
  if (arg!.kind !== 'select') throw new MacroError('invalid argument to has() macro', arg!.offset);
  return { ...arg!, id: build.id(), offset: at, test: true };
};

type Quantifier = 'all' | 'exists' | 'one';

function quantify(
  kind: Quantifier,
  build: Builder,
  range: Expr,
  variable: string,
  variable2: string | undefined,
  predicate: Expr,
  at: number,
): Expr {
  const accu = (): Expr => build.accumulator(at);
  const call = (fn: string, ...args: Expr[]): Expr => build.call(fn, args, at);
  const common = { offset: at, range, variable, variable2, accumulator: accumulatorName };
  if (kind === 'all')
    return build.comprehension({
      ...common,
      init: build.literal(true, at),
      condition: call(operators.notStrictlyFalse, accu()),
      step: call(operators.and, accu(), predicate),
      result: accu(),
    });
  if (kind === 'exists')
    return build.comprehension({
      ...common,
      init: build.literal(false, at),
      condition: call(operators.notStrictlyFalse, call(operators.not, accu())),
      step: call(operators.or, accu(), predicate),
      result: accu(),
    });
  return build.comprehension({
    ...common,
    init: build.literal(0n, at),
    condition: build.literal(true, at),
    step: call(operators.conditional, predicate, call(operators.add, accu(), build.literal(1n, at)), accu()),
    result: call(operators.equals, accu(), build.literal(1n, at)),
  });
}

const quantifier =
  (kind: Quantifier): Macro =>
  (build, target, args, at) =>
    quantify(kind, build, target!, variableOf(args[0]!, 'argument must be a simple name'), undefined, args[1]!, at);

const quantifier2 =
  (kind: Quantifier): Macro =>
  (build, target, args, at) => {
    const [one, two] = variablesOf(args);
    return quantify(kind, build, target!, one, two, args[2]!, at);
  };

/** A list collected from a range: `filter` may leave items out. */
function collect(
  build: Builder,
  range: Expr,
  variable: string,
  variable2: string | undefined,
  filter: Expr | undefined,
  item: Expr,
  at: number,
): Expr {
  const append = build.call(operators.add, [build.accumulator(at), build.list([item], at)], at);
  return build.comprehension({
    offset: at,
    range,
    variable,
    variable2,
    accumulator: accumulatorName,
    init: build.list([], at),
    condition: build.literal(true, at),
    step: filter ? build.call(operators.conditional, [filter, append, build.accumulator(at)], at) : append,
    result: build.accumulator(at),
  });
}

const map: Macro = (build, target, args, at) => {
  const variable = variableOf(args[0]!, 'argument is not an identifier');
  return args.length === 3
    ? collect(build, target!, variable, undefined, args[1], args[2]!, at)
    : collect(build, target!, variable, undefined, undefined, args[1]!, at);
};

const filter: Macro = (build, target, args, at) =>
  collect(build, target!, variableOf(args[0]!, 'argument is not an identifier'), undefined, args[1], args[0]!, at);

const transformList: Macro = (build, target, args, at) => {
  const [one, two] = variablesOf(args);
  return args.length === 4
    ? collect(build, target!, one, two, args[2], args[3]!, at)
    : collect(build, target!, one, two, undefined, args[2]!, at);
};

/** A map collected from a range, by cel.@mapInsert. */
function collectMap(build: Builder, target: Expr, args: readonly Expr[], at: number, insertArgs: (accu: Expr, item: Expr) => Expr[]): Expr {
  const [one, two] = variablesOf(args);
  const withFilter = args.length === 4;
  const insert = build.call('cel.@mapInsert', insertArgs(build.accumulator(at), args.at(-1)!), at);
  return build.comprehension({
    offset: at,
    range: target,
    variable: one,
    variable2: two,
    accumulator: accumulatorName,
    init: build.emptyMap(at),
    condition: build.literal(true, at),
    step: withFilter ? build.call(operators.conditional, [args[2]!, insert, build.accumulator(at)], at) : insert,
    result: build.accumulator(at),
  });
}

const transformMap: Macro = (build, target, args, at) =>
  collectMap(build, target!, args, at, (accu, item) => [accu, build.ident((args[0] as { name: string }).name, at), item]);
const transformMapEntry: Macro = (build, target, args, at) => collectMap(build, target!, args, at, (accu, item) => [accu, item]);

/** A variable for one expression: a comprehension over nothing. */
function bind(build: Builder, name: string, value: Expr, result: Expr, at: number): Expr {
  return build.comprehension({
    offset: at,
    range: build.list([], at),
    variable: '#unused',
    variable2: undefined,
    accumulator: name,
    init: value,
    condition: build.literal(false, at),
    step: build.ident(name, at),
    result,
  });
}

const optional =
  (flat: boolean): Macro =>
  (build, target, args, at) => {
    const [variable, body] = args as [Expr, Expr];
    if (variable.kind !== 'ident')
      throw new MacroError(`${flat ? 'optFlatMap' : 'optMap'}() variable name must be a simple identifier`, variable.offset);
    const value = build.call('value', [], at, build.copy(target!));
    const bound = bind(build, variable.name, value, body, at);
    const result = flat ? bound : build.call('optional.of', [bound], at);
    return build.call(operators.conditional, [build.call('hasValue', [], at, target), result, build.call('optional.none', [], at)], at);
  };

const sortInput = '@__sortBy_input__';
const sortBy: Macro = (build, target, args, at) => {
  if (!['list', 'select', 'ident', 'comprehension', 'call'].includes(target!.kind))
    throw new MacroError('sortBy can only be applied to a list, identifier, comprehension, call or select expression', target!.offset);
  const keys = map(build, build.ident(sortInput, at), args, at)!;
  const sorted = build.call('@sortByAssociatedKeys', [keys], at, build.ident(sortInput, at));
  return bind(build, sortInput, target!, sorted, at);
};

/** upstream: cel-go ext/bindings.go. */
const celBind: Macro = (build, target, args, at) => {
  if (target?.kind !== 'ident' || target.name !== 'cel') return undefined;
  const [variable, value, result] = args as [Expr, Expr, Expr];
  return bind(build, variableOf(variable, 'cel.bind() variable names must be simple identifiers'), value, result, at);
};

/** Those that an environment must allow. */
export const bindings: ReadonlyMap<string, Macro> = new Map([['bind:3:true', celBind]]);

/** By function, whether it is a member call, and count of arguments. */
export const macros: ReadonlyMap<string, Macro> = new Map<string, Macro>([
  ['has:1:false', has],
  ['all:2:true', quantifier('all')],
  ['exists:2:true', quantifier('exists')],
  ['exists_one:2:true', quantifier('one')],
  ['map:2:true', map],
  ['map:3:true', map],
  ['filter:2:true', filter],
  ['optMap:2:true', optional(false)],
  ['optFlatMap:2:true', optional(true)],
  ['all:3:true', quantifier2('all')],
  ['exists:3:true', quantifier2('exists')],
  ['existsOne:3:true', quantifier2('one')],
  ['exists_one:3:true', quantifier2('one')],
  ['transformList:3:true', transformList],
  ['transformList:4:true', transformList],
  ['transformMap:3:true', transformMap],
  ['transformMap:4:true', transformMap],
  ['transformMapEntry:3:true', transformMapEntry],
  ['transformMapEntry:4:true', transformMapEntry],
  ['sortBy:2:true', sortBy],
]);
