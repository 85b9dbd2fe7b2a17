/**
 * How many requests are worked on at once; beyond that they are turned away at once, so that those let in stay fast. In use where priority
 * and fairness is off; where it is on, both limits together are the seats it divides.
 * upstream: apiserver/pkg/server/filters/maxinflight.go (its limits are the defaults).
 */
import { turnAway, uncounted } from './admittance.ts';
import type { Admittance, Arrival, Ticket } from './admittance.ts';

export interface InFlightLimits {
  /** Default 400. */
  reading?: number;
  /** Default 200. */
  writing?: number;
}

export const defaultLimits = { reading: 400, writing: 200 } as const;

const readVerbs = new Set(['get', 'list', 'watch']);

export class InFlight implements Admittance {
  readonly #limits: Required<InFlightLimits>;
  reading = 0;
  writing = 0;

  constructor(limits: InFlightLimits = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  enter(arrival: Arrival): Ticket | undefined {
    const { user, info, longRunning } = arrival;
    if (longRunning || user.groups.includes('system:masters')) return uncounted;
    const reads = readVerbs.has(info.verb);
    if (reads ? this.reading >= this.#limits.reading : this.writing >= this.#limits.writing) return turnAway(arrival, 1);
    if (reads) this.reading++;
    else this.writing++;
    let left = false;
    return {
      opened: () => undefined,
      done: () => {
        if (left) return;
        left = true;
        if (reads) this.reading--;
        else this.writing--;
      },
    };
  }
}
