import { invalidField, required } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { isDNS1123Label, isDNS1123Subdomain } from './dns.ts';
import { isQualifiedName } from './keys.ts';
import { regexError } from './texts.ts';

/** Domain names and paths behind a domain. upstream: apimachinery/pkg/util/validation/validation.go. */

const httpPath = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const httpPathPattern = new RegExp(`^${httpPath}$`);

/** At least three segments. */
export function isFullyQualifiedName(path: string, name: string): FieldError[] {
  if (name === '') return [required(path)];
  const errors = isDNS1123Subdomain(name);
  if (errors.length) return [invalidField(path, name, errors.join(','))];
  if (name.split('.').length < 3) return [invalidField(path, name, 'should be a domain with at least three segments separated by dots')];
  return [];
}

/** At least two segments; a final dot is allowed. */
export function isFullyQualifiedDomainName(path: string, text: string): FieldError[] {
  if (text === '') return [required(path)];
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  const errors = isDNS1123Subdomain(name);
  if (errors.length) return [invalidField(path, name, errors.join(','))];
  const labels = name.split('.');
  if (labels.length < 2) return [invalidField(path, name, 'should be a domain with at least two segments separated by dots')];
  for (const label of labels) {
    const wrong = isDNS1123Label(label);
    if (wrong.length) return [invalidField(path, label, wrong.join(','))];
  }
  return [];
}

/** acme.io/foo, where foo is a path of HTTP. */
export function isDomainPrefixedPath(path: string, value: string): FieldError[] {
  if (value === '') return [required(path)];
  const slash = value.indexOf('/');
  if (slash <= 0 || slash === value.length - 1)
    return [invalidField(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  const host = value.slice(0, slash);
  const errors = isDNS1123Subdomain(host).map((message) => invalidField(path, host, message));
  const rest = value.slice(slash + 1);
  if (!httpPathPattern.test(rest)) errors.push(invalidField(path, rest, regexError('Invalid path', httpPath)));
  return errors;
}

/** acme.io/foo, where foo is the name of a key. */
export function isDomainPrefixedKey(path: string, key: string): FieldError[] {
  if (key === '') return [required(path)];
  const errors = isQualifiedName(key).map((message) => invalidField(path, key, message));
  if (errors.length) return errors;
  return key.includes('/') ? [] : [invalidField(path, key, 'must be a domain-prefixed key (such as "acme.io/foo")')];
}

/** Names that are one segment of a path. upstream: api/validation/path. */
export function isValidPathSegmentName(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return pathSegmentErrors(name);
}

/** The same for the start of a name. */
export function isValidPathSegmentPrefix(name: string): string[] {
  return pathSegmentErrors(name);
}

const pathSegmentErrors = (name: string): string[] =>
  ['/', '%'].filter((character) => name.includes(character)).map((character) => `may not contain '${character}'`);
