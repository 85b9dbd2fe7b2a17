import type { Clock } from '#machinery/clock';

/** Milliseconds of one turn of the event loop that may be spent before requests have to queue. */
const allowance = 10;

/**
 * Tells whether this turn of the event loop has been going on for too long. One thread answers everybody: requests that are answered
 * without waiting for anything never add up to a number of concurrent ones, but a turn that answers ten thousand of them keeps all others
 * waiting. So after some milliseconds what comes in is only put in its queue, and work goes on in the next turn in the queues' order.
 */
export class LoopTurn {
  readonly #clock: Clock;
  #began = 0;
  #open = false;
  #next: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  late(now: number): boolean {
    if (this.#open) return now - this.#began > allowance;
    this.#began = now;
    this.#open = true;
    setImmediate(this.#over);
    return false;
  }

  /** Calls `run` at the beginning of the next turn; of several calls in one turn the last counts. */
  whenOver(run: () => void): void {
    this.#next = run;
    if (!this.#open) this.late(this.#clock.monotonic());
  }

  readonly #over = (): void => {
    this.#open = false;
    const run = this.#next;
    this.#next = undefined;
    run?.();
  };
}
