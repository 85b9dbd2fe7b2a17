import { dns1123SubdomainMaxLength, isLabelKeyPrefix } from './dns.ts';
import { byteLength, emptyError, maxBytesError, maxLengthError, regexError } from './texts.ts';

/** Keys and identifiers. upstream: apimachinery/pkg/api/validate/content/kube.go, identifier.go; util/validation/validation.go. */

const keyName = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const keyNamePattern = new RegExp(`^${keyName}$`);
const keyNameText = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const labelValue = `(${keyName})?`;
const labelValuePattern = new RegExp(`^${labelValue}$`);
const labelValueText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const cIdentifier = '[A-Za-z_][A-Za-z0-9_]*';
const environmentName = '[-._a-zA-Z][-._a-zA-Z0-9]*';
const configKey = '[-._a-zA-Z0-9]+';
const headerName = '[-A-Za-z0-9]+';
const percent = '[0-9]+%';

const longestName = 63;
export const labelValueMaxLength = 63;

/** Qualified names: an optional DNS subdomain, '/', and a name. Keys of labels and annotations, finalizers, extended resources. */
export function isQualifiedName(value: string): string[] {
  const parts = value.split('/');
  const example = (): string => regexError(keyNameText, keyName, 'MyName', 'my.name', '123-abc');
  if (parts.length > 2) return [`a valid label key ${example()} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  const errors: string[] = [];
  const name = parts.at(-1)!;
  if (parts.length === 2) {
    const prefix = parts[0]!;
    if (prefix === '') errors.push(`prefix part ${emptyError}`);
    else errors.push(...isLabelKeyPrefix(prefix).map((message) => `prefix part ${message}`));
  }
  if (name === '') errors.push(`name part ${emptyError}`);
  else if (byteLength(name) > longestName) errors.push(`name part ${maxBytesError(longestName)}`);
  if (!keyNamePattern.test(name)) errors.push(`name part ${example()}`);
  return errors;
}

export const isLabelKey = isQualifiedName;

export function isValidLabelValue(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > labelValueMaxLength) errors.push(maxBytesError(labelValueMaxLength));
  if (!labelValuePattern.test(value)) errors.push(regexError(labelValueText, labelValue, 'MyValue', 'my_value', '12345'));
  return errors;
}

const cIdentifierPattern = new RegExp(`^${cIdentifier}$`);
export const isCIdentifier = (value: string): string[] =>
  cIdentifierPattern.test(value)
    ? []
    : [
        regexError(
          "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
          cIdentifier,
          'my_name',
          'MY_NAME',
          'MyName',
        ),
      ];

function leadsUp(value: string): string[] {
  if (value === '.') return ["must not be '.'"];
  if (value === '..') return ["must not be '..'"];
  return value.startsWith('..') ? ["must not start with '..'"] : [];
}

const environmentNamePattern = new RegExp(`^${environmentName}$`);
/** The strict rule for names of environment variables. */
export function isEnvVarName(value: string): string[] {
  const errors: string[] = [];
  if (!environmentNamePattern.test(value))
    errors.push(
      regexError(
        "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
        environmentName,
        'my.env-name',
        'MY_ENV.NAME',
        'MyEnvName1',
      ),
    );
  return [...errors, ...leadsUp(value)];
}

/** The rule in force since v1.34: any printable ASCII but '='. */
export function isRelaxedEnvVarName(value: string): string[] {
  const errors: string[] = [];
  if (value === '') errors.push(`environment variable name ${emptyError}`);
  if (/[^\x20-\x7e]|=/.test(value))
    errors.push("a valid environment variable name must consist only of printable ASCII characters other than '='");
  return errors;
}

const configKeyPattern = new RegExp(`^${configKey}$`);
/** Keys of ConfigMaps and Secrets. */
export function isConfigMapKey(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > dns1123SubdomainMaxLength) errors.push(maxLengthError(dns1123SubdomainMaxLength));
  if (!configKeyPattern.test(value))
    errors.push(
      regexError(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        configKey,
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    );
  return [...errors, ...leadsUp(value)];
}

const headerNamePattern = new RegExp(`^${headerName}$`);
export const isHTTPHeaderName = (value: string): string[] =>
  headerNamePattern.test(value)
    ? []
    : [regexError("a valid HTTP header must consist of alphanumeric characters or '-'", headerName, 'X-Header-Name')];

const percentPattern = new RegExp(`^${percent}$`);
export const isValidPercent = (value: string): string[] =>
  percentPattern.test(value)
    ? []
    : [regexError("a valid percent string must be a numeric string followed by an ending '%'", percent, '1%', '93%')];
