/** Moments and spans as text. upstream: Go's time package, as cel-go uses it. */

const billion = 1_000_000_000n;

/** Fraction of a second without trailing zeros, with its point; empty where zero. */
function fraction(nanos: bigint): string {
  return nanos === 0n ? '' : `.${nanos.toString().padStart(9, '0').replace(/0+$/, '')}`;
}

/** RFC 3339 in UTC, with as many digits of a second as needed. */
export function timestampText(nanos: bigint): string {
  const rest = ((nanos % billion) + billion) % billion;
  const seconds = (nanos - rest) / billion;
  const date = new Date(Number(seconds) * 1000);
  const year = date.getUTCFullYear();
  const text = date.toISOString().replace(/^[+-]?\d+-/, `${String(year).padStart(4, '0')}-`);
  return `${text.slice(0, text.indexOf('.'))}${fraction(rest)}Z`;
}

/** Seconds with as many digits as needed: "90.5s". */
export function durationText(nanos: bigint): string {
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  return `${sign}${size / billion}${fraction(size % billion)}s`;
}

const stampPattern = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(Z|[+-]\d{2}:\d{2})$/;

/** Nanoseconds since 1970 of an RFC 3339 text; undefined where it is none. */
export function parseTimestamp(text: string): bigint | undefined {
  const match = stampPattern.exec(text);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second, 0);
  if (date.getUTCDate() !== day) return undefined;
  let nanos = BigInt(date.getTime()) * 1_000_000n + BigInt((match[7] ?? '').slice(0, 9).padEnd(9, '0'));
  const zone = match[8]!;
  if (zone !== 'Z') {
    const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4));
    nanos -= BigInt(zone.startsWith('-') ? -minutes : minutes) * 60n * billion;
  }
  return nanos;
}

const units: Record<string, bigint> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: billion,
  m: 60n * billion,
  h: 3600n * billion,
};

/** Nanoseconds of "1h30m0.5s"; undefined where it is no span. */
export function parseDuration(text: string): bigint | undefined {
  const match = /^([+-]?)(.+)$/s.exec(text);
  if (!match) return undefined;
  if (match[2] === '0') return 0n;
  const part = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;
  let total = 0n;
  let at = 0;
  const rest = match[2]!;
  while (at < rest.length) {
    part.lastIndex = at;
    const found = part.exec(rest);
    if (!found || (!found[1] && !found[2])) return undefined;
    const unit = units[found[3]!]!;
    total += BigInt(found[1] || '0') * unit;
    const digits = found[2] ?? '';
    if (digits) total += (BigInt(digits) * unit) / 10n ** BigInt(digits.length);
    at = part.lastIndex;
  }
  const nanos = match[1] === '-' ? -total : total;
  return nanos < -(1n << 63n) || nanos > (1n << 63n) - 1n ? undefined : nanos;
}
