/**
 * etcd's own numbers of leases have 63 bits, more than a JavaScript number holds exactly: shorter ones stand for them in this process.
 * Their low bits, in which etcd counts, so that mostly another process comes to the same. upstream: etcd pkg/idutil.
 */
import type { LongNumbers } from '#machinery/codec';

const bits = 53;
/** A long number that was forgotten is a lease that nobody has mentioned for that many others. */
const most = 1_000_000;

export class LeaseIds implements LongNumbers {
  readonly #longs = new Map<number, bigint>();

  toShort(long: bigint): number {
    let short = BigInt.asUintN(bits, long);
    for (;;) {
      const taken = this.#longs.get(Number(short));
      if (short !== 0n && (taken === undefined || taken === long)) break;
      short = BigInt.asUintN(bits, short + 1n);
    }
    const number = Number(short);
    if (!this.#longs.has(number)) {
      this.#longs.set(number, long);
      if (this.#longs.size > most) this.#longs.delete(this.#longs.keys().next().value!);
    }
    return number;
  }

  toLong(short: number): bigint | undefined {
    return this.#longs.get(short);
  }
}
