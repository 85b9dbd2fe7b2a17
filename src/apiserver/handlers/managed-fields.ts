/** Who manages which fields: kept for objects of clients that never apply too. upstream: apimachinery/pkg/util/managedfields. */
import { schema } from '#api/facts';
import { applyPatch, factTypeSchema, fieldsOf, trackUpdate as track } from '#machinery/apply';
import type { Fields, TypeSchema } from '#machinery/apply';
import { deepFreeze } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { badRequest } from '#machinery/status';
import type { ServedResource } from '../contract.ts';
import type { RequestContext } from '../registry/contract.ts';
import { conform } from '../registry/structure.ts';

const schemaOf = (served: ServedResource): TypeSchema => served.typeSchema ?? factTypeSchema(served.fact.type);

const resets = new WeakMap<ServedResource, Map<string, Fields | undefined>>();

/** Fields that a write on this (sub)resource never changes: the status on the resource, all but it on the status. upstream: GetResetFields. */
function resetFields(served: ServedResource, subresource: string): Fields | undefined {
  if (!served.fact.subresources.some(({ name }) => name === 'status')) return undefined;
  let known = resets.get(served);
  if (!known) {
    const fields = Object.keys(schema[served.fact.type]?.fields ?? { spec: true }).filter(
      (field) => !['apiVersion', 'kind', 'metadata', 'status'].includes(field),
    );
    known = new Map([
      ['', fieldsOf([...(served.rules.resetFields ?? ['status'])])],
      ['status', fields.length > 0 ? fieldsOf(fields) : undefined],
    ]);
    resets.set(served, known);
  }
  return known.get(subresource);
}

const empties = new Map<string, KubeObject>();

/** What a built-in kind's object is before anybody sets a field: what is in it by itself nobody owns. */
function emptyOf(served: ServedResource): KubeObject | undefined {
  if (served.typeSchema) return undefined;
  const { type } = served.fact;
  let empty = empties.get(type);
  if (!empty) empties.set(type, (empty = deepFreeze(conform(type, {}).value as KubeObject)));
  return empty;
}

/** `object` (private) about to be created. */
export function trackCreate(served: ServedResource, object: KubeObject, context: RequestContext, now: number): KubeObject {
  return track({
    live: emptyOf(served),
    updated: object,
    manager: context.fieldManager,
    apiVersion: served.kind.apiVersion,
    schema: schemaOf(served),
    now,
    resetFields: resetFields(served, ''),
  });
}

/** `object` (private) about to replace `old`. */
export function trackUpdate(
  served: ServedResource,
  old: KubeObject,
  object: KubeObject,
  context: RequestContext,
  now: number,
  subresource: string,
): KubeObject {
  return track({
    live: old,
    updated: object,
    manager: context.fieldManager,
    subresource,
    apiVersion: served.kind.apiVersion,
    schema: schemaOf(served),
    now,
    resetFields: resetFields(served, subresource),
  });
}

/** What applying a configuration makes of the stored object. */
export function applied(
  served: ServedResource,
  old: KubeObject | undefined,
  configuration: KubeObject,
  context: RequestContext,
  now: number,
  subresource: string,
): KubeObject {
  const { uid } = configuration.metadata ?? {};
  if (!old && uid) throw badRequest(`uid mismatch: the provided object specified uid ${uid}, and no existing object was found`);
  const force = context.query.get('force');
  return applyPatch({
    live: old,
    empty: emptyOf(served),
    applied: configuration,
    manager: context.fieldManager,
    force: force !== null && force !== 'false' && force !== '0',
    subresource,
    apiVersion: served.kind.apiVersion,
    kind: served.kind.kind,
    schema: schemaOf(served),
    now,
    ...(served.rules.applyDefaults && { applyDefaults: (object: KubeObject) => served.rules.applyDefaults!(object) }),
    resetFields: resetFields(served, subresource),
  });
}
