import { Uint } from './scalars.ts';
import type { Value } from './value.ts';

/** A map. Numbers that are equal are the same key, whatever their type. */
export abstract class MapValue {
  abstract readonly size: number;
  /** Undefined where the key is not there. */
  abstract find(key: Value): Value | undefined;
  abstract keys(): Iterable<Value>;

  has(key: Value): boolean {
    return this.find(key) !== undefined;
  }
}

/** What keys are told apart by; undefined for what can be no key. */
export function keyText(key: Value): string | undefined {
  switch (typeof key) {
    case 'string':
      return `s${key}`;
    case 'bigint':
      return `n${key}`;
    case 'boolean':
      return `b${key}`;
    case 'number':
      return Number.isInteger(key) ? `n${BigInt(key)}` : undefined;
  }
  return key instanceof Uint ? `n${key.value}` : undefined;
}

/** A map that an expression built. */
export class LiteralMap extends MapValue {
  readonly #entries: Map<string, [Value, Value]>;

  constructor(entries: Map<string, [Value, Value]>) {
    super();
    this.#entries = entries;
  }

  get size(): number {
    return this.#entries.size;
  }

  find(key: Value): Value | undefined {
    const text = keyText(key);
    return text === undefined ? undefined : this.#entries.get(text)?.[1];
  }

  *keys(): Generator<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }
}

/** A map under construction in a comprehension. */
export class GrowingMap extends LiteralMap {
  readonly #grown: Map<string, [Value, Value]>;

  constructor() {
    const entries = new Map<string, [Value, Value]>();
    super(entries);
    this.#grown = entries;
  }

  /** False where the key is there already, or can be none. */
  insert(key: Value, value: Value): boolean {
    const text = keyText(key);
    if (text === undefined || this.#grown.has(text)) return false;
    this.#grown.set(text, [key, value]);
    return true;
  }
}

/** A JSON object as a map; values are converted when they are first read. */
export class JsonMap extends MapValue {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #convert: (value: unknown, key: string) => Value;
  readonly #known = new Map<string, Value>();
  #size: number | undefined;

  constructor(object: Readonly<Record<string, unknown>>, convert: (value: unknown, key: string) => Value) {
    super();
    this.#object = object;
    this.#convert = convert;
  }

  get size(): number {
    return (this.#size ??= Object.keys(this.#object).length);
  }

  find(key: Value): Value | undefined {
    if (typeof key !== 'string' || !Object.hasOwn(this.#object, key) || this.#object[key] === undefined) return undefined;
    let value = this.#known.get(key);
    if (value === undefined) this.#known.set(key, (value = this.#convert(this.#object[key], key)));
    return value;
  }

  keys(): Iterable<Value> {
    return Object.keys(this.#object);
  }
}
