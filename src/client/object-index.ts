import type { KubeObject } from '#machinery/meta';

interface Index<T> {
  values: (object: T) => string[];
  entries: Map<string, Map<string, T>>;
}

const namespaceIndex = '#namespace';

/** Objects by key, and by what index functions say of them. upstream: client-go tools/cache/thread_safe_store.go. */
export class ObjectIndex<T extends KubeObject> {
  #objects = new Map<string, T>();
  #indexes = new Map<string, Index<T>>();

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  entries(): IterableIterator<[string, T]> {
    return this.#objects.entries();
  }

  set(key: string, object: T): void {
    const old = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) {
      const values = index.values(object);
      if (old) for (const value of index.values(old)) if (!values.includes(value)) drop(index, value, key);
      for (const value of values) enter(index, value, key, object);
    }
  }

  delete(key: string): boolean {
    const old = this.#objects.get(key);
    if (!old) return false;
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) for (const value of index.values(old)) drop(index, value, key);
    return true;
  }

  list(namespace?: string): T[] {
    if (namespace === undefined || namespace === '') return [...this.#objects.values()];
    this.addIndex(namespaceIndex, (object) => [object.metadata?.namespace ?? '']);
    return this.byIndex(namespaceIndex, namespace);
  }

  byIndex(name: string, value: string): T[] {
    const index = this.#indexes.get(name);
    if (!index) throw new Error(`Cannot look up by index ${name}: no such index`);
    const found = index.entries.get(value);
    return found ? [...found.values()] : [];
  }

  addIndex(name: string, values: (object: T) => string[]): void {
    if (this.#indexes.has(name)) return;
    const index: Index<T> = { values, entries: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects) for (const value of values(object)) enter(index, value, key, object);
  }
}

function enter<T>(index: Index<T>, value: string, key: string, object: T): void {
  let entries = index.entries.get(value);
  if (!entries) index.entries.set(value, (entries = new Map()));
  entries.set(key, object);
}

function drop<T>(index: Index<T>, value: string, key: string): void {
  const entries = index.entries.get(value);
  if (!entries) return;
  entries.delete(key);
  if (entries.size === 0) index.entries.delete(value);
}
