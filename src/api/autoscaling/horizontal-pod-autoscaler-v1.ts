/** The first version: one metric, cpu. Others stand in annotations. upstream: pkg/apis/autoscaling/v1. */
import { AutoscalingV1HorizontalPodAutoscaler } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';
import { validateFirstAutoscaler, validateAutoscalerStatus } from './validation.ts';

export const autoscalingV1HorizontalPodAutoscalerRules = defineKind<AutoscalingV1HorizontalPodAutoscaler>({
  kind: AutoscalingV1HorizontalPodAutoscaler,
  applyDefaults: ({ spec, metadata }) => {
    if (!spec) return;
    spec.minReplicas ??= 1;
    // Where no metric is asked for, cpu is: the stored version's default.
    if (metadata?.annotations?.['autoscaling.alpha.kubernetes.io/metrics'] === undefined) spec.targetCPUUtilizationPercentage ??= 80;
  },
  prepareForCreate: (autoscaler) => {
    autoscaler.status = { currentReplicas: 0, desiredReplicas: 0 };
  },
  prepareForUpdate: keepStatus,
  validate: (autoscaler) => validateFirstAutoscaler(autoscaler),
  validateUpdate: validateFirstAutoscaler,
  subresources: { status: { prepareForUpdate: keepSpec, validateUpdate: validateAutoscalerStatus } },
  generation: false,
  columns: [
    text('Reference', ({ spec }) => `${spec?.scaleTargetRef?.kind ?? ''}/${spec?.scaleTargetRef?.name ?? ''}`),
    text('Targets', ({ spec, status }) =>
      spec?.targetCPUUtilizationPercentage == null
        ? '<none>'
        : `cpu: ${status?.currentCPUUtilizationPercentage == null ? '<unknown>' : `${status.currentCPUUtilizationPercentage}%`}/${spec.targetCPUUtilizationPercentage}%`,
    ),
    text('MinPods', ({ spec }) => (spec?.minReplicas == null ? '<unset>' : String(spec.minReplicas))),
    text('MaxPods', ({ spec }) => spec?.maxReplicas ?? 0),
    text('Replicas', ({ status }) => status?.currentReplicas ?? 0),
    ageColumn,
  ],
});
