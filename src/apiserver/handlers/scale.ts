/** The scale subresource of every kind that says where its replicas are. upstream: pkg/registry/apps/deployment/storage ScaleREST. */
import type { Column, Kind, Scale } from '#api';
import { fieldsOf } from '#machinery/apply';
import { draft } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { badRequest, conflict, internalError, invalid, invalidField } from '#machinery/status';
import type { AdmissionAttributes, ServedResource } from '../contract.ts';
import type { RequestContext } from '../registry/contract.ts';
import type { AdmissionChain } from '../registry/generic/admission-chain.ts';
import { requestOptions } from '../registry/generic/request-options.ts';
import type { GenericStorage } from '../registry/generic/storage.ts';
import type { Answer, ApiRequest } from './contract.ts';
import { conformTo, fieldValidationOf, ofKind, parseBody } from './decode.ts';
import { trackUpdate } from './managed-fields.ts';
import { ageColumn } from '../table/table.ts';
import { checkPatchOptions, checkWriteOptions } from './options.ts';
import { bareType } from './media-types.ts';
import { applyPatchTo, patchError, patchTypes } from './patch.ts';

const scaleType = 'io.k8s.api.autoscaling.v1.Scale';
const scaleKind = (storage: GenericStorage): Kind => ({
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  resource: storage.served.kind.resource,
  namespaced: storage.served.kind.namespaced,
  apiVersion: 'autoscaling/v1',
});

function at(object: unknown, path: string): unknown {
  let value = object;
  for (const field of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[field];
  return value;
}

function setAt(object: unknown, path: string, value: unknown): void {
  const fields = path.split('.');
  let target = object as Record<string, unknown>;
  for (const field of fields.slice(0, -1)) target = (target[field] ??= {}) as Record<string, unknown>;
  target[fields.at(-1)!] = value;
}

function scaleOf(storage: GenericStorage, object: KubeObject): Scale {
  const { scale } = storage.served.rules;
  if (!scale) throw internalError(new Error(`no scale rules for ${storage.served.kind.kind}`));
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata ?? {};
  const replicas = at(object, scale.specReplicas);
  if (replicas === undefined && storage.served.conform)
    throw internalError(new Error(`the spec replicas field ${JSON.stringify(`.${scale.specReplicas}`)} does not exist`));
  const selector = scale.selector(object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      ...(name && { name }),
      ...(namespace && { namespace }),
      ...(uid && { uid }),
      ...(resourceVersion && { resourceVersion }),
      ...(creationTimestamp && { creationTimestamp }),
    },
    spec: { replicas: (replicas as number | undefined) ?? 0 },
    status: { replicas: (at(object, scale.statusReplicas) as number | undefined) ?? 0, ...(selector && { selector }) },
  };
}

/** upstream: pkg/printers/internalversion printScale. */
const columns: Column<Scale>[] = [
  { name: 'Name', type: 'string', format: '', cell: ({ metadata }) => metadata?.name ?? '' },
  { name: 'Desired', type: 'integer', cell: ({ spec }) => spec?.replicas ?? 0 },
  { name: 'Available', type: 'integer', cell: ({ status }) => status?.replicas ?? 0 },
  ageColumn,
];

const scales = new WeakMap<ServedResource, ServedResource>();

/** How a scale is shown. */
function shownAs({ served }: GenericStorage): ServedResource {
  let shown = scales.get(served);
  if (!shown) scales.set(served, (shown = { ...served, rules: { ...served.rules, columns } as ServedResource['rules'] }));
  return shown;
}

export async function getScale({ context }: ApiRequest, storage: GenericStorage): Promise<Answer> {
  const cached = await storage.get(context, context.info.namespace, context.info.name);
  return { type: 'object', code: 200, object: scaleOf(storage, cached.object), served: shownAs(storage) };
}

/** PUT and PATCH of the scale. */
export async function scaleChange(request: ApiRequest, storage: GenericStorage, admission: AdmissionChain): Promise<Answer> {
  const { context } = request;
  const { namespace, name, verb } = context.info;
  const kind = scaleKind(storage);
  const applies = verb === 'patch' && bareType(request.body?.mediaType ?? '') === patchTypes.apply;
  if (verb === 'patch') checkPatchOptions(context.query, applies);
  else checkWriteOptions(context.query, 'UpdateOptions');
  const body = verb === 'patch' ? undefined : await parseBody(request.body, fieldValidationOf(context));
  const result = await storage.update(
    context,
    namespace,
    name,
    async (old) => {
      const before = scaleOf(storage, old!);
      const value = body ?? (await applyPatchTo(request, draft(before), scaleType, context));
      let scale: Scale;
      try {
        scale = ofKind(value, kind, conformTo(scaleType), context, request.body?.bytes) as Scale;
      } catch (error) {
        throw body ? error : patchError(error, JSON.stringify(value.value));
      }
      const asked = attributes(context, kind, scale, before);
      await admission.admit(asked);
      const wanted = asked.object as Scale;
      check(storage, wanted, before, name);
      await admission.validate(asked);
      const next = draft(old!);
      setAt(next, storage.served.rules.scale!.specReplicas, wanted.spec?.replicas ?? 0);
      const version = wanted.metadata?.resourceVersion;
      if (version) next.metadata!.resourceVersion = version;
      else delete next.metadata!.resourceVersion;
      const owned = applies ? fieldsOf([storage.served.rules.scale!.specReplicas]) : undefined;
      return trackUpdate(storage.served, old!, next, context, storage.parts.clock.now(), 'scale', owned);
    },
    '',
  );
  return { type: 'object', code: 200, object: scaleOf(storage, result.object), served: shownAs(storage) };
}

function check(storage: GenericStorage, scale: Scale, before: Scale, name: string): void {
  const meta = scale.metadata ?? {};
  if (!meta.name) throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (meta.name !== name) throw badRequest(`the name of the object (${meta.name}) does not match the name on the URL (${name})`);
  if (meta.uid && meta.uid !== before.metadata?.uid)
    throw conflict(
      storage.resource,
      name,
      `Precondition failed: UID in precondition: ${meta.uid}, UID in object meta: ${before.metadata?.uid ?? ''}`,
    );
  const replicas = scale.spec?.replicas ?? 0;
  if (replicas < 0)
    throw invalid({ group: 'autoscaling', kind: 'Scale' }, name, [
      invalidField('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
}

function attributes(context: RequestContext, kind: Kind, object: KubeObject, oldObject: KubeObject): AdmissionAttributes {
  return {
    operation: 'UPDATE',
    kind,
    subresource: 'scale',
    namespace: context.info.namespace,
    name: context.info.name,
    object,
    oldObject,
    options: requestOptions('UPDATE', context),
    dryRun: context.dryRun,
    user: context.user,
    warn: (text) => context.warn(text),
    annotate: (key, value) => context.annotate(key, value),
  };
}
