import type { Value } from '../values/value.ts';

/** What an expression reads: by variable name, as values of CEL; undefined where there is none. */
export type Activation = (name: string) => Value | undefined;

/** The expression costs more than it may. */
export class CostLimitExceeded extends Error {
  override name = 'CostLimitExceeded';
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
  }
}

/** One evaluation under way. */
export class Frame {
  /** Paid so far. */
  cost = 0;
  readonly limit: number;
  readonly activation: Activation;
  /** Variables of comprehensions; undefined while an accumulator has not been asked for. */
  readonly slots: (Value | undefined)[];

  constructor(activation: Activation, limit: number, slots: number) {
    this.activation = activation;
    this.limit = limit;
    this.slots = Array.from({ length: slots });
  }

  /** Throws CostLimitExceeded where that is too much. */
  pay(cost: number): void {
    this.cost += cost;
    if (this.cost > this.limit) throw new CostLimitExceeded();
  }
}

/** A compiled expression. Failures are values (CelError). */
export type Step = (frame: Frame) => Value;
