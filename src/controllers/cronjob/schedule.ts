/** A schedule in cron's notation. upstream: github.com/robfig/cron/v3 ParseStandard. */
export interface Schedule {
  /** The first time after `after` (milliseconds since 1970); undefined where there is none in five years. */
  next(after: number): number | undefined;
}

const names: Record<string, number> = {};
for (const [index, name] of ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'].entries())
  names[name] = index + 1;
for (const [index, name] of ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'].entries()) names[name] = index;

const descriptors: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

interface Field {
  values: Set<number>;
  /** A plain star: it does not restrict. */
  star: boolean;
}

function parseField(text: string, least: number, most: number): Field {
  const values = new Set<number>();
  let star = false;
  const number = (part: string): number => {
    const value = names[part.toLowerCase()] ?? (/^\d+$/.test(part) ? Number(part) : NaN);
    if (!(value >= least && value <= most))
      throw new Error(`Cannot read schedule: ${JSON.stringify(part)} is not within ${least} and ${most}`);
    return value;
  };
  for (const part of text.split(',')) {
    const [range = '', stepText, ...more] = part.split('/');
    if (more.length) throw new Error(`Cannot read schedule: too many slashes in ${JSON.stringify(part)}`);
    const step = stepText === undefined ? 1 : Number(stepText);
    if (!Number.isInteger(step) || step < 1) throw new Error(`Cannot read schedule: bad step in ${JSON.stringify(part)}`);
    let first = least;
    let last = most;
    if (range === '*' || range === '?') star ||= step === 1;
    else {
      const [low = '', high, ...rest] = range.split('-');
      if (rest.length) throw new Error(`Cannot read schedule: too many hyphens in ${JSON.stringify(part)}`);
      first = number(low);
      last = high !== undefined ? number(high) : stepText === undefined ? first : most;
      if (first > last) throw new Error(`Cannot read schedule: the range ${JSON.stringify(range)} ends before it begins`);
    }
    for (let value = first; value <= last; value += step) values.add(value);
  }
  return { values, star };
}

/** Milliseconds of a Go duration: "1h30m", "90s". */
function parseDuration(text: string): number {
  const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  let total = 0;
  const rest = text.replaceAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g, (_, value: string, unit: string) => {
    total += Number(value) * units[unit]!;
    return '';
  });
  if (rest || total <= 0) throw new Error(`Cannot read schedule: ${JSON.stringify(text)} is no duration`);
  return Math.max(1000, Math.floor(total / 1000) * 1000);
}

interface Zone {
  /** Milliseconds that local time is ahead of UTC. */
  offset(time: number): number;
}

const zones = new Map<string, Zone>();

/** Throws a RangeError for a time zone that nobody knows. */
export function zoneOf(name: string): Zone {
  if (name === '' || name === 'UTC' || name === 'Etc/UTC') return { offset: () => 0 };
  let zone = zones.get(name);
  if (!zone) {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    zone = {
      offset(time) {
        const part: Record<string, number> = {};
        for (const { type, value } of format.formatToParts(time)) part[type] = Number(value);
        const local = Date.UTC(part['year']!, part['month']! - 1, part['day'], part['hour'], part['minute'], part['second']);
        return local - Math.floor(time / 1000) * 1000;
      },
    };
    zones.set(name, zone);
  }
  return zone;
}

/** RFC 3339 in a time zone, as Go writes it. */
export function formatInZone(time: number, zoneName: string): string {
  const offset = zoneOf(zoneName).offset(time);
  const text = new Date(time + offset).toISOString().slice(0, 19);
  if (offset === 0) return `${text}Z`;
  const minutes = Math.abs(offset) / 60_000;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${text}${offset < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** Throws an Error for what cannot be read, a RangeError for an unknown time zone. */
export function parseSchedule(text: string, timeZone = ''): Schedule {
  let expression = text.trim();
  const prefix = /^(?:CRON_)?TZ=(\S+)\s+/.exec(expression);
  if (prefix) expression = expression.slice(prefix[0].length);
  const zone = zoneOf(prefix ? prefix[1]! : timeZone);
  if (expression.startsWith('@every ')) {
    const period = parseDuration(expression.slice('@every '.length).trim());
    return { next: (after) => Math.floor(after / 1000) * 1000 + period };
  }
  expression = descriptors[expression] ?? expression;
  const parts = expression.split(/\s+/);
  if (parts.length !== 5)
    throw new Error(`Cannot read schedule: expected exactly 5 fields, found ${parts.length}: ${JSON.stringify(text)}`);
  const minutes = parseField(parts[0]!, 0, 59);
  const hours = parseField(parts[1]!, 0, 23);
  const days = parseField(parts[2]!, 1, 31);
  const months = parseField(parts[3]!, 1, 12);
  const weekdays = parseField(parts[4]!, 0, 6);
  const minuteList = [...minutes.values].toSorted((a, b) => a - b);
  const hourList = [...hours.values].toSorted((a, b) => a - b);
  const dayMatches = (day: Date): boolean => {
    const byDate = days.values.has(day.getUTCDate());
    const byWeekday = weekdays.values.has(day.getUTCDay());
    return days.star || weekdays.star ? byDate && byWeekday : byDate || byWeekday;
  };
  /** The instant of a local time; undefined where clocks leave it out. */
  const instant = (local: number): number | undefined => {
    let time = local - zone.offset(local);
    time = local - zone.offset(time);
    return time + zone.offset(time) === local ? time : undefined;
  };
  return {
    next(after) {
      const local = after + zone.offset(after);
      const day = new Date(Math.floor(local / 86_400_000) * 86_400_000);
      const end = local + 5 * 366 * 86_400_000;
      while (day.getTime() < end) {
        if (!months.values.has(day.getUTCMonth() + 1)) {
          day.setUTCMonth(day.getUTCMonth() + 1, 1);
          continue;
        }
        if (dayMatches(day))
          for (const hour of hourList)
            for (const minute of minuteList) {
              const candidate = day.getTime() + hour * 3_600_000 + minute * 60_000;
              // An hour of room: local times may come twice where clocks are set back.
              if (candidate + 3_600_000 < local) continue;
              const time = instant(candidate);
              if (time !== undefined && time > after) return time;
            }
        day.setUTCDate(day.getUTCDate() + 1);
      }
      return undefined;
    },
  };
}
