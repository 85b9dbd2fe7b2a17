/** How deep a JSON text may be nested. upstream: encoding/json scanner.go maxNestingDepth. */
const maxDepth = 10_000;

/** The bracket that is one too many, where there is one. */
export function tooDeep(bytes: Uint8Array): '{' | '[' | undefined {
  // So many brackets take as many bytes.
  if (bytes.length <= maxDepth) return undefined;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0x22) {
      for (at++; at < bytes.length && bytes[at] !== 0x22; at++) if (bytes[at] === 0x5c) at++;
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > maxDepth) return byte === 0x7b ? '{' : '[';
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return undefined;
}
