import type { Value } from './value.ts';

/** A list; items that come from data are converted when they are first read. */
export class List {
  readonly #items: unknown[];
  readonly #convert: ((item: unknown) => Value) | undefined;
  readonly #known: (Value | undefined)[];
  /** Equality and adding that data of its kind has (sets, lists with keys). */
  readonly semantics: ListSemantics | undefined;

  constructor(items: readonly unknown[], convert?: (item: unknown) => Value, semantics?: ListSemantics) {
    this.#items = items as unknown[];
    this.#convert = convert;
    this.#known = convert ? [] : (items as Value[]);
    this.semantics = semantics;
  }

  get size(): number {
    return this.#items.length;
  }

  at(index: number): Value {
    if (!this.#convert) return this.#known[index]!;
    const known = this.#known[index];
    if (known !== undefined) return known;
    return (this.#known[index] = this.#convert(this.#items[index]));
  }

  *[Symbol.iterator](): Generator<Value> {
    for (let index = 0; index < this.size; index++) yield this.at(index);
  }

  toArray(): Value[] {
    return this.#convert ? [...this] : (this.#known as Value[]);
  }
}

/** How lists with x-kubernetes-list-type set or map behave. */
export interface ListSemantics {
  equal(a: List, b: List): boolean;
  add(a: List, b: List): List;
}

/** A list under construction in a comprehension: adding to it changes it, so that n items cost n steps. */
export class GrowingList extends List {
  readonly #grown: Value[];

  constructor() {
    const items: Value[] = [];
    super(items);
    this.#grown = items;
  }

  append(other: List): this {
    for (let index = 0; index < other.size; index++) this.#grown.push(other.at(index));
    return this;
  }

  done(): List {
    return new List(this.#grown);
  }
}
