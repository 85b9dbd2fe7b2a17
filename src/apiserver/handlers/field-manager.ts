const maxLength = 128;

/** Who manages the fields a request sets: as it says, else the first word of its user agent. upstream: handlers/create.go managerOrUserAgent. */
export function fieldManagerOf(query: URLSearchParams, userAgent: string): string {
  const named = query.get('fieldManager');
  if (named) return named;
  const word = (userAgent.split('/')[0] ?? '').replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '');
  return Buffer.byteLength(word) <= maxLength
    ? word
    : Buffer.from(word)
        .subarray(0, maxLength)
        .toString('utf8')
        .replace(/\uFFFD+$/u, '');
}
