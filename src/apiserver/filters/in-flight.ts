/**
 * How many requests are worked on at once; beyond that they are turned away at once, so that those let in stay fast.
 * upstream: apiserver/pkg/server/filters/maxinflight.go (its limits are the defaults).
 */
import { tooManyRequests } from '#machinery/status';

export interface InFlightLimits {
  /** Default 400. */
  reading?: number;
  /** Default 200. */
  writing?: number;
}

export class InFlight {
  readonly #reading: number;
  readonly #writing: number;
  reading = 0;
  writing = 0;

  constructor({ reading = 400, writing = 200 }: InFlightLimits = {}) {
    this.#reading = reading;
    this.#writing = writing;
  }

  /** Takes a place; the answer gives it back. Throws TooManyRequests. */
  enter(readOnly: boolean): () => void {
    if (readOnly ? this.reading >= this.#reading : this.writing >= this.#writing)
      throw tooManyRequests('too many requests, please try again later', 1);
    if (readOnly) this.reading++;
    else this.writing++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      if (readOnly) this.reading--;
      else this.writing--;
    };
  }
}
