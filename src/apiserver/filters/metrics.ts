/** Counts and times of requests, under upstream's names. upstream: apiserver/pkg/endpoints/metrics. */
import type { RequestInfo } from '../contract.ts';

interface Requests {
  labels: string;
  codes: Map<number, number>;
  durations: Series;
}

interface Series {
  count: number;
  sum: number;
  buckets: number[];
}

const bounds = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];

const scopeOf = (info: RequestInfo): string =>
  !info.isResourceRequest ? '' : info.name ? 'resource' : info.namespace ? 'namespace' : 'cluster';

/** Verbs as upstream's metrics write them. */
const verbOf = (info: RequestInfo): string => {
  if (!info.isResourceRequest) return info.verb.toUpperCase();
  const names: Record<string, string> = { create: 'POST', update: 'PUT', deletecollection: 'DELETECOLLECTION' };
  return names[info.verb] ?? info.verb.toUpperCase();
};

export class RequestMetrics {
  readonly #requests = new Map<string, Requests>();
  /** Long-running requests that are open, by verb and resource. */
  readonly #open = new Map<string, number>();

  observe(info: RequestInfo, code: number, seconds: number): void {
    const { group, version, resource, subresource, verb } = info;
    const scope = scopeOf(info);
    const key = `${verb}/${group}/${version}/${resource}/${subresource}/${scope}`;
    let requests = this.#requests.get(key);
    if (!requests) {
      const labels = `group="${group}",resource="${resource}",scope="${scope}",subresource="${subresource}",verb="${verbOf(info)}",version="${version}"`;
      this.#requests.set(key, (requests = { labels, codes: new Map(), durations: { count: 0, sum: 0, buckets: bounds.map(() => 0) } }));
    }
    requests.codes.set(code, (requests.codes.get(code) ?? 0) + 1);
    if (verb === 'watch') return;
    const series = requests.durations;
    series.count++;
    series.sum += seconds;
    const bucket = bounds.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) series.buckets[bucket]!++;
  }

  opened(info: RequestInfo): () => void {
    const key = `component="apiserver",group="${info.group}",resource="${info.resource}",scope="${scopeOf(info)}",subresource="${info.subresource}",verb="${verbOf(info)}",version="${info.version}"`;
    this.#open.set(key, (this.#open.get(key) ?? 0) + 1);
    return () => this.#open.set(key, (this.#open.get(key) ?? 1) - 1);
  }

  /** In Prometheus' text format. */
  render(): string {
    const out: string[] = [
      '# HELP apiserver_request_total [STABLE] Requests by verb, group, version, resource, scope and answer code.',
      '# TYPE apiserver_request_total counter',
    ];
    for (const { labels, codes } of this.#requests.values())
      for (const [code, count] of codes)
        out.push(`apiserver_request_total{code="${code}",component="apiserver",dry_run="",${labels}} ${count}`);
    out.push(
      '# HELP apiserver_request_duration_seconds [STABLE] Seconds a request took, by verb, group, version, resource and scope.',
      '# TYPE apiserver_request_duration_seconds histogram',
    );
    for (const { labels: own, durations: series } of this.#requests.values()) {
      if (series.count === 0) continue;
      const labels = `component="apiserver",dry_run="",${own}`;
      let total = 0;
      for (const [index, bound] of bounds.entries()) {
        total += series.buckets[index]!;
        out.push(`apiserver_request_duration_seconds_bucket{${labels},le="${bound}"} ${total}`);
      }
      out.push(
        `apiserver_request_duration_seconds_bucket{${labels},le="+Inf"} ${series.count}`,
        `apiserver_request_duration_seconds_sum{${labels}} ${series.sum}`,
        `apiserver_request_duration_seconds_count{${labels}} ${series.count}`,
      );
    }
    out.push(
      '# HELP apiserver_longrunning_requests [STABLE] Open long-running requests by verb, group, version, resource and scope.',
      '# TYPE apiserver_longrunning_requests gauge',
    );
    for (const [labels, count] of this.#open) out.push(`apiserver_longrunning_requests{${labels}} ${count}`);
    return `${out.join('\n')}\n`;
  }
}
