/**
 * Priority and fairness of requests: who may go on now, who waits and in what order, who is turned away. Step of the pod's way: before
 * "authorized". Upstream counterpart: apiserver/pkg/util/flowcontrol.
 * Invariants: requests of exempt levels never wait; nobody's flood keeps others waiting for longer than the level's share says; a request
 * that found room costs some microseconds. Read first: flow-control.ts, then queue-set.ts.
 */
import { FlowSchema, PriorityLevelConfiguration } from '#api';
import type { ServerDependencies } from '../contract.ts';
import { answerNothingThere } from '../http/not-found.ts';
import type { PathTable } from '../http/paths.ts';
import { dumpLevels, dumpQueues, dumpRequests } from './debug.ts';
import { FlowControl } from './flow-control.ts';
import { FlowStatus } from './status.ts';
import type { ObjectStats } from './work-estimate.ts';

export { FlowControl } from './flow-control.ts';

export interface PriorityAndFairness {
  filter: FlowControl;
  renderMetrics(): string;
  serve(paths: PathTable): void;
  stop(): void;
}

/** Follows the API's flow schemas and priority levels. */
export function priorityAndFairness(
  { client, informers, clock, random, log }: ServerDependencies,
  { seats, stats }: { seats: number; stats: ObjectStats },
): PriorityAndFairness {
  const filter = new FlowControl({ clock, seats, stats, idle: () => digestSoon() });
  const { configuration } = filter;
  const schemas = informers.for(FlowSchema);
  const levels = informers.for(PriorityLevelConfiguration);
  const status = new FlowStatus({ client, clock, random, log, again: () => digestSoon() });
  let pending = false;
  let stopped = false;
  // Changes come in bundles: the objects of a start, or of one manifest.
  const digestSoon = (): void => {
    if (pending || stopped) return;
    pending = true;
    setImmediate(() => {
      pending = false;
      if (!stopped && schemas.hasSynced && levels.hasSynced) digest();
    });
  };
  const digest = (): void => {
    const [allSchemas, allLevels] = [schemas.list(), levels.list()];
    configuration.digest(allLevels, allSchemas);
    filter.reconfigured();
    const names = new Set(allLevels.map(({ metadata }) => metadata?.name));
    void status.update(allSchemas, (level) => names.has(level));
  };
  const subscriptions = [
    schemas.on({ added: digestSoon, updated: digestSoon, deleted: digestSoon }),
    levels.on({ added: digestSoon, updated: digestSoon, deleted: digestSoon }),
  ];
  Promise.all([schemas.synced, levels.synced]).then(digestSoon, () => undefined);
  return {
    filter,
    renderMetrics: () => filter.metrics.render(configuration.levels.values(), configuration.fairProportion),
    serve(paths) {
      const dumps: Record<string, (query: URLSearchParams) => string> = {
        dump_priority_levels: () => dumpLevels(configuration.levels.values()),
        dump_queues: () => dumpQueues(configuration.levels.values()),
        dump_requests: (query) => dumpRequests(configuration.levels.values(), clock, Boolean(query.get('includeRequestDetails'))),
      };
      // Not listed among the paths, as upstream's are not.
      paths.add('/debug/api_priority_and_fairness/*', ({ exchange, path, headers, query }) => {
        const dump = dumps[path.slice(path.lastIndexOf('/') + 1)];
        if (!dump) return answerNothingThere({ exchange, headers });
        exchange.end(200, { ...headers, 'content-type': 'text/plain; charset=utf-8' }, dump(query));
      });
    },
    stop() {
      stopped = true;
      for (const subscription of subscriptions) subscription[Symbol.dispose]();
      status.stop();
      filter.stop();
    },
  };
}
