/** Indexes of a job's pods as text: "1,3-5,7". upstream: validateIndexesFormat in pkg/apis/batch/validation. */

export interface Indexes {
  intervals: [number, number][];
  total: number;
  /** What is wrong with the text. */
  error?: string;
}

function parseInterval(text: string, completions: number): [number, number] | string {
  const limits = text.split('-');
  if (limits.length > 2)
    return `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  const numbers: number[] = [];
  for (const limit of limits) {
    if (!/^[+-]?\d+$/.test(limit)) return `cannot convert string to integer for index: ${JSON.stringify(limit)}`;
    const number = Number(limit);
    if (number >= completions) return `too large index: ${JSON.stringify(limit)}`;
    numbers.push(number);
  }
  const [first, last = numbers[0]!] = numbers as [number, number?];
  if (limits.length > 1 && first >= last) return `non-increasing order, previous: ${first}, current: ${last}`;
  return [first, last];
}

export function parseIndexes(text: string, completions: number): Indexes {
  const result: Indexes = { intervals: [], total: 0 };
  if (!text) return result;
  let previous: number | undefined;
  for (const part of text.split(',')) {
    const interval = parseInterval(part, completions);
    if (typeof interval === 'string') return { ...result, error: interval };
    const [first, last] = interval;
    if (previous !== undefined && previous >= first)
      return { ...result, error: `non-increasing order, previous: ${previous}, current: ${first}` };
    result.intervals.push(interval);
    result.total += last - first + 1;
    previous = last;
  }
  return result;
}

/** The first index that both have. */
export function overlap(completed: Indexes, failed: Indexes): number | undefined {
  for (const [first, last] of failed.intervals)
    for (const [from, to] of completed.intervals) if (from <= last && first <= to) return Math.max(from, first);
  return undefined;
}
