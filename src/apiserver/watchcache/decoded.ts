import type { KubeObject } from '#machinery/meta';

const remembered = new WeakMap<Uint8Array, KubeObject>();

/**
 * A writer says what the bytes it is about to store decode to, so that the cache need not parse its own server's writes.
 * `object` must be what decoding `bytes` would give (without a resourceVersion), and belongs to the cache from then on: never change it.
 */
export function rememberDecoded(bytes: Uint8Array, object: KubeObject): void {
  remembered.set(bytes, object);
}

export const decodedOf = (bytes: Uint8Array): KubeObject | undefined => remembered.get(bytes);
