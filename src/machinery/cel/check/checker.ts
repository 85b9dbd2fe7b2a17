import { operators } from '../syntax/ast.ts';
import type { CallExpr, ComprehensionExpr, Expr, ListExpr, MapExpr, SelectExpr, StructExpr } from '../syntax/ast.ts';
import { CelCompileError } from '../source.ts';
import type { Issue, Source } from '../source.ts';
import {
  boolType,
  dynType,
  errorType,
  formatType,
  intType,
  isOptional,
  listOf,
  mapOf,
  optionalOf,
  sameType,
  stringType,
  struct,
  typeParam,
} from '../types.ts';
import type { CelType } from '../types.ts';
import { typeOf } from '../values/value.ts';
import { allAssignable, assignable, instantiate, Mapping, mostGeneral, substitute } from './assignability.ts';
import type { Overload } from './declarations.ts';
import type { Environment } from './environment.ts';

/** What checking found out. */
export interface Checked {
  readonly expr: Expr;
  readonly type: CelType;
  /** By the ids of expressions. */
  readonly types: ReadonlyMap<number, CelType>;
  /** Names resolved: variables, and qualified names that are one (a.b as a variable "a.b"). */
  readonly names: ReadonlyMap<number, string>;
  /** Calls: the function (qualified calls have lost their target) and the overloads that may apply. */
  readonly calls: ReadonlyMap<number, ResolvedCall>;
}

export interface ResolvedCall {
  readonly fn: string;
  readonly target: Expr | undefined;
  readonly overloads: readonly Overload[];
}

/** Throws a CelCompileError with every issue. upstream: cel-go checker/checker.go. */
export function check(expr: Expr, environment: Environment, source: Source): Checked {
  const checker = new Checker(environment);
  checker.check(expr);
  if (checker.issues.length) throw new CelCompileError(source, checker.issues);
  return checker.finish(expr);
}

const qualifiedName = (expr: Expr): string | undefined => {
  if (expr.kind === 'ident') return expr.name;
  if (expr.kind !== 'select' || expr.test) return undefined;
  const operand = qualifiedName(expr.operand);
  return operand === undefined ? undefined : `${operand}.${expr.field}`;
};

class Checker {
  readonly issues: Issue[] = [];
  readonly #environment: Environment;
  readonly #types = new Map<number, CelType>();
  readonly #names = new Map<number, string>();
  readonly #calls = new Map<number, ResolvedCall>();
  /** Variables of comprehensions, the innermost last. */
  readonly #scopes: Map<string, CelType>[] = [];
  #mapping = new Mapping();
  #params = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  finish(expr: Expr): Checked {
    const types = new Map<number, CelType>();
    for (const [id, type] of this.#types) types.set(id, substitute(this.#mapping, type, true));
    return { expr, type: types.get(expr.id)!, types, names: this.#names, calls: this.#calls };
  }

  check(expr: Expr): void {
    switch (expr.kind) {
      case 'literal':
        return this.#set(expr, typeOf(expr.value));
      case 'ident':
        return this.#ident(expr, expr.name);
      case 'select':
        return this.#select(expr);
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

  #issue(offset: number, message: string): void {
    this.issues.push({ offset, message });
  }

  #set(expr: Expr, type: CelType): void {
    this.#types.set(expr.id, type);
  }

  #typeOf(expr: Expr): CelType {
    return this.#types.get(expr.id) ?? errorType;
  }

  #lookup(name: string): CelType | undefined {
    const plain = name.startsWith('.') ? name.slice(1) : name;
    if (plain === name)
      for (let index = this.#scopes.length - 1; index >= 0; index--) {
        const type = this.#scopes[index]!.get(plain);
        if (type) return type;
      }
    return this.#environment.identType(plain);
  }

  #ident(expr: Expr, name: string): void {
    const type = this.#lookup(name);
    if (!type) {
      this.#issue(expr.offset, `undeclared reference to '${name}' (in container '')`);
      return this.#set(expr, errorType);
    }
    this.#names.set(expr.id, name.startsWith('.') ? name.slice(1) : name);
    this.#set(expr, type);
  }

  #select(expr: SelectExpr): void {
    const name = expr.test ? undefined : qualifiedName(expr);
    const type = name === undefined ? undefined : this.#lookup(name);
    if (type) {
      this.#names.set(expr.id, name!);
      return this.#set(expr, type);
    }
    const field = this.#field(expr, expr.operand, expr.field, false);
    this.#set(expr, expr.test ? boolType : substitute(this.#mapping, field, false));
  }

  #field(expr: Expr, operand: Expr, name: string, optional: boolean): CelType {
    this.check(operand);
    const operandType = substitute(this.#mapping, this.#typeOf(operand), false);
    const wrapped = isOptional(operandType);
    const target = wrapped ? operandType.params[0]! : operandType;
    let result: CelType = errorType;
    switch (target.kind) {
      case 'map':
        result = target.params[1]!;
        break;
      case 'struct':
        result = this.#fieldType(expr, target.name, name) ?? errorType;
        break;
      case 'param':
        this.#fits(dynType, target);
        result = dynType;
        break;
      default:
        if (!['dyn', 'any', 'error'].includes(target.kind))
          this.#issue(expr.offset, `type '${formatType(target)}' does not support field selection`);
        result = dynType;
    }
    return wrapped || optional ? optionalOf(result) : result;
  }

  #fieldType({ offset }: { offset: number }, type: string, name: string): CelType | undefined {
    const fields = this.#environment.fields(type);
    if (!fields) {
      this.#issue(offset, `unexpected failed resolution of '${type}'`);
      return undefined;
    }
    const found = fields(name);
    if (!found) this.#issue(offset, `undefined field '${name}'`);
    return found;
  }

  #call(expr: CallExpr): void {
    if (expr.fn === operators.optSelect) return this.#optionalSelect(expr);
    for (const arg of expr.args) this.check(arg);
    if (expr.target) {
      const prefix = qualifiedName(expr.target);
      const qualified = prefix === undefined ? undefined : this.#environment.function(`${prefix}.${expr.fn}`);
      if (qualified) return this.#resolve(expr, qualified.name, undefined, qualified.overloads);
      this.check(expr.target);
    }
    const name = expr.fn.startsWith('.') ? expr.fn.slice(1) : expr.fn;
    const declared = this.#environment.function(name);
    if (declared) return this.#resolve(expr, name, expr.target, declared.overloads);
    this.#issue(expr.offset, `undeclared reference to '${expr.fn}' (in container '')`);
    this.#set(expr, errorType);
  }

  #optionalSelect(expr: CallExpr): void {
    const [operand, field] = expr.args as [Expr, Expr];
    const name = field.kind === 'literal' && typeof field.value === 'string' ? field.value : '';
    this.#set(field, stringType);
    this.#set(expr, substitute(this.#mapping, this.#field(expr, operand, name, true), false));
    this.#calls.set(expr.id, { fn: expr.fn, target: undefined, overloads: this.#environment.function(expr.fn)?.overloads ?? [] });
  }

  #resolve(expr: CallExpr, fn: string, target: Expr | undefined, overloads: readonly Overload[]): void {
    const given = [...(target ? [target] : []), ...expr.args];
    const types = given.map((arg) => this.#typeOf(arg));
    if (fn === operators.and || fn === operators.or) return this.#logical(expr, fn, types, overloads);
    const matching: Overload[] = [];
    let result: CelType | undefined;
    for (const overload of overloads) {
      if (overload.member !== (target !== undefined)) continue;
      const [returned, ...args] = overload.params.length
        ? instantiate([overload.result, ...overload.args], overload.params, () => this.#fresh())
        : [overload.result, ...overload.args];
      const mapping = allAssignable(this.#mapping, types, args);
      if (!mapping) continue;
      this.#mapping = mapping;
      matching.push(overload);
      const type = substitute(this.#mapping, returned!, false);
      if (!result) result = type;
      else if (result.kind !== 'dyn' && !sameType(type, result)) result = dynType;
    }
    if (!result) {
      this.#noOverload(expr, fn, types, target !== undefined);
      return this.#set(expr, errorType);
    }
    this.#calls.set(expr.id, { fn, target, overloads: matching });
    this.#set(expr, result);
  }

  #logical(expr: CallExpr, fn: string, types: readonly CelType[], overloads: readonly Overload[]): void {
    let wrong = false;
    for (const [index, type] of types.entries())
      if (!this.#fits(type, boolType)) {
        this.#mismatch(expr.args[index]!, boolType, type);
        wrong = true;
      }
    this.#calls.set(expr.id, { fn, target: undefined, overloads });
    this.#set(expr, wrong ? errorType : boolType);
  }

  #noOverload(expr: CallExpr, fn: string, types: readonly CelType[], member: boolean): void {
    const shown = types.map((type) => formatType(substitute(this.#mapping, type, true)));
    const signature = member ? `${shown[0]}.(${shown.slice(1).join(', ')})` : `(${shown.join(', ')})`;
    this.#issue(expr.offset, `found no matching overload for '${fn}' applied to '${signature}'`);
  }

  #mismatch(expr: Expr, expected: CelType, found: CelType): void {
    this.#issue(expr.offset, `expected type '${formatType(expected)}' but found '${formatType(found)}'`);
  }

  #fits(target: CelType, value: CelType): boolean {
    const mapping = assignable(this.#mapping, target, value);
    if (mapping) this.#mapping = mapping;
    return mapping !== undefined;
  }

  #fresh(): CelType {
    return typeParam(`_var${this.#params++}`);
  }

  /** The type of an item marked with a question mark: what its optional holds. */
  #unwrapped(expr: Expr, optional: boolean): CelType {
    const type = this.#typeOf(expr);
    if (!optional) return type;
    if (isOptional(type)) return type.params[0]!;
    if (type.kind !== 'dyn') this.#mismatch(expr, optionalOf(type), type);
    return type;
  }

  /** The one type of items of a list or map; that they have one is the validators' affair. */
  #join(before: CelType | undefined, type: CelType): CelType {
    if (!before) return type;
    return this.#fits(before, type) ? mostGeneral(before, type) : dynType;
  }

  #list(expr: ListExpr): void {
    let element: CelType | undefined;
    for (const { value, optional } of expr.elements) {
      this.check(value);
      element = this.#join(element, this.#unwrapped(value, optional));
    }
    this.#set(expr, listOf(element ?? this.#fresh()));
  }

  #map(expr: MapExpr): void {
    let keys: CelType | undefined;
    let values: CelType | undefined;
    for (const { key, value, optional } of expr.entries) {
      this.check(key);
      keys = this.#join(keys, this.#typeOf(key));
      this.check(value);
      values = this.#join(values, this.#unwrapped(value, optional));
    }
    this.#set(expr, mapOf(keys ?? this.#fresh(), values ?? this.#fresh()));
  }

  #struct(expr: StructExpr): void {
    const name = expr.type.startsWith('.') ? expr.type.slice(1) : expr.type;
    const known = this.#environment.fields(name);
    if (!known) {
      this.#issue(expr.offset, `undeclared reference to '${expr.type}' (in container '')`);
      return this.#set(expr, errorType);
    }
    this.#names.set(expr.id, name);
    this.#set(expr, struct(name));
    for (const field of expr.fields) {
      this.check(field.value);
      const wanted = this.#fieldType(field, name, field.name) ?? errorType;
      const type = this.#unwrapped(field.value, field.optional);
      if (!this.#fits(wanted, type))
        this.#issue(
          field.offset,
          `expected type of field '${field.name}' is '${formatType(wanted)}' but provided type is '${formatType(type)}'`,
        );
    }
  }

  #comprehension(expr: ComprehensionExpr): void {
    this.check(expr.range);
    this.check(expr.init);
    const range = substitute(this.#mapping, this.#typeOf(expr.range), false);
    const accumulated = this.#typeOf(expr.init);
    let first: CelType = errorType;
    let second: CelType = errorType;
    const two = expr.variable2 !== undefined;
    if (range.kind === 'list') [first, second] = two ? [intType, range.params[0]!] : [range.params[0]!, errorType];
    else if (range.kind === 'map') [first, second] = [range.params[0]!, range.params[1]!];
    else if (['dyn', 'any', 'error', 'param'].includes(range.kind)) {
      this.#fits(dynType, range);
      [first, second] = [dynType, dynType];
    } else
      this.#issue(
        expr.range.offset,
        `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
      );
    this.#scopes.push(new Map([[expr.accumulator, accumulated]]));
    this.#scopes.push(new Map(two ? [[expr.variable, first] as const, [expr.variable2!, second] as const] : [[expr.variable, first]]));
    this.check(expr.condition);
    this.#assert(expr.condition, boolType);
    this.check(expr.step);
    this.#assert(expr.step, accumulated);
    this.#scopes.pop();
    this.check(expr.result);
    this.#scopes.pop();
    this.#set(expr, substitute(this.#mapping, this.#typeOf(expr.result), false));
  }

  #assert(expr: Expr, type: CelType): void {
    if (!this.#fits(type, this.#typeOf(expr))) this.#mismatch(expr, type, this.#typeOf(expr));
  }
}
