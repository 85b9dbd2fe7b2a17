/** Who manages which fields: kept for objects of clients that never apply too. upstream: apimachinery/pkg/util/managedfields. */
import { schema } from '#api/facts';
import { applyPatch, factTypeSchema, fieldsOf, trackUpdate as track } from '#machinery/apply';
import type { Fields, TypeSchema, Versions } from '#machinery/apply';
import { deepFreeze } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { badRequest } from '#machinery/status';
import type { ServedResource } from '../contract.ts';
import type { RequestContext } from '../registry/contract.ts';
import { versionsOf } from '../registry/conversion/index.ts';
import { conform } from '../registry/structure.ts';

const schemaOf = (served: ServedResource): TypeSchema => served.typeSchema ?? factTypeSchema(served.fact.type);

/** Of a built-in kind whose versions differ: a manager's fields are those of the version it wrote in. */
function versions(served: ServedResource): { versions?: Versions } {
  let known = otherVersions.get(served);
  if (!known) {
    const of = versionsOf(served);
    known = of ? { versions: (object, apiVersion) => seenAs(of(object as KubeObject, apiVersion)) } : {};
    otherVersions.set(served, known);
  }
  return known;
}
const otherVersions = new WeakMap<ServedResource, { versions?: Versions }>();
const seenAs = (found: { object: KubeObject; type: string } | undefined): ReturnType<Versions> =>
  found && { object: found.object, schema: factTypeSchema(found.type) };

const resets = new WeakMap<ServedResource, Map<string, Fields | undefined>>();

/** Fields that a write on this (sub)resource never changes: the status on the resource, all but it on the status. upstream: GetResetFields. */
function resetFields(served: ServedResource, subresource: string): Fields | undefined {
  if (!served.fact.subresources.some(({ name }) => name === 'status')) return undefined;
  let known = resets.get(served);
  if (!known) {
    const { fields: all = { spec: true } } = schema[served.fact.type] ?? {};
    const fields = Object.keys(all).filter((field) => !['apiVersion', 'kind', 'metadata', 'status'].includes(field));
    known = new Map([
      ['', fieldsOf([...(served.rules.resetFields ?? ['status'])])],
      ['status', fieldsOf(served.rules.statusResetFields ?? fields)],
      ['approval', fieldsOf(['spec', 'status.certificate'])],
    ]);
    resets.set(served, known);
  }
  return known.get(subresource);
}

const empties = new Map<string, KubeObject>();

/** What a built-in kind's object is before anybody sets a field: what is in it by itself nobody owns. */
const emptyOf = (served: ServedResource): KubeObject | undefined => (served.typeSchema ? undefined : emptyOfType(served.fact.type));

function emptyOfType(type: string): KubeObject {
  let empty = empties.get(type);
  if (!empty) empties.set(type, (empty = deepFreeze(conform(type, {}).value as KubeObject)));
  return empty;
}

/** `object` (private) about to be created. */
export function trackCreate(
  served: ServedResource,
  object: KubeObject,
  context: Pick<RequestContext, 'fieldManager'>,
  now: number,
): KubeObject {
  return track({
    live: emptyOf(served),
    updated: object,
    manager: context.fieldManager,
    apiVersion: served.kind.apiVersion,
    schema: schemaOf(served),
    ...versions(served),
    now,
    resetFields: resetFields(served, ''),
  });
}

/** The same of an object that is answered and never stored; `type`: its schema's name. */
export function trackMade(type: string, object: KubeObject, context: RequestContext, now: number): KubeObject {
  return track({
    live: emptyOfType(type),
    updated: object,
    manager: context.fieldManager,
    subresource: context.info.subresource,
    apiVersion: object.apiVersion ?? '',
    schema: factTypeSchema(type),
    now,
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
  appliedFields?: Fields,
): KubeObject {
  return track({
    live: old,
    updated: object,
    manager: context.fieldManager,
    subresource,
    apiVersion: served.kind.apiVersion,
    schema: schemaOf(served),
    ...versions(served),
    now,
    resetFields: resetFields(served, subresource),
    ...(appliedFields && { byApply: { fields: appliedFields, force: isForced(context) } }),
  });
}

function isForced({ query }: Pick<RequestContext, 'query'>): boolean {
  const force = query.get('force');
  return force !== null && force !== 'false' && force !== '0';
}

/** What applying a configuration makes of the stored object. */
export function applied(
  served: ServedResource,
  old: KubeObject | undefined,
  configuration: KubeObject,
  context: Pick<RequestContext, 'fieldManager' | 'query'>,
  now: number,
  subresource: string,
): KubeObject {
  const { uid } = configuration.metadata ?? {};
  if (!old && uid) throw badRequest(`uid mismatch: the provided object specified uid ${uid}, and no existing object was found`);
  return applyPatch({
    live: old,
    empty: emptyOf(served),
    applied: configuration,
    manager: context.fieldManager,
    force: isForced(context),
    subresource,
    apiVersion: served.kind.apiVersion,
    kind: served.kind.kind,
    schema: schemaOf(served),
    ...versions(served),
    now,
    ...(served.rules.applyDefaults && { applyDefaults: (object: KubeObject) => served.rules.applyDefaults!(object) }),
    resetFields: resetFields(served, subresource),
  });
}
