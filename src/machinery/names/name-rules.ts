import { isDNS1035Label, isDNS1123Label, isDNS1123Subdomain } from './dns.ts';
import { isValidPathSegmentName, isValidPathSegmentPrefix } from './paths.ts';

/** Rules for metadata.name. upstream: apimachinery/pkg/api/validation/generic.go, api/validation/path/name.go. */

/** With `prefix`, the name is generateName and something follows it. Answers messages. */
export type NameRule = (name: string, prefix: boolean) => string[];

// What follows begins with a letter or digit, so a dash at the end is fine.
const masked = (name: string, prefix: boolean): string =>
  prefix && name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name;

export const nameIsDNSSubdomain: NameRule = (name, prefix) => isDNS1123Subdomain(masked(name, prefix));
export const nameIsDNSLabel: NameRule = (name, prefix) => isDNS1123Label(masked(name, prefix));
export const nameIsDNS1035Label: NameRule = (name, prefix) => isDNS1035Label(masked(name, prefix));
/** The loosest: what can stand in a path (RBAC objects). */
export const nameIsPathSegment: NameRule = (name, prefix) => (prefix ? isValidPathSegmentPrefix(name) : isValidPathSegmentName(name));
export const validateNamespaceName = nameIsDNSLabel;
export const validateServiceAccountName = nameIsDNSSubdomain;
