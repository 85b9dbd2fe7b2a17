/** Lists and names of the resource kinds. upstream: validateSet, validateQualifiedName in pkg/apis/resource/validation. */
import { dns1123SubdomainMaxLength, isCIdentifier, isDNS1123Subdomain, validateLabelName } from '#machinery/names';
import { duplicate, invalidField, invalidFor, required, tooLong, tooMany } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkCsiDriverName } from '../core/validation/volume-sources.ts';

export const longestIdentifier = 32;
const longestDomain = 63;
/** Of a key of attributes or capacities: domain, slash and name. */
export const longestAttributeKey = longestDomain + 1 + longestIdentifier;
const mostBindingConditions = 4;

/** Each item by itself; none of it where there are too many. */
export function checkEach<T>(
  errors: Errors,
  path: string,
  list: readonly T[] | undefined,
  most: number,
  check: (item: T, path: string) => void,
): boolean {
  if (!list) return true;
  if (most >= 0 && list.length > most) {
    errors.push(tooMany(path, list.length, most));
    return false;
  }
  for (const [index, item] of list.entries()) check(item, `${path}[${index}]`);
  return true;
}

/** The same, and no two items with one key. */
export function checkUnique<T>(
  errors: Errors,
  path: string,
  list: readonly T[] | undefined,
  most: number,
  check: (item: T, path: string) => void,
  keyOf: (item: T) => unknown,
): void {
  if (!checkEach(errors, path, list, most, check)) return;
  const keys = new Set<string>();
  for (const [index, item] of (list ?? []).entries()) {
    const key = keyOf(item);
    const text = typeof key === 'string' ? key : JSON.stringify(key);
    if (keys.has(text)) errors.push(duplicate(`${path}[${index}]`, key));
    keys.add(text);
  }
}

/** A key in a path, its middle left out where it is long. */
function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  const remaining = length - 3;
  return `${text.slice(0, Math.floor((remaining + 1) / 2))}...${text.slice(text.length - Math.floor(remaining / 2))}`;
}

export function checkMap<T>(
  errors: Errors,
  path: string,
  map: Record<string, T> | undefined,
  most: number,
  longestKey: number,
  checkKey: (key: string, path: string) => void,
  checkItem: (item: T, path: string) => void,
): void {
  if (!map) return;
  const entries = Object.entries(map);
  if (most >= 0 && entries.length > most) {
    errors.push(tooMany(path, entries.length, most));
    return;
  }
  for (const [key, item] of entries) {
    const at = `${path}[${shortened(key, longestKey)}]`;
    checkKey(key, at);
    checkItem(item, at);
  }
}

export function checkPoolName(errors: Errors, path: string, name: string | undefined): void {
  if (!name) {
    errors.push(required(path));
    return;
  }
  if (name.length > dns1123SubdomainMaxLength) errors.push(tooLong(path, dns1123SubdomainMaxLength));
  for (const part of name.split('/')) invalidFor(errors, path, part, isDNS1123Subdomain(part));
}

function checkIdentifier(errors: Errors, path: string, name: string): void {
  if (name.length > longestIdentifier) errors.push(tooLong(path, longestIdentifier));
  invalidFor(errors, path, name, isCIdentifier(name));
}

/** A name, with or without a domain in front. */
export function checkQualified(errors: Errors, path: string, name: string): void {
  const parts = name.split('/');
  const [first = '', second] = parts;
  if (second === undefined) checkIdentifier(errors, path, first);
  else if (parts.length === 2) {
    if (first) checkCsiDriverName(errors, path, first);
    else errors.push(invalidField(path, '', 'the domain must not be empty'));
    if (second) checkIdentifier(errors, path, second);
    else errors.push(invalidField(path, '', 'the name must not be empty'));
  }
}

export function checkFullyQualified(errors: Errors, path: string, name: string): void {
  checkQualified(errors, path, name);
  if (!name.includes('/')) errors.push(invalidField(path, name, 'a fully qualified name must be a domain and a name separated by a slash'));
}

export function checkUuid(errors: Errors, path: string, uid: string): void {
  const hex = uid.replace(/^urn:uuid:/i, '').replace(/^\{(.*)\}$/, '$1');
  if (![32, 36, 38, 45].includes(uid.length))
    errors.push(invalidField(path, uid, `error validating uid: invalid UUID length: ${uid.length}`));
  else if (!/^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}$/i.test(hex))
    errors.push(invalidField(path, uid, 'error validating uid: invalid UUID format'));
  else if (uid.length !== 36 || uid !== uid.toLowerCase())
    errors.push(
      invalidField(
        path,
        uid,
        'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters',
      ),
    );
}

/** Free-form data of drivers: an object. */
export function checkRaw(errors: Errors, path: string, value: unknown, longest: number): void {
  if (value == null) errors.push(required(path));
  else if (longest >= 0 && Buffer.byteLength(JSON.stringify(value)) > longest) errors.push(tooLong(path, longest));
  else if (typeof value !== 'object' || Array.isArray(value))
    errors.push(invalidField(path, '<value omitted>', 'must be a valid JSON object'));
}

/** What must come true, or must not, before a pod is bound. */
export function checkBinding(errors: Errors, path: string, conditions: readonly string[] = [], failures: readonly string[] = []): void {
  const at = `${path}.bindingConditions`;
  const failuresAt = `${path}.bindingFailureConditions`;
  const checkName = (name: string, place: string): void => void errors.push(...validateLabelName(name, place));
  checkEach(errors, at, conditions, mostBindingConditions, checkName);
  checkEach(errors, failuresAt, failures, mostBindingConditions, checkName);
  for (const [index, name] of conditions.entries()) if (conditions.indexOf(name) < index) errors.push(duplicate(`${at}[${index}]`, name));
  for (const [index, name] of failures.entries()) {
    if (failures.indexOf(name) < index) errors.push(duplicate(`${failuresAt}[${index}]`, name));
    if (conditions.includes(name))
      errors.push(invalidField(`${failuresAt}[${index}]`, name, 'bindingFailureConditions must not overlap with bindingConditions'));
  }
  if (!conditions.length && failures.length)
    errors.push(invalidField(at, conditions, 'bindingConditions are required to use bindingFailureConditions'));
  if (!failures.length && conditions.length)
    errors.push(invalidField(failuresAt, failures, 'bindingFailureConditions are required to use bindingConditions'));
}
