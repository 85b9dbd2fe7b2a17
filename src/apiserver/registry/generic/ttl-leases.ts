/**
 * Leases for keys that go by themselves (Events). One lease is shared by the keys of a minute, as upstream's lease manager does:
 * a lease a key would be too many. upstream: apiserver/pkg/storage/etcd3/lease_manager.go.
 */
import type { Clock } from '#machinery/clock';
import type { Leases } from '#store';

const reuse = 60;
const maxKeys = 1000;

export class TtlLeases {
  readonly #leases: Leases;
  readonly #clock: Clock;
  readonly #current = new Map<number, { id: Promise<number>; until: number; keys: number }>();

  constructor(leases: Leases, clock: Clock) {
    this.#leases = leases;
    this.#clock = clock;
  }

  /** A lease with at least `seconds` to live. */
  async for(seconds: number): Promise<number> {
    const now = this.#clock.now();
    let current = this.#current.get(seconds);
    if (!current || current.until <= now || current.keys >= maxKeys) {
      const id = this.#leases.grant(seconds + reuse).then((lease) => lease.id);
      current = { id, until: now + reuse * 1000, keys: 0 };
      this.#current.set(seconds, current);
      // A lease that could not be had is asked for again by the next one.
      id.catch(() => this.#current.delete(seconds));
    }
    current.keys++;
    return current.id;
  }
}
