import type { Clock } from '#machinery/clock';

interface Entry {
  backoff: number;
  /** When it was last raised, in milliseconds since 1970. */
  updated: number;
}

/** Doubling pauses by key, from `initial` to `maximum` milliseconds, forgotten after twice the maximum (or `forgetAfter`) of peace. upstream: client-go flowcontrol.Backoff. */
export class BackOff {
  readonly #clock: Clock;
  readonly #initial: number;
  readonly #maximum: number;
  readonly #forgetAfter: number;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, initial: number, maximum: number, forgetAfter = maximum * 2) {
    this.#clock = clock;
    this.#initial = Math.min(initial, maximum);
    this.#maximum = maximum;
    this.#forgetAfter = forgetAfter;
  }

  #expired(since: number, entry: Entry): boolean {
    return since - entry.updated > this.#forgetAfter;
  }

  /** Raises the pause of a key, after an event at `at`. */
  next(key: string, at: number): void {
    const entry = this.#entries.get(key);
    if (!entry || this.#expired(at, entry)) this.#entries.set(key, { backoff: this.#initial, updated: this.#clock.now() });
    else this.#entries.set(key, { backoff: Math.min(entry.backoff * 2, this.#maximum), updated: this.#clock.now() });
  }

  /** The present pause in milliseconds; 0 for none. */
  get(key: string): number {
    return this.#entries.get(key)?.backoff ?? 0;
  }

  /** Milliseconds still to wait, counted from an event at `since`. */
  remainingSince(key: string, since: number): number {
    const entry = this.#entries.get(key);
    if (!entry || this.#expired(since, entry)) return 0;
    return Math.max(0, since + entry.backoff - this.#clock.now());
  }

  /** Milliseconds still to wait, counted from when the pause was last raised. */
  remaining(key: string): number {
    const entry = this.#entries.get(key);
    if (!entry || this.#expired(this.#clock.now(), entry)) return 0;
    return Math.max(0, entry.updated + entry.backoff - this.#clock.now());
  }

  reset(key: string): void {
    this.#entries.delete(key);
  }

  resetPrefix(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }

  collect(): void {
    const now = this.#clock.now();
    for (const [key, entry] of this.#entries) if (this.#expired(now, entry)) this.#entries.delete(key);
  }
}

/** "10s", "2m40s", "5m0s": as Go prints durations of whole seconds. */
export function goDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds === 0) return '0s';
  if (seconds < 1) return `${milliseconds}ms`;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = Number((seconds % 60).toFixed(3));
  if (hours) return `${hours}h${minutes}m${rest}s`;
  return minutes ? `${minutes}m${rest}s` : `${rest}s`;
}
