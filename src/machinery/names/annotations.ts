import { invalidField, tooLong } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { isQualifiedName } from './keys.ts';
import { byteLength } from './texts.ts';

/** Bytes of all keys and values together. upstream: apimachinery/pkg/api/validation/objectmeta.go. */
export const annotationsSizeLimit = 256 * 1024;

const validKeys = new Set<string>();
const rememberedKeys = 8192;

export function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const key in annotations) {
    size += byteLength(key) + byteLength(annotations[key] ?? '');
    if (validKeys.has(key)) continue;
    // Case does not matter here, so that prefixes may have upper case.
    const messages = isQualifiedName(key.toLowerCase());
    for (const message of messages) errors.push(invalidField(path, key, message));
    if (messages.length) continue;
    if (validKeys.size >= rememberedKeys) validKeys.clear();
    validKeys.add(key);
  }
  if (size > annotationsSizeLimit) errors.push(tooLong(path, annotationsSizeLimit));
  return errors;
}
