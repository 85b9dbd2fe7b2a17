import type { Kind } from '#api';
import type { KubeObject } from '#machinery/meta';
import { converterFor } from '../../registry/conversion/index.ts';
import type { ServedResource } from '../../contract.ts';

/** A built-in object as another kind that is stored the same. One of the two is the stored one. */
export async function convertBuiltIn(object: KubeObject, from: Kind, to: Kind): Promise<KubeObject> {
  const between = (kind: Kind, storageKind: Kind) => converterFor({ kind, storageKind } as ServedResource);
  const [converted] = await (isStored(to) ? between(from, to)!.toStorage([object]) : between(to, from)!.toServed([object]));
  return converted!;
}

/** upstream: pkg/kubeapiserver/default_storage_factory_builder.go. */
const isStored = ({ group, version }: Kind): boolean => group === '' || (group === 'autoscaling' && version === 'v2');
