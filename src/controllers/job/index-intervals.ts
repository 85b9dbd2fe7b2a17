/** A set of indexes as status.completedIndexes writes it: "1,3-5,7". upstream: pkg/controller/job/indexed_job_utils.go. */
export class IndexSet {
  /** In order, neither overlapping nor touching. */
  readonly #intervals: readonly (readonly [number, number])[];

  private constructor(intervals: readonly (readonly [number, number])[]) {
    this.#intervals = intervals;
  }

  static of(indexes: Iterable<number>): IndexSet {
    return IndexSet.#merge([...indexes].map((index) => [index, index]));
  }

  /** Indexes from `limit` on are left out, as is what cannot be read. */
  static parse(text: string | undefined, limit: number): IndexSet {
    const intervals: [number, number][] = [];
    for (const part of (text ?? '').split(',')) {
      const bounds = /^(\d+)(?:-(\d+))?$/.exec(part);
      if (!bounds) continue;
      const first = Number(bounds[1]);
      const last = Math.min(Number(bounds[2] ?? bounds[1]), limit - 1);
      if (first < limit && first <= last) intervals.push([first, last]);
    }
    return IndexSet.#merge(intervals);
  }

  static #merge(intervals: readonly (readonly [number, number])[]): IndexSet {
    const merged: [number, number][] = [];
    for (const [first, last] of intervals.toSorted((a, b) => a[0] - b[0])) {
      const previous = merged.at(-1);
      if (previous && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
      else merged.push([first, last]);
    }
    return new IndexSet(merged);
  }

  get size(): number {
    return this.#intervals.reduce((total, [first, last]) => total + last - first + 1, 0);
  }

  has(index: number): boolean {
    return this.#intervals.some(([first, last]) => first <= index && index <= last);
  }

  with(other: IndexSet): IndexSet {
    return IndexSet.#merge([...this.#intervals, ...other.#intervals]);
  }

  /** How many indexes both have. */
  common(other: IndexSet): number {
    let count = 0;
    for (const [first, last] of this.#intervals)
      for (const [from, to] of other.#intervals) count += Math.max(0, Math.min(last, to) - Math.max(first, from) + 1);
    return count;
  }

  /** The first `count` indexes below `limit` that are not in the set. */
  missing(count: number, limit: number): number[] {
    const found: number[] = [];
    let candidate = 0;
    for (const [first, last] of [...this.#intervals, [limit, limit] as const]) {
      for (; candidate < Math.min(first, limit) && found.length < count; candidate++) found.push(candidate);
      candidate = Math.max(candidate, last + 1);
    }
    return found;
  }

  toString(): string {
    return this.#intervals
      .map(([first, last]) => (last === first ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`))
      .join(',');
  }
}
