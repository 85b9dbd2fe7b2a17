/** From the objects of the API to levels and flows at work. upstream: flowcontrol/apf_controller.go. */
import { FlowSchema, PriorityLevelConfiguration } from '#api';
import type { Clock } from '#machinery/clock';
import { flowControlEntries } from '../bootstrap/flow-control.ts';
import { adjustLimits } from './borrowing.ts';
import { Flow, FlowTable } from './classify.ts';
import { isUsable, PriorityLevel } from './priority-level.ts';

const mandatory = ['exempt', 'catch-all'];

/** The objects without which no server is: they count even where they are not stored. */
const imagined = <T>(kind: object): T[] =>
  flowControlEntries()
    .filter((entry) => entry.kind === kind && mandatory.includes(entry.object.metadata?.name ?? ''))
    .map(({ object }) => object as T);

export class Configuration {
  readonly #clock: Clock;
  readonly #total: number;
  levels = new Map<string, PriorityLevel>();
  flows!: FlowTable;
  /** What of the proportion each level's wish was granted at the last adjustment. */
  fairProportion = 0;

  /** `total`: how many seats the server has. */
  constructor(clock: Clock, total: number) {
    this.#clock = clock;
    this.#total = total;
    this.digest([], []);
  }

  digest(levels: readonly PriorityLevelConfiguration[], schemas: readonly FlowSchema[]): void {
    const wanted = levels.filter(isUsable);
    const names = new Set(wanted.map(({ metadata }) => metadata?.name));
    const usable = schemas.filter(({ spec }) => names.has(spec?.priorityLevelConfiguration.name));
    const flows = new Set(usable.map(({ metadata }) => metadata?.name));
    for (const level of imagined<PriorityLevelConfiguration>(PriorityLevelConfiguration))
      if (!names.has(level.metadata?.name)) wanted.push(level);
    for (const schema of imagined<FlowSchema>(FlowSchema)) if (!flows.has(schema.metadata?.name)) usable.push(schema);

    const next = new Map<string, PriorityLevel>();
    const fresh = new Set<PriorityLevel>();
    for (const configuration of wanted) {
      const name = configuration.metadata?.name ?? '';
      let level = this.levels.get(name);
      if (!level) fresh.add((level = new PriorityLevel(name, this.#clock)));
      level.configure(configuration);
      next.set(name, level);
    }
    // What is still worked on keeps its level until it is done.
    for (const [name, level] of this.levels) {
      if (next.has(name) || level.queues.idle) continue;
      level.quiescing = true;
      next.set(name, level);
    }
    const shareSum = [...next.values()].reduce((sum, { shares }) => sum + shares, 0);
    for (const level of next.values()) level.divide(this.#total, shareSum, fresh.has(level));
    this.levels = next;
    this.flows = new FlowTable(usable.map((schema) => new Flow(schema)));
    this.adjust(1);
  }

  adjust(periods: number): void {
    this.fairProportion = adjustLimits([...this.levels.values()], periods);
  }

  /** The level of a flow that this configuration has. */
  levelOf(flow: Flow): PriorityLevel {
    return this.levels.get(flow.level)!;
  }
}
