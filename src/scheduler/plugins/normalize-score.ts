import { maxNodeScore } from '../contract.ts';

/** Brings scores to 0..100 in proportion to the largest; `reverse` makes less better. upstream: plugins/helper DefaultNormalizeScore. */
export function normalizeScore(scores: Float64Array, reverse: boolean): void {
  let largest = 0;
  for (const score of scores) if (score > largest) largest = score;
  if (largest === 0) {
    if (reverse) scores.fill(maxNodeScore);
    return;
  }
  for (let index = 0; index < scores.length; index++) {
    const score = Math.trunc((maxNodeScore * scores[index]!) / largest);
    scores[index] = reverse ? maxNodeScore - score : score;
  }
}
