/** Built-in resources served in more versions than they are stored in, one line a kind. */
import type { ServedResource } from '../../contract.ts';
import type { Converter } from '../generic/conversion.ts';
import { eventConverter } from './event.ts';
import { horizontalPodAutoscalerConverter } from './horizontal-pod-autoscaler.ts';

const converters: Record<string, Converter> = {
  'autoscaling/v1 HorizontalPodAutoscaler': horizontalPodAutoscalerConverter,
  'events.k8s.io/v1 Event': eventConverter,
};

/** Undefined where the resource is stored in the version it is served in. */
export function converterFor({ kind, storageKind }: ServedResource): Converter | undefined {
  if (kind.apiVersion === storageKind.apiVersion) return undefined;
  const converter = converters[`${kind.apiVersion} ${kind.kind}`];
  if (!converter) throw new Error(`Cannot serve ${kind.apiVersion} ${kind.kind}: nothing converts it to ${storageKind.apiVersion}`);
  return converter;
}
