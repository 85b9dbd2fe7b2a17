import { forbidden } from '#machinery/status';
import type { StatusError } from '#machinery/status';
import type { AdmissionAttributes } from '../contract.ts';

/** Whether the request is for a resource and, where given, one of these subresources ("" is the resource itself). */
export const isFor = ({ kind, subresource }: AdmissionAttributes, group: string, resource: string, ...subresources: string[]): boolean =>
  kind.resource === resource && kind.group === group && (subresources.length > 0 ? subresources.includes(subresource) : subresource === '');

/** Refuses, naming the object as upstream does: by its name, by what its name will begin with, or as Unknown. */
export function forbid({ kind, name, object }: AdmissionAttributes, text: string): StatusError {
  const shown = name || object?.metadata?.name || object?.metadata?.generateName || 'Unknown';
  return forbidden({ group: kind.group, resource: kind.resource }, shown, text);
}
