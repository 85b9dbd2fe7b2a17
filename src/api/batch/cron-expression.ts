/** Whether a schedule can be read. upstream: github.com/robfig/cron/v3 ParseStandard (texts are its own). */

interface Field {
  low: number;
  high: number;
  names?: readonly string[];
}

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const days = 'sun mon tue wed thu fri sat'.split(' ');
const fields: Field[] = [
  { low: 0, high: 59 },
  { low: 0, high: 23 },
  { low: 1, high: 31 },
  { low: 1, high: 12, names: ['', ...months] },
  { low: 0, high: 6, names: days },
];
const descriptors = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);
const duration = /^[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;

class CronError extends Error {}

function number(text: string): number {
  if (!/^[+-]?\d+$/.test(text))
    throw new CronError(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = Number(text);
  if (value < 0) throw new CronError(`negative number (${value}) not allowed: ${text}`);
  return value;
}

function numberOrName(text: string, { names }: Field): number {
  const index = text ? (names?.indexOf(text.toLowerCase()) ?? -1) : -1;
  return index >= 0 ? index : number(text);
}

function checkRange(text: string, field: Field): void {
  const steps = text.split('/');
  const bounds = steps[0]!.split('-');
  let start: number;
  let end: number;
  if (bounds[0] === '*' || bounds[0] === '?') {
    start = field.low;
    end = field.high;
  } else {
    start = numberOrName(bounds[0]!, field);
    if (bounds.length > 2) throw new CronError(`too many hyphens: ${text}`);
    end = bounds.length === 2 ? numberOrName(bounds[1]!, field) : start;
  }
  let step = 1;
  if (steps.length > 2) throw new CronError(`too many slashes: ${text}`);
  if (steps.length === 2) {
    step = number(steps[1]!);
    if (bounds.length === 1) end = field.high;
  }
  if (start < field.low) throw new CronError(`beginning of range (${start}) below minimum (${field.low}): ${text}`);
  if (end > field.high) throw new CronError(`end of range (${end}) above maximum (${field.high}): ${text}`);
  if (start > end) throw new CronError(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  if (step === 0) throw new CronError(`step of range should be a positive number: ${text}`);
}

function check(schedule: string): void {
  let text = schedule;
  const zone = /^(?:CRON_)?TZ=([^ ]*) ?/.exec(text);
  if (zone) {
    if (!isTimeZone(zone[1]!)) throw new CronError(`provided bad location ${zone[1]!}: unknown time zone ${zone[1]!}`);
    text = text.slice(zone[0].length).trim();
  }
  if (text.startsWith('@')) {
    if (descriptors.has(text)) return;
    if (!text.startsWith('@every ')) throw new CronError(`unrecognized descriptor: ${text}`);
    const every = text.slice('@every '.length);
    if (!duration.test(every)) throw new CronError(`failed to parse duration ${text}: time: invalid duration ${JSON.stringify(every)}`);
    return;
  }
  const parts = text.split(/\s+/).filter(Boolean);
  if (parts.length !== fields.length)
    throw new CronError(`expected exactly ${fields.length} fields, found ${parts.length}: [${parts.join(' ')}]`);
  for (const [index, part] of parts.entries()) for (const range of part.split(',').filter(Boolean)) checkRange(range, fields[index]!);
}

/** What is wrong with it; undefined when nothing is. */
export function scheduleError(schedule: string): string | undefined {
  try {
    check(schedule);
    return undefined;
  } catch (error) {
    if (error instanceof CronError) return error.message;
    throw error;
  }
}

/** A name of the time zone database. */
export function isTimeZone(name: string): boolean {
  if (name === '' || name === 'UTC' || name === 'Local') return true;
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
