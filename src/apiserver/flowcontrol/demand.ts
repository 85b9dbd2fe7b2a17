import type { Clock } from '#machinery/clock';

export interface DemandResult {
  average: number;
  deviation: number;
  highest: number;
  /** Seconds it was watched for. */
  duration: number;
}

/** How many seats a priority level would use, weighted by time. upstream: fairqueuing/integrator.go. */
export class Demand {
  readonly #clock: Clock;
  #since: number;
  #value = 0;
  #seconds = 0;
  #sum = 0;
  #squares = 0;
  #highest = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** `now`: the clock's monotonic time, which the caller has at hand. */
  set(value: number, now: number): void {
    this.#integrate(now);
    this.#value = value;
    if (value > this.#highest) this.#highest = value;
  }

  /** What was since the last time this was asked. */
  take(): DemandResult {
    this.#integrate(this.#clock.monotonic());
    const duration = this.#seconds;
    const average = duration > 0 ? this.#sum / duration : 0;
    const deviation = duration > 0 ? Math.sqrt(Math.max(0, this.#squares / duration - average * average)) : 0;
    const result = { average, deviation, highest: this.#highest, duration };
    this.#seconds = this.#sum = this.#squares = 0;
    this.#highest = this.#value;
    return result;
  }

  #integrate(now: number): void {
    const seconds = (now - this.#since) / 1000;
    this.#since = now;
    this.#seconds += seconds;
    this.#sum += this.#value * seconds;
    this.#squares += this.#value * this.#value * seconds;
  }
}
