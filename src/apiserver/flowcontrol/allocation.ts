/** One priority level's share in a division of seats. */
export interface Claim {
  target: number;
  lowest: number;
  highest: number;
}

/** A level that wants nothing takes part with this. */
const leastTarget = 0.001;

/**
 * Divides `sum` among the claims: each gets the same proportion of its target, but no less than its lowest and no more than its highest.
 * Undefined where no proportion does. upstream: flowcontrol/conc_alloc.go.
 */
export function allocate(sum: number, claims: readonly Claim[]): { shares: number[]; proportion: number } | undefined {
  const targets = claims.map(({ target }) => Math.max(target, leastTarget));
  const at = (proportion: number): number[] =>
    claims.map(({ lowest, highest }, index) => Math.max(lowest, Math.min(highest, proportion * targets[index]!)));
  const total = (shares: readonly number[]): number => shares.reduce((left, right) => left + right, 0);
  // The total grows with the proportion, in straight lines between the points where a claim meets one of its bounds.
  const bends = claims.flatMap(({ lowest, highest }, index) => [lowest / targets[index]!, highest / targets[index]!]);
  bends.sort((left, right) => left - right);
  const slack = 1e-7 * Math.max(1, sum);
  if (bends.length === 0 || total(at(bends[0]!)) > sum + slack || total(at(bends.at(-1)!)) < sum - slack) return undefined;
  let low = bends[0]!;
  let below = total(at(low));
  for (const bend of bends) {
    const above = total(at(bend));
    if (above >= sum - slack) {
      const proportion = above - below > 0 ? low + (bend - low) * Math.min(1, (sum - below) / (above - below)) : bend;
      return { shares: at(proportion), proportion };
    }
    low = bend;
    below = above;
  }
  return undefined;
}
