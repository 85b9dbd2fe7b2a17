/** Which leases there are and which keys hang on them. upstream: etcd server/lease/lessor.go. */

export interface LeaseEntry {
  readonly id: number;
  /** Seconds. */
  readonly ttl: number;
  /** In milliseconds of the clock's monotonic time. */
  expiry: number;
  readonly keys: Set<string>;
  revoking: boolean;
}

export class LeaseTable {
  readonly #leases = new Map<number, LeaseEntry>();
  /** A binary heap of (expiry, id). A lease that was kept alive is later than its place says; it is put back when its turn comes. */
  readonly #heap: { expiry: number; id: number }[] = [];

  has(id: number): boolean {
    return this.#leases.has(id);
  }

  get(id: number): LeaseEntry | undefined {
    return this.#leases.get(id);
  }

  /** Those that expire first come first. */
  ids(): number[] {
    return [...this.#leases.values()].sort((a, b) => a.expiry - b.expiry || a.id - b.id).map(({ id }) => id);
  }

  add(id: number, ttl: number, now: number): LeaseEntry {
    const lease = { id, ttl, expiry: now + ttl * 1000, keys: new Set<string>(), revoking: false };
    this.#leases.set(id, lease);
    this.#push({ expiry: lease.expiry, id });
    return lease;
  }

  /** Puts a lease back that was removed. */
  restore(lease: LeaseEntry): void {
    this.#leases.set(lease.id, lease);
    this.#push({ expiry: lease.expiry, id: lease.id });
  }

  remove(id: number): void {
    this.#leases.delete(id);
  }

  attach(id: number, key: string): void {
    if (id !== 0) this.#leases.get(id)?.keys.add(key);
  }

  detach(id: number, key: string): void {
    if (id !== 0) this.#leases.get(id)?.keys.delete(key);
  }

  /** When the next lease may expire; undefined without leases. */
  next(): number | undefined {
    this.#settle();
    return this.#heap[0]?.expiry;
  }

  /** Leases whose time is over. Each is named once; `restore` names it again. */
  expired(now: number): LeaseEntry[] {
    const found: LeaseEntry[] = [];
    for (this.#settle(); this.#heap[0] && this.#heap[0].expiry <= now; this.#settle()) found.push(this.#leases.get(this.#pop().id)!);
    return found;
  }

  /** Makes the heap's first entry true: drops what is gone, puts back what was kept alive. */
  #settle(): void {
    for (let first = this.#heap[0]; first; first = this.#heap[0]) {
      const lease = this.#leases.get(first.id);
      if (lease && lease.expiry <= first.expiry) return;
      this.#pop();
      if (lease) this.#push({ expiry: lease.expiry, id: lease.id });
    }
  }

  #push(entry: { expiry: number; id: number }): void {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.expiry <= heap[index]!.expiry) break;
      [heap[parent], heap[index]] = [heap[index]!, heap[parent]!];
      index = parent;
    }
  }

  #pop(): { expiry: number; id: number } {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let index = 0; ;) {
      const left = index * 2 + 1;
      let least = index;
      if (heap[left] && heap[left].expiry < heap[least]!.expiry) least = left;
      if (heap[left + 1] && heap[left + 1]!.expiry < heap[least]!.expiry) least = left + 1;
      if (least === index) return first;
      [heap[index], heap[least]] = [heap[least]!, heap[index]!];
      index = least;
    }
  }
}
