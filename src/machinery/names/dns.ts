import { byteLength, maxBytesError, maxLengthError, regexError } from './texts.ts';

/** DNS names as Kubernetes accepts them. upstream: apimachinery/pkg/util/validation/validation.go, api/validate/content/dns.go. */

export const dns1123LabelMaxLength = 63;
export const dns1123SubdomainMaxLength = 253;

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const labelWithUnderscore = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const subdomain = `${label}(\\.${label})*`;
const subdomainWithUnderscore = `${labelWithUnderscore}(\\.${labelWithUnderscore})*`;
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const wildcard = `\\*\\.${subdomain}`;

const labelText =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const subdomainText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const subdomainCaselessText =
  "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const subdomainWithUnderscoreText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character";
const label1035Text =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const wildcardText =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";

const exactly = (expression: string, flags = ''): RegExp => new RegExp(`^${expression}$`, flags);
const labelPattern = exactly(label);
const subdomainPattern = exactly(subdomain);
const subdomainCaselessPattern = exactly(subdomain, 'i');
const subdomainWithUnderscorePattern = exactly(subdomainWithUnderscore);
const label1035Pattern = exactly(label1035);
const wildcardPattern = exactly(wildcard);

function check(value: string, pattern: RegExp, limit: number, complaint: () => string, tooLong = maxLengthError): string[] {
  const errors: string[] = [];
  if (value.length > limit || byteLength(value) > limit) errors.push(tooLong(limit));
  if (!pattern.test(value)) errors.push(complaint());
  return errors;
}

export const isDNS1123Label = (value: string): string[] =>
  check(value, labelPattern, dns1123LabelMaxLength, () =>
    subdomainPattern.test(value) ? 'must not contain dots' : regexError(labelText, label, 'my-name', '123-abc'),
  );

export const isDNS1123Subdomain = (value: string): string[] =>
  check(value, subdomainPattern, dns1123SubdomainMaxLength, () => regexError(subdomainText, subdomain, 'example.com'));

/** The same rule as label keys word it: the limit counts bytes. */
export const isLabelKeyPrefix = (value: string): string[] =>
  check(value, subdomainPattern, dns1123SubdomainMaxLength, () => regexError(subdomainText, subdomain, 'example.com'), maxBytesError);

export const isDNS1123SubdomainCaseless = (value: string): string[] =>
  check(
    value,
    subdomainCaselessPattern,
    dns1123SubdomainMaxLength,
    () => regexError(subdomainCaselessText, subdomain, 'Example.com'),
    maxBytesError,
  );

export const isDNS1123SubdomainWithUnderscore = (value: string): string[] =>
  check(value, subdomainWithUnderscorePattern, dns1123SubdomainMaxLength, () =>
    regexError(subdomainWithUnderscoreText, subdomainWithUnderscore, 'example.com'),
  );

export const isDNS1035Label = (value: string): string[] =>
  check(value, label1035Pattern, dns1123LabelMaxLength, () => regexError(label1035Text, label1035, 'my-name', 'abc-123'));

export const isWildcardDNS1123Subdomain = (value: string): string[] =>
  check(value, wildcardPattern, dns1123SubdomainMaxLength, () => regexError(wildcardText, wildcard, '*.example.com'));
