/** A selector that cannot be understood. The API answers it with 400 and this message. */
export class SelectorError extends Error {
  override name = 'SelectorError';
}
