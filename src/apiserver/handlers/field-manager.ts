const maxLength = 128;
const plain = /^[ -~]*$/;

/** Who manages the fields a request sets: as it says, else the first word of its user agent. upstream: handlers/create.go managerOrUserAgent. */
export function fieldManagerOf(query: URLSearchParams, userAgent: string): string {
  const named = query.get('fieldManager');
  if (named) return named;
  const first = userAgent.split('/', 1)[0]!;
  const word = plain.test(first) ? first : first.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '');
  return Buffer.byteLength(word) <= maxLength
    ? word
    : Buffer.from(word)
        .subarray(0, maxLength)
        .toString('utf8')
        .replace(/\uFFFD+$/u, '');
}
