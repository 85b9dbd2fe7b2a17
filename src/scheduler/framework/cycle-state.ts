/** What one scheduling cycle remembers between the steps of its plugins. Values that change with added or removed pods have a `clone`. */
export class CycleState {
  readonly #data = new Map<string, unknown>();
  /** Plugins whose preFilter, or preScore, said 'skip'. */
  skipFilter = new Set<string>();
  skipScore = new Set<string>();

  read<T>(key: string): T | undefined {
    return this.#data.get(key) as T | undefined;
  }

  write(key: string, value: unknown): void {
    this.#data.set(key, value);
  }

  clone(): CycleState {
    const copy = new CycleState();
    for (const [key, value] of this.#data) copy.#data.set(key, isCloneable(value) ? value.clone() : value);
    copy.skipFilter = this.skipFilter;
    copy.skipScore = this.skipScore;
    return copy;
  }
}

interface Cloneable {
  clone(): unknown;
}

const isCloneable = (value: unknown): value is Cloneable =>
  typeof value === 'object' && value !== null && typeof (value as Partial<Cloneable>).clone === 'function';
