/** The first version: one metric, cpu. Others stand in annotations. upstream: pkg/apis/autoscaling/v1. */
import { AutoscalingV1HorizontalPodAutoscaler } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { autoscalerFromFirst, settleFirst } from './convert.ts';
import { horizontalPodAutoscalerRules } from './horizontal-pod-autoscaler.ts';

/** Strategy and validation are the stored version's: what this one has no field for is looked at there. */
export const autoscalingV1HorizontalPodAutoscalerRules = defineKind<AutoscalingV1HorizontalPodAutoscaler>({
  kind: AutoscalingV1HorizontalPodAutoscaler,
  applyDefaults: (autoscaler) => {
    if (autoscaler.spec) autoscaler.spec.minReplicas ??= 1;
    settleFirst(autoscaler);
  },
  generation: false,
  columns: horizontalPodAutoscalerRules.columns!.map((column) => ({
    ...column,
    cell: (autoscaler, now) => column.cell(autoscalerFromFirst(autoscaler), now),
  })),
});
