/** Formats of strings that schemas may ask for; others are ignored. upstream: kube-openapi/pkg/validation/strfmt, pkg/apiserver/validation/formats.go. */
import { isIP, isIPv4, isIPv6 } from 'node:net';

const uuid = (version: string, variant: string): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}-?${variant}-?[0-9a-f]{12}$`, 'i');
const any4 = '[0-9a-f]{4}';
const shortName = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const hostname =
  /^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$/u;
const card =
  /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/;
const byte255 = '(?:\\d|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-5])';
const rgb = new RegExp(`^rgb\\(\\s*${byte255}\\s*,\\s*${byte255}\\s*,\\s*${byte255}\\s*\\)$`);
const dateTime = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const goDuration = /^[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*$/;
const scalaDuration =
  /^(\d+(\.\d+)?)\s*(ns|us|µs|ms|s|m|h|d|w|nanos?|nanoseconds?|micros?|microseconds?|millis?|milliseconds?|secs?|seconds?|mins?|minutes?|hours?|hrs?|days?|weeks?|wk)$/i;

function isbn10(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, '');
  if (!/^(?:[0-9]{9}X|[0-9]{10})$/.test(digits)) return false;
  let sum = 0;
  for (let index = 0; index < 10; index++) sum += (10 - index) * (digits[index] === 'X' ? 10 : Number(digits[index]));
  return sum % 11 === 0;
}

function isbn13(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, '');
  if (!/^[0-9]{13}$/.test(digits)) return false;
  let sum = 0;
  for (let index = 0; index < 13; index++) sum += (index % 2 ? 3 : 1) * Number(digits[index]);
  return sum % 10 === 0;
}

function creditCard(text: string): boolean {
  const digits = text.replace(/[^0-9]+/g, '');
  if (!card.test(digits)) return false;
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits[digits.length - 1 - index]);
    const weighed = index % 2 ? digit * 2 : digit;
    sum += weighed > 9 ? weighed - 9 : weighed;
  }
  return sum % 10 === 0;
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}

function isCidr(text: string): boolean {
  const [address, bits, more] = text.split('/');
  const version = isIP(address ?? '');
  return more === undefined && version > 0 && /^\d{1,3}$/.test(bits ?? '') && Number(bits) <= (version === 4 ? 32 : 128);
}

function isRequestUri(text: string): boolean {
  if (text.startsWith('/')) return true;
  // oxlint-disable-next-line no-control-regex -- what a URL may not have
  return /^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(text) && !/[\s\u0000-\u001f]/.test(text) && URL.canParse(text);
}

const checks: Record<string, (text: string) => boolean> = {
  bsonobjectid: (text) => /^[0-9a-f]{24}$/i.test(text),
  uri: isRequestUri,
  email: (text) => /^(?:[^<>]*<)?[^\s@<>()[\],;:\\]+@[^\s@<>()[\],;:\\]+>?$/.test(text.trim()),
  hostname: (text) => text.length <= 255 && hostname.test(text) && text.split('.').every((part) => part.length <= 63),
  ipv4: (text) =>
    isIPv4(text) ||
    (/^\d{1,3}(\.\d{1,3}){3}$/.test(text.replace(/(^|\.)0+(?=\d)/g, '$1')) && isIPv4(text.replace(/(^|\.)0+(?=\d)/g, '$1'))),
  ipv6: (text) => isIPv6(text),
  cidr: isCidr,
  mac: (text) => /^([0-9a-f]{2}([:-]))([0-9a-f]{2}\2){4}([0-9a-f]{2})(\2[0-9a-f]{2}){0,14}$|^([0-9a-f]{4}\.){2,9}[0-9a-f]{4}$/i.test(text),
  uuid: (text) => uuid(any4, any4).test(text),
  uuid3: (text) => uuid('3[0-9a-f]{3}', any4).test(text),
  uuid4: (text) => uuid('4[0-9a-f]{3}', '[89ab][0-9a-f]{3}').test(text),
  uuid5: (text) => uuid('5[0-9a-f]{3}', '[89ab][0-9a-f]{3}').test(text),
  isbn: (text) => isbn10(text) || isbn13(text),
  isbn10,
  isbn13,
  creditcard: creditCard,
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  hexcolor: (text) => /^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(text),
  rgbcolor: (text) => rgb.test(text),
  byte: (text) => text !== '' && /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/.test(text),
  password: () => true,
  date: isDate,
  datetime: (text) => dateTime.test(text) && !Number.isNaN(Date.parse(text.toUpperCase())),
  duration: (text) => text === '0' || goDuration.test(text) || scalaDuration.test(text),
  k8sshortname: (text) => text.length <= 63 && new RegExp(`^${shortName}$`).test(text),
  k8slongname: (text) => text.length <= 253 && new RegExp(`^${shortName}(\\.${shortName})*$`).test(text),
};

/** The check of a format; undefined where it is not one that is checked. "date-time" and "datetime" are the same. */
export const formatCheck = (format: string | undefined): ((text: string) => boolean) | undefined =>
  format ? checks[format.replaceAll('-', '')] : undefined;
