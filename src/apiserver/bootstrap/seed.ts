import { rulesFor } from '#api/rules';
import type { Clock, Random } from '#machinery/clock';
import { timestamp } from '#machinery/clock';
import { draft } from '#machinery/meta';
import type { Store } from '#store';
import { encodeStored } from '../registry/generic/encoding.ts';
import { storagePrefix } from '../registry/served.ts';
import type { Entry } from './entry.ts';

/** etcd takes 128 operations a transaction by default. */
const batch = 100;

/**
 * Writes a new cluster's first objects straight into an empty store, before the server serves. False, and nothing written, where the
 * store has objects already: then `ensureBootstrap` compares.
 */
export async function seedStore(store: Store, entries: readonly Entry[], clock: Clock, random: Random): Promise<boolean> {
  const { count } = await store.range({ key: '/registry/', end: '/registry0', countOnly: true, limit: 1 });
  if (count > 0) return false;
  const creationTimestamp = timestamp(clock);
  const records = entries.map(({ kind, object: given }) => {
    const object = draft(given);
    rulesFor(kind).applyDefaults?.(object);
    const { name, namespace, ...rest } = object.metadata ?? {};
    object.metadata = { name, ...(namespace && { namespace }), uid: random.uuid(), creationTimestamp, ...rest };
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
