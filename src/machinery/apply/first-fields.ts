import { deepFreeze } from '#machinery/meta';
import type { Comparison } from './compare.ts';
import { difference, inOrder, isEmptyFields, knownOrder, recursiveDifference } from './fields.ts';
import type { Fields } from './fields.ts';
import { changed, filtered, neverOwned } from './managers.ts';

/** Shapes that are remembered for each set of reset fields, and how long one may be. */
const mostKnown = 256;
const longestShape = 4096;
const none = {};
const known = new WeakMap<object, Map<string, Fields>>();

/**
 * What the first manager of an object owns after a change; undefined where that is nothing. Objects that are made alike have the same
 * fields: these are made out once and shared by all, so that neither the work nor the memory is spent on each.
 */
export function firstFields(changes: Comparison, reset: Fields | undefined): Fields | undefined {
  let shapes = known.get(reset ?? none);
  if (!shapes) known.set(reset ?? none, (shapes = new Map<string, Fields>()));
  const shape = JSON.stringify([changes.added, changes.modified]);
  const seen = shapes.get(shape);
  if (seen) return seen;
  const mine = ownedOf(filtered(changes, reset), reset);
  if (isEmptyFields(mine)) return undefined;
  if (shape.length > longestShape) return mine;
  const fields = knownOrder(deepFreeze(inOrder(mine!)));
  // Full of shapes that are never seen again, it begins anew.
  if (shapes.size >= mostKnown) shapes.clear();
  shapes.set(shape, fields);
  return fields;
}

/** What a manager comes to own by a change, of which the reset fields were taken out. */
export const ownedOf = (changes: Comparison | undefined, reset: Fields | undefined): Fields | undefined =>
  difference(recursiveDifference(changed(changes), reset), neverOwned);
