import type { Kind } from '#api';
import type { KubeObject } from '#machinery/meta';
import { formatLabelSelector } from '#machinery/selectors';
import { isNotFound } from '#machinery/status';
import type { ParamKind, ParamRef } from '../../../api/facts/types.ts';
import type { ServerDependencies } from '../../contract.ts';
import { findKind } from '../find-kind.ts';

/**
 * The objects that a binding gives its policy, one evaluation each; [null]: none are needed. Throws an Error with the reason where the
 * binding is wrong. upstream: policy/generic CollectParams.
 */
export async function collectParams(
  dependencies: Pick<ServerDependencies, 'client'>,
  paramKind: ParamKind | undefined,
  paramRef: ParamRef | undefined,
  requestNamespace: string,
): Promise<(KubeObject | null)[]> {
  if (!paramKind || !paramRef) return [null];
  const kind = await findKind(dependencies, paramKind);
  if (!kind) throw new Error(`paramKind kind \`${paramKind.apiVersion}, Kind=${paramKind.kind}\` not known`);
  let namespace = '';
  if (kind.namespaced) {
    namespace = paramRef.namespace || requestNamespace;
    if (!namespace) throw new Error('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources');
  } else if (paramRef.namespace) throw new Error('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
  if (paramRef.name && paramRef.selector) throw new Error('paramRef.name and paramRef.selector are mutually exclusive');
  const found = await fetch(dependencies, kind, paramRef, namespace);
  if (found.length === 0 && paramRef.parameterNotFoundAction === 'Deny')
    throw new Error('no params found for policy binding with `Deny` parameterNotFoundAction');
  return found.map((object) => ({ apiVersion: kind.apiVersion, kind: kind.kind, ...object }));
}

async function fetch(
  { client }: Pick<ServerDependencies, 'client'>,
  kind: Kind,
  { name, selector }: ParamRef,
  namespace: string,
): Promise<KubeObject[]> {
  const place = namespace ? { namespace } : {};
  if (name)
    return client.get(kind, { ...place, name }).then(
      (object) => [object],
      (error: unknown) => {
        if (isNotFound(error)) return [];
        throw error;
      },
    );
  if (!selector) throw new Error('one of name or selector must be provided');
  const labelSelector = formatLabelSelector(selector);
  return (await client.list(kind, { ...place, ...(labelSelector && labelSelector !== '<none>' && { labelSelector }) })).items;
}
