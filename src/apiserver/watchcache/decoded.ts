import type { KubeObject } from '#machinery/meta';

/** On the bytes themselves: a weak map of short-lived keys is what a garbage collector likes least. */
const decoded = Symbol('decoded');
type Remembering = Uint8Array & { [decoded]?: KubeObject | undefined };

/**
 * A writer says what the bytes it is about to store decode to, so that the cache need not parse its own server's writes.
 * `object` must be what decoding `bytes` would give (without a resourceVersion), and belongs to the cache from then on: never change it.
 */
export function rememberDecoded(bytes: Uint8Array, object: KubeObject): void {
  (bytes as Remembering)[decoded] = object;
}

/** Once: the bytes may be kept for longer than the object. */
export function takeDecoded(bytes: Uint8Array): KubeObject | undefined {
  const object = (bytes as Remembering)[decoded];
  if (object) (bytes as Remembering)[decoded] = undefined;
  return object;
}
