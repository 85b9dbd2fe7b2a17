/** Built-in resources served in more versions than they are stored in, one line a kind. */
import { resources } from '#api/facts';
import type { KubeObject } from '#machinery/meta';
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

/**
 * An object of a built-in resource, which may have no kind, in other versions of its group; undefined for versions that are not served.
 * Without a function, no two versions of the resource differ.
 */
export function versionsOf({
  kind: { group, kind, apiVersion, resource },
}: ServedResource): ((object: KubeObject, wanted: string) => { object: KubeObject; type: string } | undefined) | undefined {
  const facts = resources.filter((fact) => fact.group === group && fact.resource === resource && fact.kind === kind);
  const ruled = facts.map((fact) => converters[`${fact.group}/${fact.version} ${kind}`]?.ruled).find(Boolean);
  if (!ruled) return undefined;
  const isServed = (version: string): boolean => converters[`${version} ${kind}`] !== undefined;
  return (object, wanted) => {
    const fact = facts.find(({ version }) => `${group}/${version}` === wanted);
    if (!fact) return undefined;
    if (isServed(wanted) === isServed(apiVersion)) return { object, type: fact.type };
    return { object: isServed(wanted) ? ruled.toServed(object) : ruled.toStorage(object), type: fact.type };
  };
}
