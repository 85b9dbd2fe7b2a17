import type { Kind } from '#api';
import { draft } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { converterFor } from '../../registry/conversion/index.ts';
import type { AdmissionAttributes, ServedResource } from '../../contract.ts';

/** An object of the request's resource as another kind that is stored the same. Answers a new object. */
export async function convertBetween({ served }: AdmissionAttributes, object: KubeObject, from: Kind, to: Kind): Promise<KubeObject> {
  const copy = draft(object);
  if (from.apiVersion === to.apiVersion) return copy;
  if (served?.equivalents) return served.equivalents.convert(copy, to);
  const between = (kind: Kind, storageKind: Kind) => converterFor({ kind, storageKind } as ServedResource);
  const [converted] = await (isStored(to) ? between(from, to)!.toStorage([copy]) : between(to, from)!.toServed([copy]));
  return converted!;
}

/** Of two built-in kinds, one is the stored one. upstream: pkg/kubeapiserver/default_storage_factory_builder.go. */
const isStored = ({ group, version }: Kind): boolean => group === '' || (group === 'autoscaling' && version === 'v2');
