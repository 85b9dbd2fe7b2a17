import type { Explanation } from './explanations.ts';

/** Differences that stay, each with its reason. */
export const explained: Explanation[] = [];
