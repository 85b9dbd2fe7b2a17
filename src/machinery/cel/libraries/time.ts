import { library } from '../check/declarations.ts';
import { CelError } from '../values/scalars.ts';
import type { Duration, Timestamp } from '../values/scalars.ts';
import type { Value } from '../values/value.ts';

/** Parts of moments and spans. upstream: cel-go common/stdlib/standard.go. */

const million = 1_000_000n;

/** The moment as a Date whose UTC parts are those of the time zone; or what is wrong with the zone. */
function local(moment: Timestamp, zone: string): Date | CelError {
  const milliseconds = Number(moment.nanos / million - (moment.nanos % million < 0n ? 1n : 0n));
  if (zone === 'UTC' || zone === '') return new Date(milliseconds);
  const fixed = /^([+-]?)(\d+):(\d+)$/.exec(zone);
  if (fixed) {
    const minutes = Number(fixed[2]) * 60 + Number(fixed[3]);
    return new Date(milliseconds + (fixed[1] === '-' ? -minutes : minutes) * 60_000);
  }
  try {
    const parts = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    }).formatToParts(milliseconds);
    const part = (name: string): number => Number(parts.find(({ type }) => type === name)?.value);
    const within = ((milliseconds % 1000) + 1000) % 1000;
    return new Date(Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'), within));
  } catch (error) {
    if (error instanceof RangeError) return new CelError(`unknown time zone ${zone}`);
    throw error;
  }
}

const part =
  (read: (date: Date) => number) =>
  (moment: Timestamp, zone = 'UTC'): Value => {
    const date = local(moment, zone);
    return date instanceof CelError ? date : BigInt(read(date));
  };

const day = 86_400_000;
const readers: Record<string, (date: Date) => number> = {
  timestamp_to_year: (date) => date.getUTCFullYear(),
  timestamp_to_month: (date) => date.getUTCMonth(),
  timestamp_to_day_of_year: (date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / day),
  timestamp_to_day_of_month: (date) => date.getUTCDate() - 1,
  timestamp_to_day_of_month_1_based: (date) => date.getUTCDate(),
  timestamp_to_day_of_week: (date) => date.getUTCDay(),
  timestamp_to_hours: (date) => date.getUTCHours(),
  timestamp_to_minutes: (date) => date.getUTCMinutes(),
  timestamp_to_seconds: (date) => date.getUTCSeconds(),
  timestamp_to_milliseconds: (date) => date.getUTCMilliseconds(),
};

const whole =
  (unit: bigint) =>
  (span: Duration): Value =>
    span.nanos / unit;

export const timeLibrary = library(
  `
.getDate timestamp_to_day_of_month_1_based(timestamp) -> int
.getDate timestamp_to_day_of_month_1_based_with_tz(timestamp, string) -> int
.getDayOfMonth timestamp_to_day_of_month(timestamp) -> int
.getDayOfMonth timestamp_to_day_of_month_with_tz(timestamp, string) -> int
.getDayOfWeek timestamp_to_day_of_week(timestamp) -> int
.getDayOfWeek timestamp_to_day_of_week_with_tz(timestamp, string) -> int
.getDayOfYear timestamp_to_day_of_year(timestamp) -> int
.getDayOfYear timestamp_to_day_of_year_with_tz(timestamp, string) -> int
.getFullYear timestamp_to_year(timestamp) -> int
.getFullYear timestamp_to_year_with_tz(timestamp, string) -> int
.getHours timestamp_to_hours(timestamp) -> int
.getHours timestamp_to_hours_with_tz(timestamp, string) -> int
.getHours duration_to_hours(duration) -> int
.getMilliseconds timestamp_to_milliseconds(timestamp) -> int
.getMilliseconds timestamp_to_milliseconds_with_tz(timestamp, string) -> int
.getMilliseconds duration_to_milliseconds(duration) -> int
.getMinutes timestamp_to_minutes(timestamp) -> int
.getMinutes timestamp_to_minutes_with_tz(timestamp, string) -> int
.getMinutes duration_to_minutes(duration) -> int
.getMonth timestamp_to_month(timestamp) -> int
.getMonth timestamp_to_month_with_tz(timestamp, string) -> int
.getSeconds timestamp_to_seconds(timestamp) -> int
.getSeconds timestamp_to_seconds_tz(timestamp, string) -> int
.getSeconds duration_to_seconds(duration) -> int
`,
  {
    ...Object.fromEntries(
      Object.entries(readers).flatMap(([id, read]) => [
        [id, part(read)],
        [`${id}_with_tz`, part(read)],
      ]),
    ),
    timestamp_to_seconds_tz: part(readers['timestamp_to_seconds']!),
    duration_to_hours: whole(3_600_000_000_000n),
    duration_to_minutes: whole(60_000_000_000n),
    duration_to_seconds: whole(1_000_000_000n),
    duration_to_milliseconds: whole(million),
  },
);
