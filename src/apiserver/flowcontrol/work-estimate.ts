import type { RequestInfo } from '../contract.ts';

/** How much of a level's concurrency a request takes. */
export interface Work {
  /** While it is worked on. */
  seats: number;
  /** For `lingering` milliseconds after it was answered. */
  finalSeats: number;
  lingering: number;
}

/** What a resource's objects are like; undefined where they are not ours (aggregated APIs). */
export type ObjectStats = (info: RequestInfo) => { count: number; averageSize: number } | undefined;

export interface EstimateSources {
  stats: ObjectStats;
  /** Watchers of what a write changes. */
  watchers(info: RequestInfo): number;
}

const mostListSeats = 100;
const mostWritingSeats = 10;
const bytesPerSeat = 100_000;
/** What a streamed answer from the cache holds at once. */
const mostCachedBytes = 1_000_000;
const largestObject = 1_500_000;
const watchersPerSeat = 10;
/** Milliseconds that a seat is kept for the events a write makes. */
const eventLingering = 5;

const one: Work = Object.freeze({ seats: 1, finalSeats: 0, lingering: 0 });
const writing = new Set(['create', 'update', 'patch', 'delete']);

/** `levelSeats`: the most that one request may take of its level, 0 where the level says nothing. upstream: flowcontrol/request. */
export function estimateWork(info: RequestInfo, query: URLSearchParams, levelSeats: number, sources: EstimateSources): Work {
  if (info.verb === 'list' || info.verb === 'watch') return estimateList(info, query, levelSeats, sources);
  return writing.has(info.verb) ? estimateWrite(info, levelSeats, sources) : one;
}

const bounded = (limit: number, levelSeats: number): number => (levelSeats === 0 ? limit : Math.min(limit, levelSeats));

function estimateList(info: RequestInfo, query: URLSearchParams, levelSeats: number, { stats }: EstimateSources): Work {
  const asked = query.get('resourceVersion') ?? '';
  // Only what is sent at the beginning costs; afterwards a watch holds no seat.
  if (info.verb === 'watch' && query.get('sendInitialEvents') !== 'true' && asked !== '' && asked !== '0') return one;
  const found = stats(info);
  if (!found) return one;
  const limit = Number(query.get('limit') ?? 0);
  const limited = limit > 0 ? Math.min(limit, found.count) : found.count;
  const fromCache = info.verb === 'watch' || !needsStore(query, asked, limit);
  const selects = Boolean(info.fieldSelector ?? info.labelSelector);
  const loaded = info.name ? 1 : !fromCache && selects ? Math.max(limited, found.count / 2) : limited;
  const size = found.averageSize > 0 || found.count === 0 ? found.averageSize : largestObject;
  const bytes = fromCache ? Math.min(loaded * size, mostCachedBytes) : loaded * size;
  const seats = Math.max(1, Math.min(bounded(mostListSeats, levelSeats), Math.ceil(bytes / bytesPerSeat)));
  return seats === 1 ? one : { seats, finalSeats: 0, lingering: 0 };
}

/** Lists of the past, and their next pages, may have to be read from the store. upstream: cacher/delegator. */
function needsStore(query: URLSearchParams, resourceVersion: string, limit: number): boolean {
  const match = query.get('resourceVersionMatch');
  if (match === 'NotOlderThan') return false;
  if (match) return true;
  return Boolean(query.get('continue')) || (limit > 0 && resourceVersion !== '' && resourceVersion !== '0');
}

function estimateWrite(info: RequestInfo, levelSeats: number, { watchers }: EstimateSources): Work {
  // A token is no object: nobody is told of it.
  if (info.resource === 'serviceaccounts' && info.subresource === 'token') return one;
  const count = watchers(info);
  if (count < watchersPerSeat) return one;
  const wanted = Math.ceil(count / watchersPerSeat);
  const finalSeats = Math.min(wanted, bounded(mostWritingSeats, levelSeats));
  return { seats: 1, finalSeats, lingering: (wanted * eventLingering) / finalSeats };
}
