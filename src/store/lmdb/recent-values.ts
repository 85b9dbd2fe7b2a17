/**
 * Values that were written or read a moment ago, in memory: they are what is read next, by lists, by transactions that look at what is
 * there, by watchers that are behind. Getting one from LMDB takes longer than all the rest of reading it. They live in their records.
 *
 *   older    read or written before the last turn     forgotten with the next turn
 *   newer    read or written since                    older with the next turn
 * A turn comes after a while, so that nothing is held where there is quiet, or when what is newer fills half of the room.
 */
import type { Clock, Timer } from '#machinery/clock';
import type { Record } from '../mvcc/record.ts';

/** Milliseconds between turns; bytes of values that are kept at most. */
const [pause, room] = [4000, 32 * 1024 * 1024];

export class RecentValues {
  readonly #clock: Clock;
  #newer: Record[] = [];
  #older: Record[] = [];
  /** Of the values that are newer. */
  #bytes = 0;
  #timer: Timer | undefined;
  readonly #turned: () => void;

  /** `turned` is told of each turn. */
  constructor(clock: Clock, turned: () => void = () => undefined) {
    this.#clock = clock;
    this.#turned = turned;
  }

  /** Keeps the value that a record has, for a while. Once for each time that it got one. */
  keep(record: Record): void {
    this.#newer.push(record);
    this.#bytes += record.size;
    if (this.#bytes * 2 > room) this.#turn();
    this.#arm();
  }

  /** Keeps none any more, and has no timer. */
  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#turn();
    this.#turn();
  }

  #arm(): void {
    this.#timer ??= this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#turn();
      if (this.#older.length > 0) this.#arm();
    }, pause);
  }

  #turn(): void {
    for (const record of this.#older) record.value = undefined;
    this.#older = this.#newer;
    this.#newer = [];
    this.#bytes = 0;
    this.#turned();
  }
}
