/**
 * Between autoscaling/v2 and v1, which knows one metric, the CPU's utilization; the rest travels in annotations.
 * upstream: pkg/apis/autoscaling/v1/conversion.go.
 */
import type { AutoscalingV1HorizontalPodAutoscaler, HorizontalPodAutoscaler, MetricSpec, ObjectMeta } from '../facts/types.ts';
import { equal } from '#machinery/meta';
import {
  annotation,
  readBehavior,
  readConditions,
  readMetricStatuses,
  readMetrics,
  writeBehavior,
  writeConditions,
  writeMetricStatuses,
  writeMetrics,
} from './annotations.ts';

const travelling = new Set<string>(Object.values(annotation));

const cpuMetric = (averageUtilization: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});
const isCpu = ({ type, resource }: MetricSpec): boolean =>
  type === 'Resource' && resource?.name === 'cpu' && resource.target.averageUtilization != null;

/** Without the annotations that only the conversion writes, and with those in `more`. */
function annotated(metadata: ObjectMeta | undefined, more: Record<string, string> = {}): ObjectMeta {
  const { annotations = {}, ...rest } = metadata ?? {};
  const kept = [...Object.entries(annotations).filter(([name]) => !travelling.has(name)), ...Object.entries(more)];
  return { ...rest, ...(kept.length > 0 && { annotations: Object.fromEntries(kept) }) };
}

/** Changes `object`: versions with fields of their own keep none of the annotations. */
export function dropTravelling(object: { metadata?: ObjectMeta }): void {
  const { annotations } = object.metadata ?? {};
  if (annotations && Object.keys(annotations).some((name) => travelling.has(name))) object.metadata = annotated(object.metadata);
}

export function autoscalerToFirst({ metadata, spec, status }: HorizontalPodAutoscaler): AutoscalingV1HorizontalPodAutoscaler {
  const cpu = spec?.metrics?.find(isCpu)?.resource?.target.averageUtilization;
  const others = spec?.metrics?.filter((metric) => !isCpu(metric)) ?? [];
  const { currentMetrics = [], conditions = [] } = status ?? {};
  // All of them: v1's field has no place for the amount.
  const current = currentMetrics.findLast(
    ({ type, resource }) => type === 'Resource' && resource?.name === 'cpu' && resource.current.averageUtilization != null,
  )?.resource?.current.averageUtilization;
  const annotations = {
    ...(others.length > 0 && { [annotation.metrics]: writeMetrics(others) }),
    ...(currentMetrics.length > 0 && { [annotation.currentMetrics]: writeMetricStatuses(currentMetrics) }),
    ...(spec?.behavior && { [annotation.behavior]: writeBehavior(spec.behavior) }),
    ...(conditions.length > 0 && { [annotation.conditions]: writeConditions(conditions) }),
  };
  return {
    kind: 'HorizontalPodAutoscaler',
    apiVersion: 'autoscaling/v1',
    metadata: annotated(metadata, annotations),
    ...(spec && {
      spec: {
        scaleTargetRef: spec.scaleTargetRef,
        maxReplicas: spec.maxReplicas,
        ...(spec.minReplicas !== undefined && { minReplicas: spec.minReplicas }),
        ...(cpu !== undefined && { targetCPUUtilizationPercentage: cpu }),
      },
    }),
    ...(status && {
      status: {
        currentReplicas: status.currentReplicas ?? 0,
        desiredReplicas: status.desiredReplicas ?? 0,
        ...(current !== undefined && { currentCPUUtilizationPercentage: current }),
        ...(status.lastScaleTime !== undefined && { lastScaleTime: status.lastScaleTime }),
        ...(status.observedGeneration !== undefined && { observedGeneration: status.observedGeneration }),
      },
    }),
  };
}

export function autoscalerFromFirst({ metadata, spec, status }: AutoscalingV1HorizontalPodAutoscaler): HorizontalPodAutoscaler {
  const notes = metadata?.annotations ?? {};
  const target = spec?.targetCPUUtilizationPercentage;
  const metrics = [...(readMetrics(notes[annotation.metrics]) ?? []), ...(target === undefined ? [] : [cpuMetric(target)])];
  const behavior = readBehavior(notes[annotation.behavior]);
  const current = status?.currentCPUUtilizationPercentage;
  const currentMetrics =
    readMetricStatuses(notes[annotation.currentMetrics]) ??
    (current === undefined ? [] : [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } }]);
  const conditions = readConditions(notes[annotation.conditions]);
  return {
    kind: 'HorizontalPodAutoscaler',
    apiVersion: 'autoscaling/v2',
    metadata: annotated(metadata),
    ...(spec && {
      spec: {
        scaleTargetRef: spec.scaleTargetRef,
        maxReplicas: spec.maxReplicas,
        ...(spec.minReplicas !== undefined && { minReplicas: spec.minReplicas }),
        metrics: metrics.length > 0 ? metrics : [cpuMetric(80)],
        ...(behavior && { behavior }),
      },
    }),
    ...(status && {
      status: {
        desiredReplicas: status.desiredReplicas ?? 0,
        currentMetrics,
        ...(status.currentReplicas && { currentReplicas: status.currentReplicas }),
        ...(conditions?.length && { conditions }),
        ...(status.lastScaleTime !== undefined && { lastScaleTime: status.lastScaleTime }),
        ...(status.observedGeneration !== undefined && { observedGeneration: status.observedGeneration }),
      },
    }),
  };
}

/**
 * Changes `object`, of v1, into what is read of it: annotations that say nothing are gone, and where no metric is asked for, cpu is. What
 * would not come back as it was (a second metric of cpu's utilization, a status without an amount) stays as it is.
 */
export function settleFirst(object: AutoscalingV1HorizontalPodAutoscaler): void {
  const stored = autoscalerFromFirst(object);
  const settled = autoscalerToFirst(stored);
  const again = autoscalerFromFirst(settled);
  const keepsMetrics = equal(again.spec?.metrics, stored.spec?.metrics);
  const keepsStatus = equal(again.status?.currentMetrics, stored.status?.currentMetrics);
  if (object.metadata?.annotations) {
    const before = object.metadata.annotations;
    const annotations = { ...settled.metadata?.annotations };
    for (const [keeps, name] of [
      [keepsMetrics, annotation.metrics],
      [keepsStatus, annotation.currentMetrics],
    ] as const) {
      if (keeps) continue;
      if (before[name] === undefined) delete annotations[name];
      else annotations[name] = before[name];
    }
    object.metadata = annotated(object.metadata, Object.fromEntries(Object.entries(annotations).filter(([name]) => travelling.has(name))));
  }
  if (object.spec && keepsMetrics) put(object.spec, 'targetCPUUtilizationPercentage', settled.spec?.targetCPUUtilizationPercentage);
  if (object.status && keepsStatus) put(object.status, 'currentCPUUtilizationPercentage', settled.status?.currentCPUUtilizationPercentage);
}

function put<T extends object, K extends keyof T>(target: T, name: K, value: T[K] | undefined): void {
  if (value === undefined) delete target[name];
  else target[name] = value;
}
