import type { Clock } from '#machinery/clock';

interface Expected {
  creations: number;
  deletions: Set<string>;
  since: number;
}

/** After so long what was expected is no longer waited for. upstream: pkg/controller/controller_utils.go ExpectationsTimeout. */
const patience = 5 * 60_000;

/**
 * What a controller has done that its cache has not shown yet. While something is expected of a key, its world must not be counted:
 * the cache lacks pods just made and still has pods just deleted. Creations are counted, deletions are known by key.
 * upstream: pkg/controller/controller_utils.go UIDTrackingControllerExpectations.
 */
export class Expectations {
  #clock: Clock;
  #expected = new Map<string, Expected>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  #of(key: string): Expected {
    let expected = this.#expected.get(key);
    if (!expected) this.#expected.set(key, (expected = { creations: 0, deletions: new Set(), since: 0 }));
    expected.since = this.#clock.monotonic();
    return expected;
  }

  expectCreations(key: string, count: number): void {
    this.#of(key).creations += count;
  }

  expectDeletions(key: string, objects: readonly string[]): void {
    const { deletions } = this.#of(key);
    for (const object of objects) deletions.add(object);
  }

  creationObserved(key: string, count = 1): void {
    const expected = this.#expected.get(key);
    if (expected) expected.creations = Math.max(0, expected.creations - count);
  }

  deletionObserved(key: string, object: string): void {
    this.#expected.get(key)?.deletions.delete(object);
  }

  satisfied(key: string): boolean {
    return this.remaining(key) === 0;
  }

  /** Milliseconds until what is expected is given up; 0 when nothing is expected. */
  remaining(key: string): number {
    const expected = this.#expected.get(key);
    if (!expected || (expected.creations === 0 && expected.deletions.size === 0)) return 0;
    const left = expected.since + patience - this.#clock.monotonic();
    if (left > 0) return left;
    this.#expected.delete(key);
    return 0;
  }

  forget(key: string): void {
    this.#expected.delete(key);
  }
}
