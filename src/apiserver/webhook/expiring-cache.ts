import type { Clock } from '#machinery/clock';

/** Answers that hold for a while; of too many the one unused for longest goes. upstream: apimachinery/pkg/util/cache LRUExpireCache. */
export class ExpiringCache<T> {
  readonly #clock: Clock;
  readonly #largest: number;
  readonly #entries = new Map<string, { value: T; until: number }>();

  constructor(clock: Clock, largest = 8192) {
    this.#clock = clock;
    this.#largest = largest;
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    if (this.#clock.monotonic() >= entry.until) return undefined;
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** `lifetime` in milliseconds; 0: it is not kept. */
  set(key: string, value: T, lifetime: number): void {
    if (lifetime <= 0) return;
    this.#entries.delete(key);
    if (this.#entries.size >= this.#largest) this.#entries.delete(this.#entries.keys().next().value!);
    this.#entries.set(key, { value, until: this.#clock.monotonic() + lifetime });
  }
}
