/** Reads and watches without the store. upstream: apiserver/pkg/storage/cacher. Read first: WatchCache in ../contract.ts; then cache.ts. */
export { watchCache, watchCaches } from './hub.ts';
export type { WatchCaches, WatchCachesOptions } from './hub.ts';
export { rememberDecoded } from './decoded.ts';
export type { Decode } from './cache.ts';
