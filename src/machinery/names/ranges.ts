import { byteLength, emptyError, inclusiveRangeError, maxLengthError } from './texts.ts';

/** Numbers and ports. upstream: apimachinery/pkg/util/validation/validation.go, api/validate/content/decimal_int.go. */

const largestId = 2147483647;
const longestPortName = 15;

export const isInRange = (value: number, low: number, high: number): string[] =>
  value >= low && value <= high ? [] : [inclusiveRangeError(low, high)];
export const isValidPortNum = (port: number): string[] => isInRange(port, 1, 65535);
export const isValidGroupID = (gid: number): string[] => isInRange(gid, 0, largestId);
export const isValidUserID = (uid: number): string[] => isInRange(uid, 0, largestId);

/** IANA service names. */
export function isValidPortName(port: string): string[] {
  const errors: string[] = [];
  if (byteLength(port) > longestPortName) errors.push(maxLengthError(longestPortName));
  if (!/^[-a-z0-9]+$/.test(port)) errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(port)) errors.push('must contain at least one letter (a-z)');
  if (port.includes('--')) errors.push('must not contain consecutive hyphens');
  if (port.startsWith('-') || port.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

/** A whole number as one writes it: no plus sign, no leading zeros. */
export function isDecimalInteger(value: string): string[] {
  if (value === '') return [emptyError];
  return /^(?:0|-?[1-9][0-9]*)$/.test(value) ? [] : ['must be a valid decimal integer in canonical form'];
}
