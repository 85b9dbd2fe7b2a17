import {
  isDNS1035Label,
  isDNS1123Label,
  isDNS1123Subdomain,
  isQualifiedName,
  isValidLabelValue,
  nameIsDNS1035Label,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
} from '#machinery/names';
import { library } from '../check/declarations.ts';
import { struct } from '../types.ts';
import { List } from '../values/list.ts';
import { parseTimestamp } from '../values/time.ts';
import { none, Opaque, Optional } from '../values/value.ts';
import type { Value } from '../values/value.ts';
import { parseURL } from './urls.ts';

/** Named formats that strings may be checked against. upstream: apiserver/pkg/cel/library/format.go. */

export const formatType = struct('kubernetes.NamedFormat');

export class FormatValue extends Opaque {
  readonly type = formatType;
  readonly name: string;
  /** For costs: how large upstream's expression for it is. */
  readonly maxRegexSize: number;
  readonly check: (text: string) => string[];
  constructor(name: string, maxRegexSize: number, check: (text: string) => string[]) {
    super();
    this.name = name;
    this.maxRegexSize = maxRegexSize;
    this.check = check;
  }
  equals(other: Value): boolean {
    return other instanceof FormatValue && this.name === other.name;
  }
  toString(): string {
    return this.name;
  }
}

const unless = (fine: boolean, message: string): string[] => (fine ? [] : [message]);

function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && parseTimestamp(`${text}T00:00:00Z`) !== undefined;
}

const formats: readonly FormatValue[] = [
  new FormatValue('dns1123Label', 30, isDNS1123Label),
  new FormatValue('dns1123Subdomain', 60, isDNS1123Subdomain),
  new FormatValue('dns1035Label', 30, isDNS1035Label),
  new FormatValue('qualifiedName', 60, isQualifiedName),
  new FormatValue('dns1123LabelPrefix', 30, (text) => nameIsDNSLabel(text, true)),
  new FormatValue('dns1123SubdomainPrefix', 60, (text) => nameIsDNSSubdomain(text, true)),
  new FormatValue('dns1035LabelPrefix', 30, (text) => nameIsDNS1035Label(text, true)),
  new FormatValue('labelValue', 40, isValidLabelValue),
  new FormatValue('uri', 1104, (text) => {
    const parts = parseURL(text);
    return typeof parts === 'string' ? [parts] : [];
  }),
  new FormatValue('uuid', 71, (text) =>
    unless(/^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text), 'does not match the UUID format'),
  ),
  new FormatValue('byte', 84, (text) =>
    unless(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text), 'invalid base64'),
  ),
  new FormatValue('date', 72, (text) => unless(isDate(text), 'invalid date')),
  new FormatValue('datetime', 72, (text) => unless(parseTimestamp(text) !== undefined, 'invalid datetime')),
];
const byName = new Map(formats.map((format) => [format.name, format]));

export const formatLibrary = library(
  `
format.byte format.byte() -> kubernetes.NamedFormat
format.date format.date() -> kubernetes.NamedFormat
format.datetime format.datetime() -> kubernetes.NamedFormat
format.dns1035Label format.dns1035Label() -> kubernetes.NamedFormat
format.dns1035LabelPrefix format.dns1035LabelPrefix() -> kubernetes.NamedFormat
format.dns1123Label format.dns1123Label() -> kubernetes.NamedFormat
format.dns1123LabelPrefix format.dns1123LabelPrefix() -> kubernetes.NamedFormat
format.dns1123Subdomain format.dns1123Subdomain() -> kubernetes.NamedFormat
format.dns1123SubdomainPrefix format.dns1123SubdomainPrefix() -> kubernetes.NamedFormat
format.labelValue format.labelValue() -> kubernetes.NamedFormat
format.named format-named(string) -> optional_type(kubernetes.NamedFormat)
format.qualifiedName format.qualifiedName() -> kubernetes.NamedFormat
format.uri format.uri() -> kubernetes.NamedFormat
format.uuid format.uuid() -> kubernetes.NamedFormat
.validate format-validate(kubernetes.NamedFormat, string) -> optional_type(list(string))
`,
  {
    ...Object.fromEntries(formats.map((format) => [`format.${format.name}`, () => format])),
    'format-named': (name: string) => (byName.has(name) ? new Optional(byName.get(name)) : none),
    'format-validate': (format: FormatValue, text: string) => {
      const messages = format.check(text);
      return messages.length ? new Optional(new List(messages)) : none;
    },
  },
);
