import { parseQuantity, quantity } from '#machinery/quantity';
import type { Quantity } from '#machinery/quantity';

/** Amounts as objects hold them. */
export type ResourceList = Record<string, string | number>;
/** Amounts by resource name. */
export type Usage = Map<string, Quantity>;

export const usageFrom = (list: ResourceList | undefined): Usage =>
  new Map(Object.entries(list ?? {}).map(([name, amount]) => [name, parseQuantity(amount)]));

export const usageList = (usage: Usage): Record<string, string> =>
  Object.fromEntries([...usage].map(([name, amount]) => [name, amount.toString()]));

export function addUsage(a: Usage, b: Usage): Usage {
  const sum: Usage = new Map(a);
  for (const [name, amount] of b) sum.set(name, sum.get(name)?.add(amount) ?? amount);
  return sum;
}

/** a - b, never below zero. Names only b has count as zero. upstream: quota.SubtractWithNonNegativeResult. */
export function subtractUsage(a: Usage, b: Usage): Usage {
  const zero = quantity(0);
  const difference: Usage = new Map();
  for (const [name, amount] of a) {
    const rest = b.has(name) ? amount.sub(b.get(name)!) : amount;
    difference.set(name, rest.sign() < 0 ? zero : rest);
  }
  for (const name of b.keys()) if (!a.has(name)) difference.set(name, zero);
  return difference;
}

export const mask = (usage: Usage, names: Iterable<string>): Usage => {
  const wanted = new Set(names);
  return new Map([...usage].filter(([name]) => wanted.has(name)));
};

export const withoutZeros = (usage: Usage): Usage => new Map([...usage].filter(([, amount]) => amount.sign() !== 0));

/** The names of which there is more in `usage` than `limit` allows. */
export const exceeding = (usage: Usage, limit: Usage): string[] =>
  [...usage].filter(([name, amount]) => limit.has(name) && amount.compare(limit.get(name)!) > 0).map(([name]) => name);
