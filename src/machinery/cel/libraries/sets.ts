import { library } from '../check/declarations.ts';
import { contains } from '../eval/arithmetic.ts';
import type { List } from '../values/list.ts';

/** upstream: cel-go ext/sets.go. */

const hasAll = (list: List, wanted: List): boolean => [...wanted].every((item) => contains(item, list) === true);

export const setsLibrary = library(
  `
sets.contains list_sets_contains_list(list(T), list(T)) -> bool
sets.equivalent list_sets_equivalent_list(list(T), list(T)) -> bool
sets.intersects list_sets_intersects_list(list(T), list(T)) -> bool
`,
  {
    list_sets_contains_list: hasAll,
    list_sets_equivalent_list: (a: List, b: List) => hasAll(a, b) && hasAll(b, a),
    list_sets_intersects_list: (a: List, b: List) => [...a].some((item) => contains(item, b) === true),
  },
);
