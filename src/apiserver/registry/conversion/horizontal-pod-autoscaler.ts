/** autoscaling/v1's autoscalers are stored as autoscaling/v2, and its annotations are fields there: rules look at those. */
import type { AutoscalingV1HorizontalPodAutoscaler, HorizontalPodAutoscaler } from '#api';
import { autoscalerFromFirst, autoscalerToFirst } from '#api/rules';
import type { KubeObject } from '#machinery/meta';
import type { Converter } from '../generic/conversion.ts';

const toServed = (object: KubeObject): AutoscalingV1HorizontalPodAutoscaler => autoscalerToFirst(object as HorizontalPodAutoscaler);
const toStorage = (object: KubeObject): HorizontalPodAutoscaler => autoscalerFromFirst(object as AutoscalingV1HorizontalPodAutoscaler);

export const horizontalPodAutoscalerConverter: Converter = {
  toServed: (objects) => objects.map(toServed),
  toStorage: (objects) => objects.map(toStorage),
  ruled: { toServed, toStorage },
};
