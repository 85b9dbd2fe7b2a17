/** upstream: pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go. */
import { HorizontalPodAutoscaler } from '../facts/kinds.ts';
import type { MetricSpec, MetricStatus } from '../facts/types.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';
import { dropTravelling } from './convert.ts';
import { validateAutoscaler, validateAutoscalerStatus } from './validation.ts';
import { defaultBehavior } from './scaling-rules.ts';

function applyDefaults(autoscaler: HorizontalPodAutoscaler): void {
  dropTravelling(autoscaler);
  const { spec } = autoscaler;
  if (!spec) return;
  spec.minReplicas ??= 1;
  if (!spec.metrics?.length)
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }];
  if (spec.behavior) defaultBehavior(spec.behavior);
}

const unknown = '<unknown>';
const percent = (value: number | undefined, otherwise: string): string => (value == null ? otherwise : `${value}%`);

function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  const averaged = (current: unknown, target: unknown): string => `${current ?? unknown}/${target ?? '0'}`;
  switch (spec.type) {
    case 'External':
    case 'Object': {
      const [wanted, seen] = spec.type === 'External' ? [spec.external, status?.external] : [spec.object, status?.object];
      if (wanted?.target.averageValue != null) return `${averaged(seen?.current.averageValue, wanted.target.averageValue)} (avg)`;
      return averaged(seen && (seen.current.value ?? '0'), wanted?.target.value);
    }
    case 'Pods':
      return averaged(status?.pods && (status.pods.current.averageValue ?? '0'), spec.pods?.target.averageValue);
    case 'Resource':
    case 'ContainerResource': {
      const [wanted, seen] =
        spec.type === 'Resource' ? [spec.resource, status?.resource] : [spec.containerResource, status?.containerResource];
      if (wanted?.target.averageValue != null)
        return `${wanted.name}: ${averaged(seen && (seen.current.averageValue ?? '0'), wanted.target.averageValue)}`;
      return `${wanted?.name ?? ''}: ${percent(seen?.current.averageUtilization, unknown)}/${percent(wanted?.target.averageUtilization, '<auto>')}`;
    }
    default:
      return '<unknown type>';
  }
}

const shownMetrics = 2;

function targets({ spec, status }: HorizontalPodAutoscaler): string {
  const metrics = spec?.metrics ?? [];
  if (metrics.length === 0) return '<none>';
  const list = metrics.map((metric, index) => metricText(metric, status?.currentMetrics?.[index]));
  const shown = list.slice(0, shownMetrics).join(', ');
  return list.length > shownMetrics ? `${shown} + ${list.length - shownMetrics} more...` : shown;
}

export const horizontalPodAutoscalerRules = defineKind<HorizontalPodAutoscaler>({
  kind: HorizontalPodAutoscaler,
  applyDefaults,
  prepareForCreate: (autoscaler) => {
    autoscaler.status = { desiredReplicas: 0 };
  },
  prepareForUpdate: keepStatus,
  validate: (autoscaler) => validateAutoscaler(autoscaler),
  validateUpdate: validateAutoscaler,
  subresources: { status: { prepareForUpdate: keepSpec, validateUpdate: validateAutoscalerStatus } },
  generation: false,
  columns: [
    text('Reference', ({ spec }) => `${spec?.scaleTargetRef?.kind ?? ''}/${spec?.scaleTargetRef?.name ?? ''}`),
    text('Targets', targets),
    text('MinPods', ({ spec }) => (spec?.minReplicas == null ? '<unset>' : String(spec.minReplicas))),
    text('MaxPods', ({ spec }) => spec?.maxReplicas ?? 0),
    text('Replicas', ({ status }) => status?.currentReplicas ?? 0),
    ageColumn,
  ],
});
