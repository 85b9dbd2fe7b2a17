import { PriorityLevelConfiguration } from '#api';
import type { Clock } from '#machinery/clock';
import { Demand } from './demand.ts';
import { QueueSet } from './queue-set.ts';
import type { Queuing } from './queue-set.ts';

/** How much of what was wanted before still counts after one period: half of it after five minutes. upstream: seatDemandSmoothingCoefficient. */
const memory = 0.977;
/** As much of a level's seats may one request take. */
const requestShare = 0.15;

/** One priority level at work: its configuration, its queues, and what it may use now. */
export class PriorityLevel {
  readonly name: string;
  uid = '';
  exempt = false;
  queues: QueueSet;
  readonly demand: Demand;
  /** Left out of the configuration; goes when it is idle. */
  quiescing = false;
  shares = 0;
  /** What it has when nothing is lent or borrowed, and how far that may go down and up. */
  nominal = 0;
  lowest = 0;
  highest = 0;
  current = 0;
  /** The most seats one request may be given; 0: it does not say. */
  requestSeats = 0;
  /** Where it stands in the order of those whose requests wait for time. */
  pass = 0;
  seatDemand = { average: 0, deviation: 0, highest: 0, smoothed: 0, target: 0 };
  #queuing: Queuing | undefined;
  #lendable = 0;
  #borrowable: number | undefined;

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.demand = new Demand(clock);
    this.queues = new QueueSet(clock, this.demand);
  }

  configure({ metadata, spec }: PriorityLevelConfiguration): void {
    this.uid = metadata?.uid ?? '';
    this.exempt = spec?.type === 'Exempt';
    this.quiescing = false;
    const commons = (this.exempt ? spec?.exempt : spec?.limited) ?? {};
    this.shares = commons.nominalConcurrencyShares ?? (this.exempt ? 0 : 30);
    this.#lendable = commons.lendablePercent ?? 0;
    this.#borrowable = this.exempt ? undefined : spec?.limited?.borrowingLimitPercent;
    const queuing = spec?.limited?.limitResponse?.queuing;
    this.#queuing = queuing && {
      queues: queuing.queues ?? 64,
      handSize: queuing.handSize ?? 8,
      lengthLimit: queuing.queueLengthLimit ?? 50,
    };
  }

  /** Its part of the server's seats by shares. `isNew`: it begins with half of what it may lend lent. */
  divide(total: number, shareSum: number, isNew: boolean): void {
    this.nominal = shareSum > 0 ? Math.ceil((total * this.shares) / shareSum) : 0;
    const lendable = Math.round((this.nominal * this.#lendable) / 100);
    this.lowest = this.nominal - lendable;
    this.highest = this.nominal + (this.#borrowable === undefined ? total : Math.round((this.nominal * this.#borrowable) / 100));
    if (isNew) this.current = this.nominal - Math.floor(lendable / 2);
    this.requestSeats = this.#queuing
      ? Math.max(1, Math.min(Math.ceil(this.nominal * requestShare), Math.floor(this.nominal / this.#queuing.handSize)))
      : 0;
  }

  /** Takes the demand of the time since it was last asked. `periods`: how many adjustment periods that was. */
  observe(periods: number): void {
    const { average, deviation, highest, duration } = this.demand.take();
    const { seatDemand } = this;
    seatDemand.highest = Math.round(highest);
    if (duration <= 0) return;
    const envelope = average + deviation;
    const kept = memory ** periods;
    seatDemand.average = average;
    seatDemand.deviation = deviation;
    seatDemand.smoothed = Math.max(envelope, kept * seatDemand.smoothed + (1 - kept) * envelope);
  }

  limit(seats: number): void {
    this.current = seats;
    this.queues.configure(this.#queuing, this.exempt ? Infinity : seats);
  }
}

/** Why an object cannot be used; upstream's validation keeps such objects out, but what is stored may be older. */
export function isUsable({ metadata, spec }: PriorityLevelConfiguration): boolean {
  const limited = spec?.type === 'Limited';
  if (limited !== (spec?.limited !== undefined) || (spec?.type === 'Exempt') !== (spec?.exempt !== undefined)) return false;
  if ((spec?.type === 'Exempt') !== (metadata?.name === 'exempt')) return false;
  const response = spec?.limited?.limitResponse;
  if (!limited) return true;
  if ((response?.type === 'Reject') !== (response?.queuing === undefined)) return false;
  const { queues = 64, handSize = 8 } = response?.queuing ?? {};
  return !response?.queuing || (handSize > 0 && handSize <= queues && Math.ceil(Math.log2(queues) * handSize) <= 60);
}
