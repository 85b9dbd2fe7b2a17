/**
 * Lists: from the watch cache, whole or in pages. All pages of one list show the same revision: from the cache's window while it
 * reaches back that far, from the store after that. upstream: apiserver/pkg/storage/cacher/cacher.go GetList, etcd3/store.go.
 */
import { StatusError, badRequest, expired, failure } from '#machinery/status';
import { StoreError } from '#store';
import type { CachedObject } from '../../contract.ts';
import { decodeContinue, encodeContinue } from './continue-token.ts';
import { derived } from './conversion.ts';
import type { Selection } from './selection.ts';
import type { GenericStorage } from './storage.ts';

export interface ListQuery {
  selection: Selection;
  limit: number;
  continue: string;
  resourceVersion: string;
  resourceVersionMatch: string;
}

export interface ListResult {
  items: readonly CachedObject[];
  /** 0 where nothing of it is stored (ComponentStatus). */
  revision: number;
  continue?: string;
  remaining?: number;
}

/** A list's metadata, as JSON. */
export const listMetaOf = ({ revision, continue: token, remaining }: ListResult): Record<string, unknown> => ({
  ...(revision > 0 && { resourceVersion: String(revision) }),
  ...(token && { continue: token }),
  ...(remaining !== undefined && { remainingItemCount: remaining }),
});

const tooOld = 'The resourceVersion for the provided list is too old.';
const continueTooOld =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

const unparsable = (text: string): string =>
  `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;

/** The same for a get and a watch, where upstream's cache tells the storage's error raw. */
export function parseRevisionRaw(text: string): number {
  if (text !== '' && !/^\d+$/.test(text)) throw failure(500, undefined, unparsable(text));
  return parseRevision(text);
}

export function parseRevision(text: string): number {
  if (text === '') return 0;
  if (!/^\d+$/.test(text)) throw badRequest(`invalid resource version: ${unparsable(text)}`);
  return Number(text);
}

export async function list(storage: GenericStorage, namespace: string, query: ListQuery): Promise<ListResult> {
  const { storagePrefix, fact } = storage.served;
  const prefix = fact.namespaced && namespace ? `${storagePrefix}${namespace}/` : storagePrefix;
  const { selection } = query;
  const wanted = parseRevision(query.resourceVersion);
  await storage.cache.synced;

  if (query.continue) {
    if (query.resourceVersion && query.resourceVersion !== '0')
      throw badRequest('specifying resource version is not allowed when using continue');
    const token = decodeContinue(query.continue);
    const start = `${storagePrefix}${token.start}`;
    if (token.revision < 0) {
      await storage.fresh();
      return page(storage, storage.cache.list(prefix), start, query);
    }
    try {
      return await page(storage, await snapshotAt(storage, prefix, token.revision), start, query);
    } catch (error) {
      if (error instanceof StatusError && error.reason === 'Expired')
        throw new StatusError(
          { ...expired(continueTooOld).status, metadata: { continue: encodeContinue({ revision: -1, start: token.start }) } },
          { cause: error },
        );
      throw error;
    }
  }

  const exact = query.resourceVersionMatch === 'Exact' || (query.resourceVersionMatch === '' && query.limit > 0 && wanted > 0);
  if (exact) return page(storage, await snapshotAt(storage, prefix, wanted), '', query);
  // Any state at all is asked for: what is in the cache, at once. upstream: storage/cacher/delegator.
  if (query.resourceVersion === '0' && !storage.parts.traits.uncached) query = { ...query, limit: 0 };
  if (query.resourceVersion === '') await storage.fresh();
  else if (wanted > storage.cache.revision) await storage.cache.waitFor(wanted);

  if (selection.name !== undefined && (namespace || !fact.namespaced)) {
    const found = storage.cache.get(`${prefix}${selection.name}`);
    const revision = storage.cache.revision;
    return page(storage, { items: found ? [found] : [], revision }, '', query);
  }
  return page(storage, storage.cache.list(prefix), '', query);
}

type Snapshot = { items: readonly CachedObject[]; revision: number };

async function snapshotAt(storage: GenericStorage, prefix: string, revision: number): Promise<Snapshot> {
  if (revision > storage.cache.revision) await storage.cache.waitFor(revision);
  if (revision === storage.cache.revision) return storage.cache.list(prefix);
  const past = storage.cache.listAt(prefix, revision);
  if (past) return { items: past.items, revision };
  try {
    const end = `${prefix.slice(0, -1)}0`;
    const result = await storage.parts.store.range({ key: prefix, end, revision });
    const items = result.keyValues.map((entry) =>
      derived({ key: entry.key, revision: entry.modRevision } as CachedObject, storage.decode(entry.value, entry.modRevision)),
    );
    return { items, revision };
  } catch (error) {
    if (error instanceof StoreError && error.code === 'compacted') throw expired(tooOld);
    throw error;
  }
}

/** The items of a snapshot from key `start` on that the selectors let through, up to the limit. */
async function page(storage: GenericStorage, snapshot: Snapshot, start: string, query: ListQuery): Promise<ListResult> {
  const { selection, limit } = query;
  let { items } = snapshot;
  const { revision } = snapshot;
  if (start) items = items.slice(firstAtOrAfter(items, start));
  if (storage.converts) {
    if (selection.empty && limit > 0 && items.length > limit) {
      const converted = await storage.toServed(items.slice(0, limit));
      return cut(storage, converted, items, limit, revision, true);
    }
    items = await storage.toServed(items);
  }
  if (selection.empty) {
    if (limit <= 0 || items.length <= limit) return { items, revision };
    return cut(storage, items.slice(0, limit), items, limit, revision, true);
  }
  if (limit <= 0 && !storage.converts) return { items: selected(items, selection), revision };
  const matching: CachedObject[] = [];
  for (let index = 0; index < items.length; index++) {
    const item = items[index]!;
    if (!selection.matches(item.object)) continue;
    if (limit > 0 && matching.length === limit) return cut(storage, matching, items, index, revision, false);
    matching.push(item);
  }
  return { items: matching, revision };
}

/** What selectors have let through of a list that the cache keeps. */
const selections = new WeakMap<readonly CachedObject[], Map<string, readonly CachedObject[]>>();
const keptSelections = 16;

function selected(items: readonly CachedObject[], selection: Selection): readonly CachedObject[] {
  let kept = selections.get(items);
  let found = kept?.get(selection.text);
  if (found) return found;
  found = items.filter((item) => selection.matches(item.object));
  if (!kept) selections.set(items, (kept = new Map()));
  if (kept.size < keptSelections) kept.set(selection.text, found);
  return found;
}

function cut(
  storage: GenericStorage,
  items: readonly CachedObject[],
  all: readonly CachedObject[],
  next: number,
  revision: number,
  counted: boolean,
): ListResult {
  const last = items.at(-1)?.key ?? all[next - 1]!.key;
  return {
    items,
    revision,
    continue: encodeContinue({ revision, start: `${last.slice(storage.served.storagePrefix.length)}\0` }),
    ...(counted && { remaining: all.length - next }),
  };
}

function firstAtOrAfter(items: readonly CachedObject[], key: string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (items[middle]!.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
