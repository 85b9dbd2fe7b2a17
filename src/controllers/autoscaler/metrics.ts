import type { LabelSelector } from '../api-types.ts';
import { formatLabelSelector } from '#machinery/selectors';
import { milliValue } from '#machinery/quantity';
import type { ControllerContext } from '../contract.ts';

/** What one pod uses, in thousandths; when it was measured, and over how long. */
export interface PodMetric {
  value: number;
  timestamp: number;
  window: number;
}
export type PodMetrics = Map<string, PodMetric>;

interface ResourceMetrics {
  items?: {
    metadata: { name: string };
    timestamp: string;
    window?: string;
    containers: { name: string; usage: Record<string, string> }[];
  }[];
}
interface ValueMetrics {
  items?: {
    describedObject?: { kind?: string; name?: string };
    metricName?: string;
    timestamp?: string;
    windowSeconds?: number;
    value: string;
  }[];
}

const query = (values: Record<string, string>): string => {
  const text = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== '')).toString();
  return text ? `?${text}` : '';
};
const text = (selector: LabelSelector | undefined): string => (selector ? formatLabelSelector(selector).replace('<none>', '') : '');

/** Seconds of a Go duration such as "15s" or "1m0s". */
function seconds(duration: string | undefined): number {
  let total = 0;
  for (const [, value, unit] of (duration ?? '60s').matchAll(/([\d.]+)(h|m|s)/g))
    total += Number(value) * { h: 3600, m: 60, s: 1 }[unit as 'h']!;
  return total;
}

/** Reads the metrics APIs, which other servers answer. upstream: pkg/controller/podautoscaler/metrics. */
export class MetricsReader {
  readonly #context: ControllerContext;

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  async #get<T>(what: string, path: string): Promise<T> {
    try {
      const { raw } = this.#context.client.transport;
      if (!raw) throw new Error('the server could not find the requested resource');
      return (await raw(path, this.#context.signal)) as T;
    } catch (error) {
      throw new Error(`unable to fetch metrics from ${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  /** Of one container, or of all of a pod together. A pod of which one is missing is left out. */
  async resource(resource: string, namespace: string, selector: string, container: string | undefined): Promise<PodMetrics> {
    const list = await this.#get<ResourceMetrics>(
      'resource metrics API',
      `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods${query({ labelSelector: selector })}`,
    );
    if (!list.items?.length) throw new Error('no metrics returned from resource metrics API');
    const metrics: PodMetrics = new Map();
    for (const { metadata, timestamp, window, containers } of list.items) {
      const counted = container ? containers.filter((each) => each.name === container) : containers;
      if (container && counted.length === 0)
        throw new Error(`container ${container} not present in metrics for pod ${namespace}/${metadata.name}`);
      if (counted.length === 0 || counted.some(({ usage }) => usage[resource] === undefined)) continue;
      const value = counted.reduce((total, { usage }) => total + milliValue(usage[resource]), 0);
      metrics.set(metadata.name, { value, timestamp: Date.parse(timestamp), window: seconds(window) * 1000 });
    }
    return metrics;
  }

  async pods(metric: string, namespace: string, selector: string, metricSelector: LabelSelector | undefined): Promise<PodMetrics> {
    const list = await this.#get<ValueMetrics>(
      'custom metrics API',
      `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespace}/pods/*/${metric}${query({ labelSelector: selector, metricLabelSelector: text(metricSelector) })}`,
    );
    if (!list.items?.length) throw new Error('no metrics returned from custom metrics API');
    return new Map(
      list.items.map(({ describedObject, timestamp, windowSeconds, value }) => [
        describedObject?.name ?? '',
        { value: milliValue(value), timestamp: Date.parse(timestamp ?? ''), window: (windowSeconds ?? 60) * 1000 },
      ]),
    );
  }

  async object(
    metric: string,
    namespace: string,
    resource: string,
    name: string,
    metricSelector: LabelSelector | undefined,
  ): Promise<number> {
    const path =
      resource === 'namespaces'
        ? `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${name}/metrics/${metric}`
        : `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespace}/${resource}/${name}/${metric}`;
    const list = await this.#get<ValueMetrics>('custom metrics API', path + query({ metricLabelSelector: text(metricSelector) }));
    if (!list.items?.length) throw new Error('no metrics returned from custom metrics API');
    return milliValue(list.items[0]!.value);
  }

  async external(metric: string, namespace: string, metricSelector: LabelSelector | undefined): Promise<number> {
    const list = await this.#get<ValueMetrics>(
      'external metrics API',
      `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${metric}${query({ labelSelector: text(metricSelector) })}`,
    );
    if (!list.items?.length) throw new Error('no metrics returned from external metrics API');
    return list.items.reduce((total, { value }) => total + milliValue(value), 0);
  }
}
