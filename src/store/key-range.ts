import type { KeyRange } from './contract.ts';

/** The end of the range that holds every key with `prefix`: "/registry/pods/" → "/registry/pods0". */
export function prefixEnd(prefix: string): string {
  for (let index = prefix.length - 1; index >= 0; index--) {
    const unit = prefix.charCodeAt(index);
    if (unit < 0xff) return prefix.slice(0, index) + String.fromCharCode(unit + 1);
  }
  return '\0';
}

/** Every key under a prefix; every key there is for the empty one. */
export function prefixRange(prefix: string): { key: string; end: string } {
  return prefix === '' ? { key: '\0', end: '\0' } : { key: prefix, end: prefixEnd(prefix) };
}

/** [from, to) in plain order; `to` undefined: no bound. A single key k is [k, k + "\0"). */
export function bounds({ key, end }: KeyRange): { from: string; to: string | undefined } {
  if (end === undefined || end === '') return { from: key, to: `${key}\0` };
  return { from: key, to: end === '\0' ? undefined : end };
}

export function covers({ key, end }: KeyRange, candidate: string): boolean {
  if (end === undefined || end === '') return candidate === key;
  return candidate >= key && (end === '\0' || candidate < end);
}
