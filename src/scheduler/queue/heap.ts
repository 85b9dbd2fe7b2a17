/** A binary heap whose items are found by key. upstream: pkg/scheduler/backend/heap. */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #places = new Map<string, number>();
  readonly #keyOf: (item: T) => string;
  readonly #less: (a: T, b: T) => boolean;

  constructor(keyOf: (item: T) => string, less: (a: T, b: T) => boolean) {
    this.#keyOf = keyOf;
    this.#less = less;
  }

  get size(): number {
    return this.#items.length;
  }

  get(key: string): T | undefined {
    const place = this.#places.get(key);
    return place === undefined ? undefined : this.#items[place];
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  values(): readonly T[] {
    return this.#items;
  }

  /** Adds, or replaces the item of the same key. */
  push(item: T): void {
    const place = this.#places.get(this.#keyOf(item)) ?? this.#items.length;
    this.#items[place] = item;
    this.#places.set(this.#keyOf(item), place);
    this.#settle(place);
  }

  pop(): T | undefined {
    const [first] = this.#items;
    if (first !== undefined) this.#removeAt(0);
    return first;
  }

  delete(key: string): T | undefined {
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    const item = this.#items[place];
    this.#removeAt(place);
    return item;
  }

  #removeAt(place: number): void {
    this.#places.delete(this.#keyOf(this.#items[place]!));
    const last = this.#items.pop()!;
    if (place === this.#items.length) return;
    this.#items[place] = last;
    this.#places.set(this.#keyOf(last), place);
    this.#settle(place);
  }

  #settle(start: number): void {
    const items = this.#items;
    let place = start;
    for (;;) {
      const parent = (place - 1) >> 1;
      if (place === 0 || !this.#less(items[place]!, items[parent]!)) break;
      this.#swap(place, parent);
      place = parent;
    }
    for (;;) {
      const left = place * 2 + 1;
      if (left >= items.length) return;
      const child = left + 1 < items.length && this.#less(items[left + 1]!, items[left]!) ? left + 1 : left;
      if (!this.#less(items[child]!, items[place]!)) return;
      this.#swap(place, child);
      place = child;
    }
  }

  #swap(a: number, b: number): void {
    const items = this.#items;
    const item = items[a]!;
    items[a] = items[b]!;
    items[b] = item;
    this.#places.set(this.#keyOf(items[a]), a);
    this.#places.set(this.#keyOf(item), b);
  }
}
