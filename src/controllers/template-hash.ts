import type { PodTemplateSpec } from './api-types.ts';

/** Digits are written with these, so that a hash never spells a word. upstream: apimachinery/pkg/util/rand SafeEncodeString. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

export function safeEncode(text: string): string {
  let encoded = '';
  for (let index = 0; index < text.length; index++) encoded += alphabet[text.charCodeAt(index) % alphabet.length]!;
  return encoded;
}

/** FNV-1a, 32 bits. */
export function fnv32a(bytes: Uint8Array, hash = 0x811c9dc5): number {
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** JSON with sorted keys and without empty values: equal for templates that are semantically equal. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const parts: string[] = [];
  for (const key of Object.keys(value).toSorted()) {
    const item = (value as Record<string, unknown>)[key];
    if (item === undefined || item === null || (Array.isArray(item) && item.length === 0)) continue;
    parts.push(`${JSON.stringify(key)}:${canonicalJson(item)}`);
  }
  return `{${parts.join(',')}}`;
}

/**
 * The pod-template-hash. Names look like upstream's, but the digits differ: upstream hashes a dump of its Go structures.
 * upstream: pkg/controller/controller_utils.go ComputeHash.
 */
export function templateHash(template: PodTemplateSpec, collisions: number | undefined): string {
  let hash = fnv32a(Buffer.from(canonicalJson(template)));
  if (collisions !== undefined) {
    const salt = Buffer.alloc(8);
    salt.writeUInt32LE(collisions);
    hash = fnv32a(salt, hash);
  }
  return safeEncode(String(hash));
}
