import type { Checked, ResolvedCall } from '../check/checker.ts';
import type { Environment } from '../check/environment.ts';
import { operators } from '../syntax/ast.ts';
import type { CallExpr, ComprehensionExpr, Expr, ListExpr, MapExpr, StructExpr } from '../syntax/ast.ts';
import { equals } from '../values/equality.ts';
import { GrowingList, List } from '../values/list.ts';
import { GrowingMap, keyText, LiteralMap, MapValue } from '../values/map.ts';
import { CelError, noSuchOverload } from '../values/scalars.ts';
import { isError, Optional, typeOf } from '../values/value.ts';
import type { Value } from '../values/value.ts';
import { binary, contains, negate, not } from './arithmetic.ts';
import { Attribute } from './attributes.ts';
import type { Qualifier } from './attributes.ts';
import { callCost, isPrimitive } from './call-cost.ts';
import { Frame } from './frame.ts';
import type { Activation, Step } from './frame.ts';
import { matches } from './matching.ts';

/** Makes values of types that expressions may build: Object{spec: …} in mutating policies. */
export type StructFactory = (type: string, fields: ReadonlyMap<string, Value>) => Value;

/** A compiled expression, ready to be run any number of times. */
export interface Runnable {
  run(activation: Activation, limit: number): { value: Value; cost: number };
}

/** Turns a checked expression into steps. upstream: cel-go interpreter/planner.go. Throws a CelError's text where a constant is wrong. */
export function compile(checked: Checked, environment: Environment, structs?: StructFactory): Runnable {
  const compiler = new Compiler(checked, environment, structs);
  const node = compiler.plan(checked.expr);
  const step = stepOf(node);
  return {
    run(activation, limit) {
      const frame = new Frame(activation, limit, compiler.slots);
      const value = step(frame);
      return { value: value instanceof GrowingList ? value.done() : value, cost: frame.cost };
    },
  };
}

/** Planned: a constant, a chain that more may be added to, or anything else. */
type Plan = { readonly constant: Value } | Attribute | Step;

const isConstant = (plan: Plan): plan is { readonly constant: Value } => typeof plan === 'object' && 'constant' in plan;

function stepOf(plan: Plan): Step {
  if (typeof plan === 'function') return plan;
  if (plan instanceof Attribute) return plan.step();
  const { constant } = plan;
  return () => constant;
}

/** A branch of a conditional, or what a chain goes on from: a chain is not paid for by itself there. */
const asAttribute = (plan: Plan): Attribute => (plan instanceof Attribute ? plan : new Attribute({ kind: 'value', read: stepOf(plan) }));

const conversions = new Set(['bool', 'bytes', 'double', 'duration', 'dyn', 'int', 'string', 'timestamp', 'type', 'uint']);

class Compiler {
  slots = 0;
  readonly #checked: Checked;
  readonly #environment: Environment;
  readonly #structs: StructFactory | undefined;
  /** Names of comprehension variables and how they are read, the innermost last. */
  readonly #scopes: Map<string, Step>[] = [];

  constructor(checked: Checked, environment: Environment, structs: StructFactory | undefined) {
    this.#checked = checked;
    this.#environment = environment;
    this.#structs = structs;
  }

  plan(expr: Expr): Plan {
    switch (expr.kind) {
      case 'literal':
        return { constant: expr.value };
      case 'ident':
        return this.#name(this.#checked.names.get(expr.id)!);
      case 'select': {
        const name = this.#checked.names.get(expr.id);
        if (name !== undefined) return this.#name(name);
        const operand = this.#chain(this.plan(expr.operand));
        return operand.with({ key: expr.field, optional: false }, expr.test);
      }
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return this.#struct(expr);
      case 'comprehension':
        return this.#comprehension(expr);
    }
  }

  #step(expr: Expr): Step {
    return stepOf(this.plan(expr));
  }

  #chain(plan: Plan): Attribute {
    return plan instanceof Attribute && !plan.test ? plan : new Attribute({ kind: 'value', read: stepOf(plan) });
  }

  #name(name: string): Plan {
    for (let index = this.#scopes.length - 1; index >= 0; index--) {
      const read = this.#scopes[index]!.get(name);
      if (read) return new Attribute({ kind: 'value', read });
    }
    if (!this.#environment.variable(name)) return { constant: this.#environment.typeNamed(name)! };
    const missing = new CelError(`no such attribute(s): ${name}`);
    return new Attribute({
      kind: 'value',
      read: (frame) => {
        const value = frame.activation(name);
        return value === undefined ? missing : value;
      },
    });
  }

  #call(expr: CallExpr): Plan {
    const call = this.#checked.calls.get(expr.id)!;
    const operands = [...(call.target ? [call.target] : []), ...expr.args].map((arg) => this.plan(arg));
    switch (call.fn) {
      case operators.and:
        return logical(stepOf(operands[0]!), stepOf(operands[1]!), false);
      case operators.or:
        return logical(stepOf(operands[0]!), stepOf(operands[1]!), true);
      case operators.conditional:
        return new Attribute({
          kind: 'conditional',
          condition: stepOf(operands[0]!),
          then: asAttribute(operands[1]!),
          otherwise: asAttribute(operands[2]!),
        });
      case operators.index:
        return this.#chain(operands[0]!).with(qualifier(operands[1]!, false));
      case operators.optIndex:
      case operators.optSelect:
        return this.#chain(operands[0]!).with(qualifier(operands[1]!, true));
    }
    const overload = call.overloads.length === 1 ? call.overloads[0]!.id : '';
    if (call.target && (call.fn === 'or' || call.fn === 'orValue') && operands.length === 2)
      return alternative(stepOf(operands[0]!), stepOf(operands[1]!), call.fn === 'orValue');
    if (overload === 'in_list' && isConstant(operands[1]!)) {
      const membership = constantMembership(stepOf(operands[0]!), operands[1].constant as List);
      if (membership) return membership;
    }
    const steps = operands.map(stepOf);
    const run = implementation(call);
    const cost = callCost(call.fn, overload);
    // Conversions of constants are done once, and cost nothing later.
    if (conversions.has(call.fn) && operands.length === 1 && isConstant(operands[0]!)) {
      const value = run([operands[0].constant]);
      if (isError(value)) throw new ConstantError(value.message);
      return { constant: value };
    }
    const strict = call.fn !== operators.notStrictlyFalse;
    return (frame) => {
      const args: Value[] = [];
      for (let index = 0; index < steps.length; index++) args.push(steps[index]!(frame));
      const failed = strict ? args.find(isError) : undefined;
      const value = failed ?? run(args);
      frame.pay(cost(args, value));
      return value;
    };
  }

  #list(expr: ListExpr): Plan {
    const items = expr.elements.map(({ value, optional }) => ({ plan: this.plan(value), optional }));
    if (items.every(({ plan, optional }) => isConstant(plan) && !optional))
      return { constant: new List(items.map(({ plan }) => (plan as { constant: Value }).constant)) };
    const steps = items.map(({ plan, optional }) => ({ step: stepOf(plan), optional }));
    return (frame) => {
      const values: Value[] = [];
      for (const { step, optional } of steps) {
        const value = step(frame);
        if (isError(value)) return paid(frame, 10, value);
        if (!optional) values.push(value);
        else if (!(value instanceof Optional))
          return paid(frame, 10, new CelError(`cannot initialize optional list element from non-optional value ${String(value)}`));
        else if (value.value !== undefined) values.push(value.value);
      }
      return paid(frame, 10, new List(values));
    };
  }

  #map(expr: MapExpr): Plan {
    const entries = expr.entries.map(({ key, value, optional }) => ({ key: this.plan(key), value: this.plan(value), optional }));
    const steps = entries.map(({ key, value, optional }) => ({ key: stepOf(key), value: stepOf(value), optional }));
    const build: Step = (frame) => {
      const found = new Map<string, [Value, Value]>();
      for (const { key, value, optional } of steps) {
        const name = key(frame);
        if (isError(name)) return name;
        let item = value(frame);
        if (isError(item)) return item;
        if (optional) {
          if (!(item instanceof Optional))
            return new CelError(`cannot initialize optional entry '${String(name)}' from non-optional value ${String(item)}`);
          if (item.value === undefined) continue;
          item = item.value;
        }
        const text = keyText(name);
        if (text === undefined) return new CelError(`unsupported key type: ${typeOf(name).name}`);
        if (found.has(text)) return new CelError(`Failed with repeated key`);
        found.set(text, [name, item]);
      }
      return new LiteralMap(found);
    };
    if (entries.every(({ key, value, optional }) => isConstant(key) && isConstant(value) && !optional)) {
      const value = build(new Frame(() => undefined, Infinity, 0));
      if (!isError(value)) return { constant: value };
    }
    return (frame) => paid(frame, 30, build(frame));
  }

  #struct(expr: StructExpr): Plan {
    const name = this.#checked.names.get(expr.id)!;
    const fields = expr.fields.map((field) => ({ name: field.name, step: this.#step(field.value), optional: field.optional }));
    const make = this.#structs;
    return (frame) => {
      const values = new Map<string, Value>();
      for (const { name: field, step, optional } of fields) {
        let value = step(frame);
        if (isError(value)) return paid(frame, 40, value);
        if (optional) {
          if (!(value instanceof Optional))
            return paid(frame, 40, new CelError(`cannot initialize optional entry '${field}' from non-optional value ${String(value)}`));
          if (value.value === undefined) continue;
          value = value.value;
        }
        values.set(field, value);
      }
      return paid(frame, 40, make ? make(name, values) : new CelError(`unknown type '${name}'`));
    };
  }

  #comprehension(expr: ComprehensionExpr): Plan {
    const range = this.#step(expr.range);
    const init = this.#step(expr.init);
    const accumulator = this.slots++;
    const first = this.slots++;
    const second = this.slots++;
    const slot =
      (index: number): Step =>
      (frame) =>
        frame.slots[index]!;
    const accumulated: Step = (frame) => {
      const known = frame.slots[accumulator];
      if (known !== undefined) return known;
      const value = init(frame);
      const growing = value instanceof List && value.size === 0 ? new GrowingList() : emptyMap(value) ? new GrowingMap() : value;
      return (frame.slots[accumulator] = growing);
    };
    this.#scopes.push(new Map([[expr.accumulator, accumulated]]));
    const variables = new Map([[expr.variable, slot(first)]]);
    if (expr.variable2 !== undefined) variables.set(expr.variable2, slot(second));
    this.#scopes.push(variables);
    const condition = this.#step(expr.condition);
    const step = this.#step(expr.step);
    this.#scopes.pop();
    const result = this.#step(expr.result);
    this.#scopes.pop();
    const two = expr.variable2 !== undefined;

    return (frame) => {
      const items = range(frame);
      if (isError(items)) return items;
      // A comprehension within a comprehension begins anew each time.
      frame.slots[accumulator] = undefined;
      if (items instanceof List) {
        for (let index = 0; index < items.size; index++) {
          frame.slots[first] = two ? BigInt(index) : items.at(index);
          if (two) frame.slots[second] = items.at(index);
          if (condition(frame) === false) break;
          frame.slots[accumulator] = step(frame);
        }
      } else if (items instanceof MapValue) {
        for (const key of items.keys()) {
          frame.slots[first] = key;
          if (two) frame.slots[second] = items.find(key)!;
          if (condition(frame) === false) break;
          frame.slots[accumulator] = step(frame);
        }
      } else return new CelError(`got '${typeOf(items).name}', expected iterable type`);
      const value = result(frame);
      return value instanceof GrowingList ? value.done() : value;
    };
  }
}

/** A constant in the expression is wrong: it is refused before it is ever run. */
export class ConstantError extends Error {
  override name = 'ConstantError';
}

const emptyMap = (value: Value): boolean => value instanceof MapValue && value.size === 0;

function paid(frame: Frame, cost: number, value: Value): Value {
  frame.pay(cost);
  return value;
}

/** An index that is a chain is paid for as one; any other is paid for beyond what it costs itself. */
function qualifier(index: Plan, optional: boolean): Qualifier {
  if (isConstant(index)) return { key: index.constant, optional };
  const step = stepOf(index);
  if (index instanceof Attribute) return { key: step, optional };
  return {
    key: (frame) => {
      const value = step(frame);
      frame.pay(1);
      return value;
    },
    optional,
  };
}

/** && and ||: one side that decides is enough, even where the other fails. */
function logical(left: Step, right: Step, decisive: boolean): Step {
  return (frame) => {
    const first = left(frame);
    if (first === decisive) return decisive;
    const second = right(frame);
    if (second === decisive) return decisive;
    if (typeof first !== 'boolean') return isError(first) ? first : noSuchOverload;
    if (typeof second !== 'boolean') return isError(second) ? second : noSuchOverload;
    return !decisive;
  };
}

/** optional.or(other), optional.orValue(value): the second is asked only where the first is none. */
function alternative(first: Step, second: Step, unwrap: boolean): Step {
  return (frame) => {
    const value = first(frame);
    if (isError(value)) return value;
    if (!(value instanceof Optional)) return noSuchOverload;
    if (value.value === undefined) return second(frame);
    return unwrap ? value.value : value;
  };
}

/** `x in [constants]`: looked up, at no cost. Undefined where the constants cannot be. */
function constantMembership(item: Step, list: List): Plan | undefined {
  if (list.size === 0) return { constant: false };
  const known = new Set<string>();
  for (const value of list) {
    if (!isPrimitive(value)) return undefined;
    known.add(keyText(value) ?? `?${String(value)}`);
  }
  return (frame) => {
    const value = item(frame);
    if (isError(value)) return value;
    const text = keyText(value);
    return text === undefined ? contains(value, list) : known.has(text);
  };
}

/** What a call does with its arguments, none of which is an error. */
function implementation({ fn, overloads }: ResolvedCall): (args: readonly Value[]) => Value {
  const operator = Object.hasOwn(binary, fn) ? binary[fn] : undefined;
  if (operator) return ([a, b]) => operator(a!, b!);
  switch (fn) {
    case operators.equals:
      return ([a, b]) => equals(a!, b!);
    case operators.notEquals:
      return ([a, b]) => !equals(a!, b!);
    case operators.not:
      return ([a]) => not(a!);
    case operators.negate:
      return ([a]) => negate(a!);
    case operators.notStrictlyFalse:
      return ([a]) => (typeof a === 'boolean' ? a : true);
    case 'dyn':
      return ([a]) => a!;
    case 'type':
      return ([a]) => typeOf(a!);
    case 'cel.@mapInsert':
      return insert;
  }
  const [only] = overloads;
  const single = overloads.length === 1 ? only : undefined;
  return (args) => {
    const overload = single ? (matches(single, args) ? single : undefined) : overloads.find((each) => matches(each, args));
    return overload?.run ? overload.run(...args) : mismatched(fn, args);
  };
}

/** Functions whose arguments upstream looks at only by what they can do. */
const unguarded = new Set(['startsWith', 'endsWith', 'contains', 'matches']);

function mismatched(fn: string, args: readonly Value[]): CelError {
  if (unguarded.has(fn)) return noSuchOverload;
  return new CelError(`no such overload: ${fn === 'size' ? fn : `${fn}(${args.map((arg) => typeOf(arg).name).join(', ')})`}`);
}

/** Adds an entry, or a map of them, to the map that a comprehension builds. */
function insert([into, key, value]: readonly Value[]): Value {
  const map = into as GrowingMap;
  if (value !== undefined) return map.insert(key!, value) ? map : new CelError(`insert failed: key ${String(key)} already exists`);
  const entries = key as MapValue;
  for (const name of entries.keys())
    if (!map.insert(name, entries.find(name)!)) return new CelError(`insert failed: key ${String(name)} already exists`);
  return map;
}
