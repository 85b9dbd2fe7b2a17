import type { IntOrString } from './api-types.ts';

/** A number, or a percentage of `total`. upstream: apimachinery/pkg/util/intstr GetScaledValueFromIntOrPercent. */
export function scaledValue(value: IntOrString | undefined, total: number, roundUp: boolean): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(value);
  if (!percent) throw new Error(`Cannot use ${JSON.stringify(value)}: it is neither a number nor a percentage`);
  const exact = (Number(percent[1]) * total) / 100;
  return roundUp ? Math.ceil(exact) : Math.floor(exact);
}
