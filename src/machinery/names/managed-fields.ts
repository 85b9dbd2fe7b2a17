import { invalidField, tooLong } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import type { ObjectMeta } from '#machinery/meta';
import { byteLength } from './texts.ts';

/** upstream: apimachinery/pkg/apis/meta/v1/validation/validation.go. */

const longestManager = 128;
const longestSubresource = 256;
const plain = /^[\x20-\x7e]+$/;

export function validateManagedFields(entries: ObjectMeta['managedFields'], path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, entry] of entries?.entries() ?? []) {
    const at = `${path}[${index}]`;
    if (entry.operation !== 'Apply' && entry.operation !== 'Update')
      errors.push(invalidField(`${at}.operation`, entry.operation ?? '', 'must be `Apply` or `Update`'));
    if (entry.fieldsType && entry.fieldsType !== 'FieldsV1')
      errors.push(invalidField(`${at}.fieldsType`, entry.fieldsType, 'must be `FieldsV1`'));
    errors.push(...validateFieldManager(entry.manager, `${at}.manager`));
    if (entry.subresource && byteLength(entry.subresource) > longestSubresource)
      errors.push(tooLong(`${at}.subresource`, longestSubresource));
  }
  return errors;
}

/** The name a client gives for itself: printable, at most 128 bytes. */
export function validateFieldManager(manager: string | undefined, path: string): FieldError[] {
  if (!manager || (manager.length <= longestManager && plain.test(manager))) return [];
  const errors: FieldError[] = [];
  if (byteLength(manager) > longestManager) errors.push(tooLong(path, longestManager));
  let position = 0;
  for (const character of manager) {
    // Printable as Go has it: letters, marks, numbers, punctuation, symbols and the plain space.
    if (character !== ' ' && !/^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character))
      errors.push(invalidField(path, manager, `invalid character ${codePoint(character)} (at position ${position})`));
    position += byteLength(character);
  }
  return errors;
}

function codePoint(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
}
