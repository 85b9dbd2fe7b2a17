/**
 * Brings the kernel's tables to what is wanted: one run at a time, changes gathered, and after a failure all of it again, with longer and
 * longer waits. Chains that nobody refers to any more are deleted a little later, never beside a run: that could bring one back to life.
 * upstream: pkg/util/async BoundedFrequencyRunner.
 */
import type { Clock, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { NftTable } from './nft-table.ts';

export interface Rules {
  readonly tables: readonly NftTable[];
  /** Sets the tables' pieces. False: something of it could not be done and is to be tried again. */
  prepare?(): Promise<boolean | void> | boolean | void;
  /** Once the kernel has them. */
  written?(): Promise<void> | void;
  /** The kernel refused something; all of it is written again after so many milliseconds, or sooner where something changes. */
  refused(error: unknown, retryMilliseconds: number): void;
}

const sweepDelay = 1000;
const [shortestRetry, longestRetry] = [100, 30_000];

export class RuleWriter {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #rules: Rules;
  #state: 'new' | 'started' | 'stopped' = 'new';
  #timer: Timer | undefined;
  #sweeper: Timer | undefined;
  #working: Promise<void> | undefined;
  #again = false;
  #good = false;
  #retry = shortestRetry;

  constructor(clock: Clock, log: Log, rules: Rules) {
    this.#clock = clock;
    this.#log = log;
    this.#rules = rules;
  }

  /** The first run; answers whether all of it could be done. */
  async start(): Promise<boolean> {
    this.#state = 'started';
    await this.#run();
    return this.#good;
  }

  /** Something has changed: writes in so many milliseconds, unless it will sooner. Nothing before the start and after the stop. */
  schedule(milliseconds: number): void {
    if (this.#state !== 'started' || this.#timer) return;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      void this.#run();
    }, milliseconds);
  }

  /** Resolves when nothing runs any more and the tables are gone. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#timer?.cancel();
    this.#sweeper?.cancel();
    await this.#working;
    await Promise.all(this.#rules.tables.map((table) => table.remove()));
  }

  async #run(): Promise<void> {
    if (this.#working) {
      this.#again = true;
      return;
    }
    await this.#alone(async () => {
      this.#good = await this.#write();
      if (this.#good) {
        this.#retry = shortestRetry;
        this.#sweepLater();
        return;
      }
      this.#timer?.cancel();
      this.#timer = undefined;
      this.schedule(this.#retry);
      this.#retry = Math.min(longestRetry, this.#retry * 2);
    });
  }

  async #write(): Promise<boolean> {
    const { tables } = this.#rules;
    let prepared: boolean | void;
    try {
      prepared = await this.#rules.prepare?.();
      if (this.#state === 'stopped') return true;
      for (const table of tables) await table.apply();
    } catch (error) {
      for (const table of tables) table.invalidate();
      this.#rules.refused(error, this.#retry);
      return false;
    }
    await this.#rules.written?.();
    return prepared !== false;
  }

  #sweepLater(): void {
    if (this.#sweeper || this.#state !== 'started' || !this.#rules.tables.some((table) => table.hasStale)) return;
    this.#sweeper = this.#clock.setTimeout(() => {
      this.#sweeper = undefined;
      if (this.#working) this.#sweepLater();
      else void this.#alone(() => this.#sweep());
    }, sweepDelay);
  }

  async #sweep(): Promise<void> {
    for (const table of this.#rules.tables)
      await table.sweep().catch((error: unknown) => this.#log.debug('Stale chains stay a little longer', { error }));
    this.#sweepLater();
  }

  #alone(run: () => Promise<void>): Promise<void> {
    return (this.#working = run().finally(() => {
      this.#working = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.schedule(0);
    }));
  }
}
