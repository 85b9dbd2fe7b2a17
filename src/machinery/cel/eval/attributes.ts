import { List } from '../values/list.ts';
import { MapValue } from '../values/map.ts';
import { CelError, noSuchOverload, Uint } from '../values/scalars.ts';
import { isError, none, ObjectValue, Optional } from '../values/value.ts';
import type { Value } from '../values/value.ts';
import type { Frame, Step } from './frame.ts';

/**
 * Chains of selections and indexes on a variable or a value: a.b[0].?c. They are one thing because they are paid for as one.
 * upstream: cel-go interpreter/attributes.go, runtimecost.go.
 */
export interface Qualifier {
  /** A constant, or what gives the key (and has been paid for when it returns). */
  readonly key: Value | Step;
  readonly optional: boolean;
}

/** Where a chain starts. */
export type Base =
  | { readonly kind: 'value'; readonly read: Step }
  | { readonly kind: 'conditional'; readonly condition: Step; readonly then: Attribute; readonly otherwise: Attribute };

export class Attribute {
  readonly base: Base;
  readonly qualifiers: readonly Qualifier[];
  /** The last qualifier only asks whether the field is there. */
  readonly test: boolean;

  constructor(base: Base, qualifiers: readonly Qualifier[] = [], test = false) {
    this.base = base;
    this.qualifiers = qualifiers;
    this.test = test;
  }

  with(qualifier: Qualifier, test = false): Attribute {
    if (this.base.kind !== 'conditional') return new Attribute(this.base, [...this.qualifiers, qualifier], test);
    const { condition, then, otherwise } = this.base;
    return new Attribute({ kind: 'conditional', condition, then: then.with(qualifier, test), otherwise: otherwise.with(qualifier, test) });
  }

  /** The value, itself paid for as one step. */
  step(): Step {
    const cost = this.base.kind === 'conditional' || this.test ? 0 : 1;
    return (frame) => {
      const value = this.resolve(frame);
      if (cost) frame.pay(cost);
      return value;
    };
  }

  /** The value; what is paid for is only what lies within. */
  resolve(frame: Frame): Value {
    const { base } = this;
    if (base.kind === 'conditional') {
      const condition = base.condition(frame);
      if (isError(condition)) return condition;
      if (condition === true) return base.then.resolve(frame);
      return condition === false ? base.otherwise.resolve(frame) : noSuchOverload;
    }
    let value = base.read(frame);
    if (isError(value) || this.qualifiers.length === 0) return value;
    let optional = false;
    if (value instanceof Optional) {
      if (value.value === undefined) return this.test ? false : value;
      value = value.value;
      optional = true;
    }
    const last = this.qualifiers.length - 1;
    for (let index = 0; index <= last; index++) {
      const qualifier = this.qualifiers[index]!;
      if (this.test && index === last) return present(frame, value, qualifier);
      optional ||= qualifier.optional;
      const next = apply(frame, value, qualifier, optional);
      if (next === undefined) return this.test ? false : none;
      if (isError(next)) return next;
      value = next;
    }
    return optional ? new Optional(value) : value;
  }
}

/** One step along the chain; undefined where nothing is there and nothing need be. */
function apply(frame: Frame, value: Value, { key }: Qualifier, optional: boolean): Value | undefined {
  let name: Value;
  if (typeof key === 'function') {
    name = key(frame);
    if (isError(name)) return name;
  } else name = key;
  const found = lookUp(value, name);
  const missing = found instanceof Missing;
  if (typeof key !== 'function' && !(missing && optional)) frame.pay(1);
  if (!missing) return found;
  return optional ? undefined : found.error();
}

function present(frame: Frame, value: Value, { key }: Qualifier): Value {
  frame.pay(1);
  if (value instanceof Optional) {
    if (value.value === undefined) return false;
    value = value.value;
  }
  const name = key as Value;
  if (value instanceof MapValue) return value.has(name);
  if (value instanceof ObjectValue) return value.has(name as string);
  return noSuchOverload;
}

/** There is no such key or index. */
class Missing {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  error(): CelError {
    return new CelError(this.#text);
  }
}

function lookUp(value: Value, key: Value): Value | Missing {
  if (value instanceof MapValue) return value.find(key) ?? new Missing(`no such key: ${keyShown(key)}`);
  if (value instanceof ObjectValue) {
    if (typeof key !== 'string') return noSuchOverload;
    return value.has(key) ? value.get(key) : new Missing(`no such key: ${key}`);
  }
  if (value instanceof List) {
    const index = typeof key === 'bigint' ? key : key instanceof Uint ? key.value : undefined;
    const place = index !== undefined ? Number(index) : typeof key === 'number' && Number.isInteger(key) ? key : undefined;
    if (place === undefined) return new CelError(`unsupported index type '${typeof key === 'string' ? 'string' : typeof key}' in list`);
    return place >= 0 && place < value.size ? value.at(place) : new Missing(`index out of bounds: ${place}`);
  }
  if (value instanceof Optional) {
    if (value.value === undefined) return none;
    const inner = lookUp(value.value, key);
    return inner instanceof Missing ? none : isError(inner) ? inner : new Optional(inner);
  }
  return noSuchOverload;
}

function keyShown(key: Value): string {
  if (key instanceof Uint) return String(key.value);
  return typeof key === 'object' ? JSON.stringify(key) : String(key);
}
