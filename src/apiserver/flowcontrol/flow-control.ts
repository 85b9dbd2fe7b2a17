import type { Clock } from '#machinery/clock';
import { turnAway, uncounted } from '../filters/admittance.ts';
import type { Admittance, Arrival, Ticket } from '../filters/admittance.ts';
import type { Flow } from './classify.ts';
import { Configuration } from './configuration.ts';
import { FlowRequest } from './flow-request.ts';
import { LoopTurn } from './loop-turn.ts';
import { FlowMetrics } from './metrics.ts';
import type { PriorityLevel } from './priority-level.ts';
import { RetryAfter } from './retry-after.ts';
import { WatchCounts } from './watch-counts.ts';
import { estimateWork } from './work-estimate.ts';
import type { EstimateSources, ObjectStats } from './work-estimate.ts';

const levelHeader = 'x-kubernetes-pf-prioritylevel-uid';
const flowHeader = 'x-kubernetes-pf-flowschema-uid';

/** Milliseconds between adjustments of what levels lend and borrow. upstream: borrowingAdjustmentPeriod. */
const adjustmentPeriod = 10_000;
const longestWait = 60_000;
const noHand: readonly number[] = [];

export interface FlowControlOptions {
  clock: Clock;
  /** How many seats there are. */
  seats: number;
  stats: ObjectStats;
  /** Called when a level that is no longer wanted became idle. */
  idle?(): void;
}

/** Priority and fairness of requests. upstream: server/filters/priority-and-fairness.go. */
export class FlowControl implements Admittance {
  readonly configuration: Configuration;
  readonly metrics = new FlowMetrics();
  readonly #options: FlowControlOptions;
  readonly #clock: Clock;
  readonly #turn: LoopTurn;
  readonly #watches = new WatchCounts();
  readonly #sources: EstimateSources;
  readonly #retryAfter = new RetryAfter();
  #adjusted: number;
  #adjusting = false;
  #draining = false;
  #stopped = false;

  constructor(options: FlowControlOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#turn = new LoopTurn(options.clock);
    this.#sources = { stats: options.stats, watchers: (info) => this.#watches.interested(info) };
    this.configuration = new Configuration(options.clock, options.seats);
    this.#adjusted = options.clock.monotonic();
    this.#listen();
  }

  /** After `configuration` has digested something new. */
  reconfigured(): void {
    this.#listen();
    this.#drainSoon();
  }

  stop(): void {
    this.#stopped = true;
  }

  enter(arrival: Arrival): Ticket | undefined | Promise<Ticket | undefined> {
    const { info, user, longRunning, query, headers } = arrival;
    const watch = info.verb === 'watch';
    if (longRunning && !watch) return uncounted;
    const flow = this.configuration.flows.classify(user, info);
    const level = this.configuration.levelOf(flow);
    headers[levelHeader] = level.uid;
    headers[flowHeader] = flow.uid;
    const now = this.#clock.monotonic();
    if (!this.#adjusting) this.#adjustLater(now);
    const { queuing } = level.queues;
    const distinguisher = queuing ? flow.distinguisher(user, info) : '';
    const work = estimateWork(info, query, level.requestSeats, this.#sources);
    const request = new FlowRequest(flow, distinguisher, work, user, info, now);
    const hand = queuing ? flow.hand(distinguisher, queuing.queues, queuing.handSize) : noHand;
    const outcome = level.queues.start(request, hand, !level.exempt && this.#turn.late(now));
    if (outcome === 'execute') return this.#ticket(request, level, watch);
    if (outcome === 'reject') return this.#reject(arrival, level, flow, queuing ? 'queue-full' : 'concurrency-limit');
    return this.#wait(arrival, request, level);
  }

  async #wait(arrival: Arrival, request: FlowRequest, level: PriorityLevel): Promise<Ticket | undefined> {
    const { exchange, info, patience } = arrival;
    const { promise: decided, resolve } = Promise.withResolvers<boolean>();
    request.decide = resolve;
    this.#drainSoon();
    const leave = (why: 'timed-out' | 'cancelled'): void => {
      if (level.queues.cancel(request, why)) resolve(false);
    };
    const gone = (): void => leave('cancelled');
    const timer = this.#clock.setTimeout(() => leave('timed-out'), Math.min(longestWait, (patience || longestWait) / 4));
    exchange.signal.addEventListener('abort', gone, { once: true });
    const execute = await decided;
    timer.cancel();
    exchange.signal.removeEventListener('abort', gone);
    this.metrics.waited(level.name, request.flow.name, execute, (this.#clock.monotonic() - request.arrived) / 1000);
    if (execute) return this.#ticket(request, level, info.verb === 'watch');
    this.#reap(level);
    return this.#reject(arrival, level, request.flow, 'time-out');
  }

  #reject(arrival: Arrival, level: PriorityLevel, flow: Flow, reason: string): undefined {
    this.metrics.rejected(level.name, flow.name, reason);
    return turnAway(arrival, this.#retryAfter.refused(level.name, this.#clock.now()));
  }

  #ticket(request: FlowRequest, level: PriorityLevel, watch: boolean): Ticket {
    this.metrics.dispatched(level.name, request.flow.name);
    const forget = watch ? this.#watches.register(request.info) : undefined;
    let seated = true;
    const opened = (): void => {
      if (!seated) return;
      seated = false;
      level.queues.finish(request);
      if (level.quiescing) this.#reap(level);
    };
    const done = (): void => {
      opened();
      forget?.();
    };
    return { opened, done };
  }

  #reap(level: PriorityLevel): void {
    if (level.quiescing && level.queues.idle) this.#options.idle?.();
  }

  #listen(): void {
    for (const level of this.configuration.levels.values()) level.queues.released = this.#drainSoon;
  }

  /** Begins what waits, after what is being done now; or, where this turn of the loop has been long, in the next. */
  readonly #drainSoon = (): void => {
    if (this.#draining || this.#stopped) return;
    this.#draining = true;
    if (this.#turn.late(this.#clock.monotonic())) this.#turn.whenOver(this.#drain);
    else queueMicrotask(this.#drain);
  };

  /** One request at a time: between two of them the first is worked on. */
  readonly #drain = (): void => {
    this.#draining = false;
    for (const level of this.#byTurn()) {
      // A request that is too wide for what is free is waited for: seats that become free call for the next round.
      if (!level.queues.dispatch()) continue;
      level.pass += 1 / Math.max(1, level.current);
      this.#drainSoon();
      return;
    }
  };

  /** Levels take turns, in proportion to their seats. */
  #byTurn(): PriorityLevel[] {
    const all = [...this.configuration.levels.values()];
    const busy = all.filter(({ queues }) => queues.dispatchable).sort((left, right) => left.pass - right.pass);
    // Who had nothing to do has not saved up turns.
    const least = busy[0]?.pass;
    if (least !== undefined) for (const level of all) if (level.pass < least) level.pass = least;
    return busy;
  }

  /** Only as long as requests come: what did not happen meanwhile is made up for. */
  #adjustLater(now: number): void {
    this.#adjusting = true;
    const idle = now - this.#adjusted;
    if (idle > 2 * adjustmentPeriod) this.#adjust(idle / adjustmentPeriod);
    this.#clock.setTimeout(() => {
      this.#adjusting = false;
      if (!this.#stopped) this.#adjust((this.#clock.monotonic() - this.#adjusted) / adjustmentPeriod);
    }, adjustmentPeriod);
  }

  #adjust(periods: number): void {
    this.#adjusted = this.#clock.monotonic();
    this.configuration.adjust(periods);
    this.#drainSoon();
  }
}
