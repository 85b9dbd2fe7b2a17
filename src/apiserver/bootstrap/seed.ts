import { rulesFor } from '#api/rules';
import type { Clock, Random } from '#machinery/clock';
import { timestamp } from '#machinery/clock';
import { draft } from '#machinery/meta';
import type { Store } from '#store';
import type { KubeObject } from '#machinery/meta';
import type { ServedResource } from '../contract.ts';
import { applied, trackCreate } from '../handlers/managed-fields.ts';
import { encodeStored } from '../registry/generic/encoding.ts';
import { builtInResources, storagePrefix } from '../registry/served.ts';
import type { Entry } from './entry.ts';

/** etcd takes 128 operations a transaction by default. */
const batch = 100;

/** Without the field at a dotted path. */
function without(object: Record<string, unknown>, path: string): Record<string, unknown> {
  const [field = '', ...deeper] = path.split('.');
  const { [field]: value, ...rest } = object;
  if (deeper.length === 0 || value === undefined) return rest;
  return { ...rest, [field]: without(value as Record<string, unknown>, deeper.join('.')) };
}

/** What Go's configurations for applies leave out. */
const withoutEmpty = (value: unknown): unknown => JSON.parse(JSON.stringify(value, (_, held: unknown) => (held === '' ? undefined : held)));

/** Most objects are roles and bindings, whose lists are whole fields: those with the same fields are managed alike, whatever stands in them. */
function shapeOf({ kind, object, applied: other }: Entry): string | undefined {
  if (kind.group !== 'rbac.authorization.k8s.io' || other) return undefined;
  const { labels = {}, annotations = {} } = object.metadata ?? {};
  return [kind.kind, ...Object.keys(object), ...Object.keys(labels), ...Object.keys(annotations)].join('\n');
}

/** Whose fields these are, as after the requests by which upstream's servers and controllers write them. */
function managersOf(
  { manager = 'kube-apiserver', unowned = [], applied: other }: Entry,
  object: KubeObject,
  served: ServedResource,
  now: number,
): NonNullable<KubeObject['metadata']>['managedFields'] {
  const own = [...unowned, ...(other ? [other.field] : [])].reduce<object>((rest, path) => without({ ...rest }, path), object);
  let result = trackCreate(served, draft(own as KubeObject), { fieldManager: manager }, now);
  if (other) {
    const { kind, apiVersion, metadata } = object;
    const configuration = {
      kind,
      apiVersion,
      metadata: { name: metadata?.name },
      [other.field]: withoutEmpty((object as never)[other.field]),
    };
    const context = { fieldManager: other.manager, query: new URLSearchParams({ force: 'true' }) };
    result = applied(served, result, configuration as KubeObject, context, now, other.subresource ?? '');
  }
  return result.metadata?.managedFields;
}

/**
 * Writes a new cluster's first objects straight into an empty store, before the server serves. False, and nothing written, where the
 * store has objects already: then `ensureBootstrap` compares.
 */
export async function seedStore(store: Store, entries: readonly Entry[], clock: Clock, random: Random): Promise<boolean> {
  const { count } = await store.range({ key: '/registry/', end: '/registry0', countOnly: true, limit: 1 });
  if (count > 0) return false;
  const creationTimestamp = timestamp(clock);
  const served = new Map(builtInResources().map((resource) => [`${resource.kind.apiVersion} ${resource.kind.kind}`, resource]));
  const shapes = new Map<string, ReturnType<typeof managersOf>>();
  const records = entries.map((wanted) => {
    const { kind } = wanted;
    const object = draft(wanted.object);
    rulesFor(kind).applyDefaults?.(object);
    const shape = shapeOf(wanted);
    const managedFields =
      (shape === undefined ? undefined : shapes.get(shape)) ??
      managersOf(wanted, object, served.get(`${kind.apiVersion} ${kind.kind}`)!, clock.now());
    if (shape !== undefined) shapes.set(shape, managedFields);
    const { name, namespace, ...rest } = object.metadata ?? {};
    object.metadata = {
      name,
      ...(namespace && { namespace }),
      uid: random.uuid(),
      creationTimestamp,
      ...rest,
      ...(managedFields && { managedFields }),
    };
    const path = namespace ? `${namespace}/${name}` : name;
    return { key: `${storagePrefix(kind.group, kind.resource)}${path}`, value: encodeStored(object) };
  });
  const size = store.embedded ? records.length : batch;
  for (let start = 0; start < records.length; start += size) {
    const part = records.slice(start, start + size);
    await store.txn({
      // Another server may be starting beside us on the same store; what it wrote stays.
      compare: part.map(({ key }) => ({ key, target: 'version', result: 'equal', operand: 0 })),
      success: part.map(({ key, value }) => ({ type: 'put', key, value })),
      failure: [],
    });
  }
  return true;
}
