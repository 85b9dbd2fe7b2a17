/**
 * autoscaling/v1 knows one metric, the CPU's utilization; the others, conditions and behavior travel in annotations.
 * upstream: pkg/apis/autoscaling/v1/conversion.go.
 */
import type { AutoscalingV1HorizontalPodAutoscaler, HorizontalPodAutoscaler, MetricSpec, MetricStatus } from '#api';
import type { KubeObject } from '#machinery/meta';
import type { Converter } from '../generic/conversion.ts';

const annotation = {
  metrics: 'autoscaling.alpha.kubernetes.io/metrics',
  currentMetrics: 'autoscaling.alpha.kubernetes.io/current-metrics',
  conditions: 'autoscaling.alpha.kubernetes.io/conditions',
  behavior: 'autoscaling.alpha.kubernetes.io/behavior',
} as const;

const isCpu = (metric: MetricSpec): boolean =>
  metric.type === 'Resource' && metric.resource?.name === 'cpu' && metric.resource.target.averageUtilization !== undefined;
const isCpuStatus = (metric: MetricStatus): boolean => metric.type === 'Resource' && metric.resource?.name === 'cpu';

function toServed(object: KubeObject): AutoscalingV1HorizontalPodAutoscaler {
  const { metadata, spec, status } = object as HorizontalPodAutoscaler;
  const annotations: Record<string, string> = { ...metadata?.annotations };
  const keep = (name: keyof typeof annotation, value: unknown): void => {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) delete annotations[annotation[name]];
    else annotations[annotation[name]] = JSON.stringify(value);
  };
  const cpu = spec?.metrics?.find(isCpu);
  const current = status?.currentMetrics?.find(isCpuStatus);
  keep(
    'metrics',
    spec?.metrics?.filter((metric) => metric !== cpu),
  );
  keep(
    'currentMetrics',
    status?.currentMetrics?.filter((metric) => metric !== current),
  );
  keep('conditions', status?.conditions);
  keep('behavior', spec?.behavior);
  const { annotations: _, ...meta } = metadata ?? {};
  const utilization = current?.resource?.current.averageUtilization;
  return {
    kind: 'HorizontalPodAutoscaler',
    apiVersion: 'autoscaling/v1',
    metadata: { ...meta, ...(Object.keys(annotations).length > 0 && { annotations }) },
    ...(spec && {
      spec: {
        scaleTargetRef: spec.scaleTargetRef,
        maxReplicas: spec.maxReplicas,
        ...(spec.minReplicas !== undefined && { minReplicas: spec.minReplicas }),
        ...(cpu && { targetCPUUtilizationPercentage: cpu.resource!.target.averageUtilization! }),
      },
    }),
    ...(status && {
      status: {
        currentReplicas: status.currentReplicas ?? 0,
        desiredReplicas: status.desiredReplicas,
        ...(utilization !== undefined && { currentCPUUtilizationPercentage: utilization }),
        ...(status.lastScaleTime !== undefined && { lastScaleTime: status.lastScaleTime }),
        ...(status.observedGeneration !== undefined && { observedGeneration: status.observedGeneration }),
      },
    }),
  };
}

function toStorage(object: KubeObject): HorizontalPodAutoscaler {
  const { metadata, spec, status } = object as AutoscalingV1HorizontalPodAutoscaler;
  const annotations: Record<string, string> = { ...metadata?.annotations };
  const take = <T>(name: keyof typeof annotation): T | undefined => {
    const text = annotations[annotation[name]];
    delete annotations[annotation[name]];
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as T;
    } catch {
      // Upstream drops what it cannot read: the annotation is a client's to write.
      return undefined;
    }
  };
  const others = take<MetricSpec[]>('metrics') ?? [];
  const currentOthers = take<MetricStatus[]>('currentMetrics') ?? [];
  const conditions = take<NonNullable<HorizontalPodAutoscaler['status']>['conditions']>('conditions');
  const behavior = take<NonNullable<HorizontalPodAutoscaler['spec']>['behavior']>('behavior');
  const metrics: MetricSpec[] = [];
  if (spec?.targetCPUUtilizationPercentage !== undefined)
    metrics.push({
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: spec.targetCPUUtilizationPercentage } },
    });
  metrics.push(...others);
  const currentMetrics: MetricStatus[] = [];
  if (status?.currentCPUUtilizationPercentage !== undefined)
    currentMetrics.push({
      type: 'Resource',
      resource: { name: 'cpu', current: { averageUtilization: status.currentCPUUtilizationPercentage } },
    });
  currentMetrics.push(...currentOthers);
  const { annotations: _, ...meta } = metadata ?? {};
  return {
    kind: 'HorizontalPodAutoscaler',
    apiVersion: 'autoscaling/v2',
    metadata: { ...meta, ...(Object.keys(annotations).length > 0 && { annotations }) },
    ...(spec && {
      spec: {
        scaleTargetRef: spec.scaleTargetRef,
        maxReplicas: spec.maxReplicas,
        ...(spec.minReplicas !== undefined && { minReplicas: spec.minReplicas }),
        ...(metrics.length > 0 && { metrics }),
        ...(behavior && { behavior }),
      },
    }),
    ...(status && {
      status: {
        desiredReplicas: status.desiredReplicas,
        currentReplicas: status.currentReplicas,
        ...(currentMetrics.length > 0 && { currentMetrics }),
        ...(conditions && { conditions }),
        ...(status.lastScaleTime !== undefined && { lastScaleTime: status.lastScaleTime }),
        ...(status.observedGeneration !== undefined && { observedGeneration: status.observedGeneration }),
      },
    }),
  };
}

export const horizontalPodAutoscalerConverter: Converter = {
  toServed: (objects) => objects.map(toServed),
  toStorage: (objects) => objects.map(toStorage),
};
