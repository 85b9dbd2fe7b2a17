import type { ApiCall } from './contract.ts';

/** The path and query of a call. upstream: client-go rest/request.go. */
export function pathOf(call: Omit<ApiCall, 'verb' | 'body'>, extra: Record<string, string> = {}): string {
  const { kind } = call;
  const parts = [kind.group ? `/apis/${kind.group}/${kind.version}` : `/api/${kind.version}`];
  if (kind.namespaced && call.namespace) parts.push('namespaces', encodeURIComponent(call.namespace));
  parts.push(kind.resource);
  if (call.name) parts.push(encodeURIComponent(call.name));
  if (call.subresource) parts.push(call.subresource);
  const query = new URLSearchParams({ ...call.query, ...extra }).toString();
  return parts.join('/') + (query ? `?${query}` : '');
}

export const methods: Record<ApiCall['verb'], string> = {
  get: 'GET',
  list: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
};

export const patchMediaTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

/** What to accept: JSON, or PartialObjectMetadata where the server can. */
export const acceptOf = (metadataOnly: boolean | undefined, list: boolean): string =>
  metadataOnly ? `application/json;as=PartialObjectMetadata${list ? 'List' : ''};g=meta.k8s.io;v=v1,application/json` : 'application/json';
