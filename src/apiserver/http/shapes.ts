/** Other shapes of objects and lists: Table, PartialObjectMetadata. upstream: apiserver/pkg/endpoints/handlers/response.go. */
import type { KubeObject } from '#machinery/meta';
import { notAcceptable } from '#machinery/status';
import type { CachedObject, ServedResource } from '../contract.ts';
import type { Answer } from '../handlers/contract.ts';
import { listMetaOf } from '../registry/generic/listing.ts';
import { acceptedTypes } from './negotiation.ts';
import type { Shape } from './negotiation.ts';

/** What the encoders need of the world: the time, for ages in tables. */
export interface EncodeContext {
  now: number;
  includeObject: string;
}

export const partial = (object: KubeObject, version: string): KubeObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${version}`,
  ...(object.metadata && { metadata: object.metadata }),
});

export async function shapedObject(object: KubeObject, served: ServedResource, shape: Shape, context: EncodeContext): Promise<KubeObject> {
  if (shape.kind === 'PartialObjectMetadata') return partial(object, shape.version);
  if (shape.kind !== 'Table') throw notAcceptable(`only the following media types are accepted: ${acceptedTypes()}`);
  const { tableOf } = await import('../table/table.ts');
  return tableOf(served, [object], {
    ...context,
    version: shape.version,
    metadata: object.metadata?.resourceVersion ? { resourceVersion: object.metadata.resourceVersion } : {},
  });
}

export async function shapedList(
  { served, result }: Answer & { type: 'list' },
  { kind, version }: Shape,
  context: EncodeContext,
): Promise<KubeObject> {
  const metadata = listMetaOf(result);
  if (kind === 'PartialObjectMetadataList' || kind === 'PartialObjectMetadata')
    return {
      kind: 'PartialObjectMetadataList',
      apiVersion: `meta.k8s.io/${version}`,
      metadata,
      // A list of nothing is null here, as upstream writes it.
      items: result.items.length > 0 ? result.items.map(({ object }) => partial(object, version)) : null,
    } as unknown as KubeObject;
  const { tableOf } = await import('../table/table.ts');
  return tableOf(
    served,
    result.items.map(({ object }: CachedObject) => object),
    { ...context, version, metadata },
  );
}
