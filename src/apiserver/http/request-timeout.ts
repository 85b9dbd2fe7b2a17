/** How long a request may take. upstream: apiserver/pkg/endpoints/filters/request_deadline.go. */
import { badRequest } from '#machinery/status';

const longest = 60_000;

const units: Record<string, number> = { ns: 1e-6, us: 1e-3, '\u00b5s': 1e-3, '\u03bcs': 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a duration as Go writes it ("1m30s"); undefined for what is none. */
export function goDuration(text: string): number | undefined {
  const [, sign = '', rest = ''] = /^([+-]?)(.*)$/.exec(text) ?? [];
  if (rest === '0') return 0;
  if (!/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/.test(rest)) return undefined;
  let total = 0;
  for (const [, amount, unit] of rest.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g))
    total += Number(amount) * units[unit!]!;
  return sign === '-' ? -total : total;
}

/** Milliseconds: what the client asked for by `timeout`, at most a minute. */
export function patienceOf(query: URLSearchParams): number {
  const asked = query.get('timeout');
  if (!asked) return longest;
  const duration = goDuration(asked);
  if (duration === undefined)
    throw badRequest(`invalid timeout specified in the request URL - time: invalid duration ${JSON.stringify(asked)}`);
  return duration > 0 && duration < longest ? duration : longest;
}
