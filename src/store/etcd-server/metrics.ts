/** What monitoring of etcd looks at, under etcd's names, in Prometheus' text format. upstream: etcd server/{etcdserver,storage}/metrics.go. */
import { processMetrics } from '#machinery/metrics';
import { grpcCode } from '../etcd/failures.ts';
import { etcdVersion, spaceOf } from './maintenance.ts';
import type { Facade } from './server.ts';
import { sharedBy } from './shared.ts';

/** gRPC's outcomes as Go writes them. */
const outcomes = new Map<number, string>([
  [0, 'OK'],
  ...Object.entries(grpcCode).map(
    ([name, code]) => [code, name === 'cancelled' ? 'Canceled' : name[0]!.toUpperCase() + name.slice(1)] as const,
  ),
]);

/** Calls of one method: how many began, and how many ended with which code. */
export interface Calls {
  labels: string;
  started: number;
  handled: Map<number, number>;
}

export const ended = ({ handled }: Calls, code: number): void => void handled.set(code, (handled.get(code) ?? 0) + 1);

export class CallMetrics {
  readonly #calls = new Map<string, Calls>();

  /** `path` is gRPC's: /etcdserverpb.KV/Range. */
  of(path: string, stream: boolean): Calls {
    const known = this.#calls.get(path);
    if (known) return known;
    const [, service, method] = path.split('/');
    const labels = `grpc_method="${method}",grpc_service="${service}",grpc_type="${stream ? 'bidi_stream' : 'unary'}"`;
    const calls: Calls = { labels, started: 0, handled: new Map() };
    this.#calls.set(path, calls);
    return calls;
  }

  text(): string {
    const all = [...this.#calls.values()];
    const started = all.map(({ labels, started: count }) => `grpc_server_started_total{${labels}} ${count}`);
    const handled = all.flatMap(({ labels, handled: codes }) =>
      [...codes].map(([code, count]) => `grpc_server_handled_total{grpc_code="${outcomes.get(code) ?? code}",${labels}} ${count}`),
    );
    return ['# TYPE grpc_server_started_total counter', ...started, '# TYPE grpc_server_handled_total counter', ...handled, ''].join('\n');
  }
}

export const callsOf = sharedBy(() => new CallMetrics());

export async function metricsText(facade: Facade): Promise<string> {
  const { store, memberId, startedAt, calls } = facade;
  const space = spaceOf(store);
  const size = space?.size();
  const revision = await store.revision();
  const cluster = etcdVersion.storage.split('.').slice(0, 2).join('.');
  const gauges: [name: string, value: number | undefined, labels?: string][] = [
    ['etcd_server_has_leader', 1],
    ['etcd_server_is_leader', 1],
    ['etcd_server_is_learner', 0],
    ['etcd_server_id', 1, `server_id="${memberId.toString(16)}"`],
    ['etcd_server_version', 1, `server_version="${etcdVersion.etcdserver}"`],
    ['etcd_cluster_version', 1, `cluster_version="${cluster}"`],
    ['etcd_server_quota_backend_bytes', space && Number.isFinite(space.quota) ? space.quota : undefined],
    ['etcd_mvcc_db_total_size_in_bytes', size?.total],
    ['etcd_mvcc_db_total_size_in_use_in_bytes', size?.inUse],
    ['etcd_debugging_mvcc_current_revision', revision],
    ['etcd_debugging_mvcc_compact_revision', store.compactRevision()],
  ];
  const lines = gauges.flatMap(([name, value, labels]) =>
    value === undefined ? [] : [`# TYPE ${name} gauge`, `${name}${labels ? `{${labels}}` : ''} ${value}`],
  );
  return `${lines.join('\n')}\n${calls.text()}${processMetrics(startedAt)}`;
}
