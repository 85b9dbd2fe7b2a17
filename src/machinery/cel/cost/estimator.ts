import type { Checked } from '../check/checker.ts';
import type { CallExpr, ComprehensionExpr, Expr } from '../syntax/ast.ts';
import { isOptional } from '../types.ts';
import type { CelType } from '../types.ts';
import { textSize } from '../values/value.ts';
import { estimateCall } from './calls.ts';
import { either, factor, fixed, largest, plus, times, unknown } from './estimate.ts';
import type { Range } from './estimate.ts';
import type { CallEstimate, CostNode, SizeEstimator } from './node.ts';

/** What an expression costs at least and at most, before it is run. upstream: cel-go checker/cost.go. */
export function estimateCost(checked: Checked, estimate: SizeEstimator = () => undefined): Range {
  return new Coster(checked, estimate).cost(checked.expr);
}

const traversal = 0.1;
const regexLength = 0.25;
const listBase = 10;
const mapBase = 30;
const structBase = 40;

/** Sizes of what a list or map holds. */
interface Entries {
  container: 'list' | 'map';
  key: Range;
  value: Range;
}

interface Local {
  path: readonly string[];
  size: Range | undefined;
  entries: Entries | undefined;
}

const none: Range = { min: largest, max: 0 };

class Coster {
  readonly #checked: Checked;
  readonly #estimate: SizeEstimator;
  readonly #paths = new Map<number, readonly string[]>();
  readonly #sizes = new Map<number, Range>();
  readonly #entries = new Map<number, Entries>();
  readonly #locals = new Map<string, Local[]>();

  constructor(checked: Checked, estimate: SizeEstimator) {
    this.#checked = checked;
    this.#estimate = estimate;
  }

  cost(expr: Expr): Range {
    switch (expr.kind) {
      case 'literal':
        return fixed(0);
      case 'ident':
        this.#paths.set(expr.id, this.#local(expr.name)?.path ?? [this.#checked.names.get(expr.id) ?? expr.name]);
        return fixed(1);
      case 'select': {
        const name = this.#checked.names.get(expr.id);
        if (name !== undefined) {
          this.#paths.set(expr.id, [name]);
          return fixed(1);
        }
        const operand = this.cost(expr.operand);
        if (expr.test) return operand;
        this.#paths.set(expr.id, [...this.#path(expr.operand), expr.field]);
        const { kind } = this.#type(expr.operand);
        return kind === 'map' || kind === 'struct' || kind === 'param' ? plus(operand, fixed(1)) : operand;
      }
      case 'call':
        return this.#call(expr);
      case 'list': {
        let value: Range = expr.elements.length === 0 ? { min: 0, max: 0 } : none;
        let sum = fixed(listBase);
        for (const element of expr.elements) {
          sum = plus(sum, this.cost(element.value));
          value = either(value, this.#sizeOrUnknown(element.value));
        }
        this.#entries.set(expr.id, { container: 'list', key: fixed(1), value });
        return sum;
      }
      case 'map': {
        let key: Range = expr.entries.length === 0 ? { min: 0, max: 0 } : none;
        let value = key;
        let sum = fixed(mapBase);
        for (const entry of expr.entries) {
          sum = plus(sum, this.cost(entry.key), this.cost(entry.value));
          key = either(key, this.#sizeOrUnknown(entry.key));
          value = either(value, this.#sizeOrUnknown(entry.value));
        }
        this.#entries.set(expr.id, { container: 'map', key, value });
        return sum;
      }
      case 'struct':
        return plus(fixed(structBase), ...expr.fields.map((field) => this.cost(field.value)));
      case 'comprehension':
        return isBind(expr) ? this.#bind(expr) : this.#comprehension(expr);
    }
  }

  #type(expr: Expr): CelType {
    return this.#checked.types.get(expr.id)!;
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1);
  }

  #push(name: string, local: Local): void {
    const stack = this.#locals.get(name);
    if (stack) stack.push(local);
    else this.#locals.set(name, [local]);
  }

  #pop(name: string): void {
    this.#locals.get(name)!.pop();
  }

  #path(expr: Expr): readonly string[] {
    if (expr.kind === 'ident') {
      const local = this.#local(expr.name);
      if (local) return local.path;
    }
    return this.#paths.get(expr.id) ?? [];
  }

  #node(expr: Expr): CostNode {
    const path = this.#path(expr);
    const isAccumulator = path[0] === '@result' || path[0] === '__result__';
    return { path: isAccumulator || path.length === 0 ? undefined : path, type: this.#type(expr), expr, size: this.#size(expr) };
  }

  #size(expr: Expr): Range | undefined {
    const known = this.#sizes.get(expr.id) ?? literalSize(expr);
    if (known) return known;
    const estimated = this.#estimate({ path: this.#path(expr), type: this.#type(expr), expr });
    if (estimated) {
      this.#sizes.set(expr.id, estimated);
      return estimated;
    }
    if (isScalar(this.#type(expr))) return fixed(1);
    return expr.kind === 'ident' ? this.#local(expr.name)?.size : undefined;
  }

  #sizeOrUnknown(expr: Expr): Range {
    return this.#size(expr) ?? unknown;
  }

  #entriesOf(expr: Expr): Entries | undefined {
    return this.#entries.get(expr.id) ?? (expr.kind === 'ident' ? this.#local(expr.name)?.entries : undefined);
  }

  #copySizes(to: Expr, from: Expr): void {
    const size = this.#size(from);
    if (size) this.#sizes.set(to.id, size);
    const entries = this.#entriesOf(from);
    if (entries) this.#entries.set(to.id, entries);
  }

  #call(expr: CallExpr): Range {
    const call = this.#checked.calls.get(expr.id);
    if (call?.fn === 'dyn') {
      const [arg] = expr.args;
      const cost = plus(fixed(1), this.cost(arg!));
      this.#copySizes(expr, arg!);
      return cost;
    }
    const costs = expr.args.map((arg) => this.cost(arg));
    const args = expr.args.map((arg) => this.#node(arg));
    if (!call?.overloads.length) return fixed(0);
    let sum = fixed(0);
    let target: CostNode | undefined;
    if (call.target) {
      sum = this.cost(call.target);
      target = this.#node(call.target);
    }
    let cost = none;
    let size: Range | undefined;
    // A selection of an optional field has one meaning, whatever its declaration lists.
    const overloads = call.overloads.map(({ id }) => id);
    for (const overload of overloads) {
      const estimated = this.#function(expr, call.fn, overload, target, args, costs);
      cost = either(cost, estimated.cost);
      if (estimated.size) size = size ? either(size, estimated.size) : estimated.size;
      if (overload === 'index_list' || overload === 'index_map') {
        size = this.#entriesOf(expr.args[0]!)?.value;
        this.#paths.set(expr.id, [...this.#path(expr.args[0]!), overload === 'index_list' ? '@items' : '@values']);
      }
      size ??= this.#size(expr);
    }
    if (size) this.#sizes.set(expr.id, size);
    return plus(sum, cost);
  }

  #function(
    expr: CallExpr,
    fn: string,
    overload: string,
    target: CostNode | undefined,
    args: readonly CostNode[],
    costs: readonly Range[],
  ): CallEstimate {
    const paid = plus(...costs);
    const known = estimateCall(fn, overload, target, args, this.#estimate);
    if (known) return { cost: plus(known.cost, paid), size: known.size };
    const size = (node: CostNode): Range => node.size ?? unknown;
    const [first, second] = args;
    switch (overload) {
      case 'string_format':
        return { cost: plus(factor(size(target!), traversal), paid) };
      case 'string_to_bytes':
        return { cost: plus(factor(size(first!), traversal), paid), size: times(size(first!), { min: 1, max: 4 }) };
      case 'bytes_to_string':
        return {
          cost: plus(factor(size(first!), traversal), paid),
          size: { min: Math.floor(size(first!).min / 4), max: size(first!).max },
        };
      case 'strings_quote':
        return {
          cost: plus(factor(size(first!), traversal), paid),
          size: plus(times(size(first!), { min: 1, max: 2 }), fixed(2)),
        };
      case 'starts_with_string':
      case 'ends_with_string':
        return { cost: plus(factor(size(first!), traversal), paid) };
      case 'in_list':
        return { cost: plus(size(second!), paid) };
      case 'matches_string':
        return {
          cost: plus(times(factor(plus(size(target!), fixed(1)), traversal), factor(size(first!), regexLength)), paid),
        };
      case 'contains_string':
        return { cost: plus(times(factor(size(target!), traversal), factor(size(first!), traversal)), paid) };
      case 'logical_or':
      case 'logical_and':
        return { cost: { min: costs[0]!.min, max: plus(costs[0]!, costs[1]!).max } };
      case 'conditional': {
        const [condition, then, otherwise] = costs as [Range, Range, Range];
        this.#joinEntries(expr, expr.args[1]!, expr.args[2]!);
        return { cost: plus(condition, either(then, otherwise)), size: either(size(second!), size(args[2]!)) };
      }
      case 'add_string':
      case 'add_bytes':
      case 'add_list': {
        const result = plus(size(first!), size(second!));
        this.#joinEntries(expr, expr.args[0]!, expr.args[1]!);
        return { cost: plus(overload === 'add_list' ? fixed(1) : factor(result, traversal), paid), size: result };
      }
    }
    if (comparisons.has(overload)) {
      const max = Math.min(size(first!).max, size(second!).max);
      return { cost: plus(factor({ min: max > 0 ? 1 : 0, max }, traversal), paid) };
    }
    return { cost: plus(fixed(1), paid) };
  }

  #joinEntries(expr: Expr, a: Expr, b: Expr): void {
    const left = this.#entriesOf(a);
    const right = this.#entriesOf(b);
    if (left && right)
      this.#entries.set(expr.id, { container: left.container, key: either(left.key, right.key), value: either(left.value, right.value) });
  }

  #bind(expr: ComprehensionExpr): Range {
    const sum = plus(this.cost(expr.range), this.cost(expr.init));
    this.#pushValue(expr.accumulator, expr.init);
    const result = this.cost(expr.result);
    this.#pop(expr.accumulator);
    this.#copySizes(expr, expr.result);
    return plus(sum, result);
  }

  #pushValue(name: string, value: Expr): void {
    this.#push(name, { path: this.#path(value), size: this.#size(value), entries: this.#entriesOf(value) });
  }

  #comprehension(expr: ComprehensionExpr): Range {
    const before = plus(this.cost(expr.range), this.cost(expr.init));
    this.#pushValue(expr.accumulator, expr.init);
    const entries = this.#entriesOf(expr.range);
    const path = this.#path(expr.range);
    const isList = (entries?.container ?? this.#type(expr.range).kind) === 'list';
    const bound = (step: string, size: Range | undefined): Local => ({ path: [...path, step], size, entries: undefined });
    if (expr.variable2 !== undefined) {
      this.#push(expr.variable, bound(isList ? '@indices' : '@keys', entries?.key));
      this.#push(expr.variable2, bound(isList ? '@items' : '@values', entries?.value));
    } else this.#push(expr.variable, bound(isList ? '@items' : '@keys', isList ? entries?.value : entries?.key));
    const loop = plus(this.cost(expr.condition), this.cost(expr.step));
    this.#pop(expr.variable);
    if (expr.variable2 !== undefined) this.#pop(expr.variable2);
    const result = this.cost(expr.result);
    this.#pop(expr.accumulator);
    const count = this.#sizeOrUnknown(expr.range);
    if (expr.init.kind === 'literal') {
      const size = this.#size(expr.init);
      if (size) this.#sizes.set(expr.id, size);
    } else if (expr.init.kind === 'list' || expr.init.kind === 'map') {
      this.#sizes.set(expr.id, count);
      const step = this.#entriesOf(expr.step);
      if (step) this.#entries.set(expr.id, step);
    }
    return plus(before, result, times(count, loop));
  }
}

const comparisons = new Set([
  'equals',
  'not_equals',
  ...['less', 'greater', 'less_equals', 'greater_equals'].flatMap((name) => [`${name}_string`, `${name}_bytes`]),
]);

const isBind = (expr: ComprehensionExpr): boolean =>
  expr.range.kind === 'list' &&
  expr.range.elements.length === 0 &&
  expr.condition.kind === 'literal' &&
  expr.condition.value === false &&
  expr.accumulator !== '__result__';

function literalSize(expr: Expr): Range | undefined {
  switch (expr.kind) {
    case 'literal':
      if (typeof expr.value === 'string') return fixed(textSize(expr.value));
      return fixed(expr.value instanceof Uint8Array ? expr.value.length : 1);
    case 'list':
      return fixed(expr.elements.length);
    case 'map':
      return fixed(expr.entries.length);
    default:
      return undefined;
  }
}

function isScalar(type: CelType): boolean {
  if (isOptional(type)) return isScalar(type.params[0]!);
  return ['bool', 'double', 'duration', 'int', 'timestamp', 'uint'].includes(type.kind);
}
