import { allocate } from './allocation.ts';
import type { PriorityLevel } from './priority-level.ts';

/**
 * Lends what levels do not use to those that want more, in proportion to what they have wanted lately.
 * upstream: flowcontrol/apf_controller.go updateBorrowing.
 */
export function adjustLimits(levels: readonly PriorityLevel[], periods: number): number {
  const total = levels.reduce((sum, { nominal }) => sum + nominal, 0);
  const limited: PriorityLevel[] = [];
  let left = total;
  for (const level of levels) {
    level.observe(periods);
    if (!level.exempt) limited.push(level);
    else {
      const used = Math.max(level.lowest, level.seatDemand.highest);
      level.limit(used);
      left -= used;
    }
  }
  const least = limited.map(({ lowest, nominal, seatDemand }) => Math.max(lowest, Math.min(nominal, seatDemand.highest)));
  for (const [index, { seatDemand }] of limited.entries()) seatDemand.target = Math.max(least[index]!, seatDemand.smoothed);
  const lowestSum = limited.reduce((sum, { lowest }) => sum + lowest, 0);
  const leastSum = least.reduce((sum, seats) => sum + seats, 0);
  // Exempt requests may have taken so much that not even what cannot be lent is left.
  if (left <= lowestSum) {
    for (const level of limited) level.limit(level.lowest);
    return 0;
  }
  if (left <= leastSum) {
    const part = (left - lowestSum) / (leastSum - lowestSum);
    for (const [index, level] of limited.entries()) level.limit(level.lowest + Math.round((least[index]! - level.lowest) * part));
    return 0;
  }
  const claims = limited.map(({ highest, seatDemand }, index) => ({ target: seatDemand.target, lowest: least[index]!, highest }));
  const result = allocate(total, claims);
  for (const [index, level] of limited.entries()) level.limit(result ? Math.round(result.shares[index]!) : level.current);
  return result?.proportion ?? 0;
}
