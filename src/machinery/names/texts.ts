/** Sentences that many rules share. upstream: apimachinery/pkg/util/validation, api/validate/content/errors.go. */

/** The rule's sentence, examples, and the expression it is checked with. */
export function regexError(message: string, expression: string, ...examples: string[]): string {
  const used = `regex used for validation is '${expression}')`;
  if (examples.length === 0) return `${message} (${used}`;
  return `${message} (e.g. ${examples.map((example) => `'${example}', `).join(' or ')}${used}`;
}

/** Of the older rules (DNS names, ports, keys of config maps). */
export const maxLengthError = (length: number): string => `must be no more than ${length} characters`;
/** Of label keys and values. */
export const maxBytesError = (length: number): string => `must be no more than ${length} bytes`;
export const emptyError = 'must be non-empty';
export const inclusiveRangeError = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`;
export const fieldImmutable = 'field is immutable';
export const isNegativeError = 'must be greater than or equal to 0';

/** Length as upstream counts it: bytes of UTF-8. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text);
}
