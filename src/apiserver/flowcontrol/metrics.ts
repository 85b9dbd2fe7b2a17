/** Counts of priority and fairness, under upstream's names. upstream: flowcontrol/metrics. */
import type { PriorityLevel } from './priority-level.ts';

const bounds = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
const prefix = 'apiserver_flowcontrol_';

interface Waits {
  labels: string;
  count: number;
  sum: number;
  buckets: number[];
}

const gauges: readonly [name: string, help: string, value: (level: PriorityLevel) => number][] = [
  ['nominal_limit_seats', 'Seats of a level when nothing is lent or borrowed.', ({ nominal }) => nominal],
  ['lower_limit_seats', 'Seats of a level that are never lent.', ({ lowest }) => lowest],
  ['upper_limit_seats', 'Seats a level may have with all that it can borrow.', ({ highest }) => highest],
  ['current_limit_seats', 'Seats a level may use now.', ({ current }) => current],
  ['current_inqueue_requests', 'Requests that wait in a level.', ({ queues }) => queues.waiting],
  ['current_inqueue_seats', 'Seats that waiting requests want.', ({ queues }) => queues.seatsWaiting],
  ['current_executing_requests', 'Requests of a level that are worked on.', ({ queues }) => queues.executing],
  ['current_executing_seats', 'Seats of a level that are taken.', ({ queues }) => queues.seatsInUse],
  ['demand_seats_high_watermark', 'The most seats wanted in the last period.', ({ seatDemand }) => seatDemand.highest],
  ['demand_seats_average', 'Seats wanted in the last period, on average.', ({ seatDemand }) => seatDemand.average],
  ['demand_seats_stdev', 'Deviation of the seats wanted in the last period.', ({ seatDemand }) => seatDemand.deviation],
  ['demand_seats_smoothed', 'Seats wanted, with the past remembered.', ({ seatDemand }) => seatDemand.smoothed],
  ['target_seats', 'What the division of seats went by.', ({ seatDemand }) => seatDemand.target],
];

export class FlowMetrics {
  readonly #dispatched = new Map<string, Map<string, number>>();
  readonly #rejected = new Map<string, number>();
  readonly #waits = new Map<string, Waits>();

  dispatched(level: string, flow: string): void {
    let flows = this.#dispatched.get(level);
    if (!flows) this.#dispatched.set(level, (flows = new Map()));
    flows.set(flow, (flows.get(flow) ?? 0) + 1);
  }

  rejected(level: string, flow: string, reason: string): void {
    const labels = `flow_schema="${flow}",priority_level="${level}",reason="${reason}"`;
    this.#rejected.set(labels, (this.#rejected.get(labels) ?? 0) + 1);
  }

  waited(level: string, flow: string, execute: boolean, seconds: number): void {
    const labels = `execute="${execute}",flow_schema="${flow}",priority_level="${level}"`;
    let waits = this.#waits.get(labels);
    if (!waits) this.#waits.set(labels, (waits = { labels, count: 0, sum: 0, buckets: bounds.map(() => 0) }));
    waits.count++;
    waits.sum += seconds;
    const bucket = bounds.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) waits.buckets[bucket]!++;
  }

  /** In Prometheus' text format. */
  render(levels: Iterable<PriorityLevel>, fairProportion: number): string {
    const out: string[] = [];
    const head = (name: string, type: string, help: string): void =>
      void out.push(`# HELP ${prefix}${name} ${help}`, `# TYPE ${prefix}${name} ${type}`);
    head('dispatched_requests_total', 'counter', '[BETA] Requests that were let in.');
    for (const [level, flows] of this.#dispatched)
      for (const [flow, count] of flows)
        out.push(`${prefix}dispatched_requests_total{flow_schema="${flow}",priority_level="${level}"} ${count}`);
    head('rejected_requests_total', 'counter', '[BETA] Requests that were turned away.');
    for (const [labels, count] of this.#rejected) out.push(`${prefix}rejected_requests_total{${labels}} ${count}`);
    const all = [...levels];
    for (const [name, help, value] of gauges) {
      head(name, 'gauge', help);
      for (const level of all) out.push(`${prefix}${name}{priority_level="${level.name}"} ${value(level)}`);
    }
    head('seat_fair_frac', 'gauge', 'What part of its target each level was given.');
    out.push(`${prefix}seat_fair_frac ${fairProportion}`);
    head('request_wait_duration_seconds', 'histogram', '[BETA] Seconds that requests waited in their queues.');
    for (const { labels, count, sum, buckets } of this.#waits.values()) {
      let total = 0;
      const name = `${prefix}request_wait_duration_seconds`;
      for (const [index, bound] of bounds.entries()) {
        total += buckets[index]!;
        out.push(`${name}_bucket{${labels},le="${bound}"} ${total}`);
      }
      out.push(`${name}_bucket{${labels},le="+Inf"} ${count}`, `${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${count}`);
    }
    return `${out.join('\n')}\n`;
  }
}
