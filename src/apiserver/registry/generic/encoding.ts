/** Objects as the store holds them: JSON in the storage version, without resourceVersion (the store's revision is it). */
import type { KubeObject } from '#machinery/meta';
import { parseJson } from '#machinery/json';
import { rememberDecoded } from '../../watchcache/mod.ts';
import { readProtobuf, servedVersion } from '../structure.ts';

/**
 * The object with its fields in the order of the wire: kind, apiVersion, metadata, the rest. Lists rely on it to copy an item's bytes
 * without the two first fields.
 */
export function inWireOrder(object: KubeObject, resourceVersion?: string): KubeObject {
  const { kind, apiVersion, metadata, ...rest } = object;
  const { resourceVersion: _, selfLink: __, ...meta } = metadata ?? {};
  return { kind, apiVersion, metadata: resourceVersion === undefined ? meta : { ...meta, resourceVersion }, ...rest } as KubeObject;
}

const encoder = new TextEncoder();

/** 'k', of "k8s\0"; JSON begins with a brace. */
const protobufStart = 0x6b;

export function encodeStored(object: KubeObject): Uint8Array {
  const ordered = inWireOrder(object);
  const text = JSON.stringify(ordered);
  // Memory of its own: a Buffer's would be a part of a pool that is kept whole as long as the object.
  const bytes = encoder.encode(text);
  // What the cache holds must be what reading the bytes gives: an undefined field would be one too many.
  rememberDecoded(bytes, hasUndefined(ordered) ? (parseJson(text) as KubeObject) : ordered);
  return bytes;
}

function hasUndefined(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(hasUndefined);
  for (const key in value) if (hasUndefined((value as Record<string, unknown>)[key])) return true;
  return false;
}

function readJson(bytes: Buffer): unknown {
  const object = parseJson(bytes.toString('utf8')) as KubeObject;
  if (object.apiVersion && object.kind) object.apiVersion = servedVersion(object.apiVersion, object.kind);
  return object;
}

/** Reads a stored value. `defaults` fills in what an older release left out. */
export function decodeStored(value: Uint8Array, defaults?: (object: KubeObject) => void): KubeObject {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  // Another server on the same etcd may write protobuf.
  const object = inWireOrder((bytes[0] === protobufStart ? readProtobuf(bytes) : readJson(bytes)) as KubeObject);
  defaults?.(object);
  return object;
}
