import { PathElementError, elementOf } from './path-element.ts';
import { asList, asMap, fieldType, kindFor } from './schema.ts';
import type { JsonMap, ListSchema, MapSchema, TypeSchema } from './schema.ts';

/** The live value with an applied configuration laid over it; undefined where nothing is left. upstream: structured-merge-diff/typed/merge.go. */
export function mergeApplied(live: unknown, applied: unknown, schema: TypeSchema): unknown {
  if (applied === undefined) return live;
  if (live === undefined) return applied;
  switch (kindFor(schema, applied)) {
    case 'scalar':
      return applied;
    case 'list': {
      const list = schema.list!;
      const left = asList(live);
      const right = asList(applied);
      if (list.type === 'atomic' || (!left?.length && !right?.length)) return applied;
      return mergeLists(left ?? [], right ?? [], list);
    }
    case 'map': {
      const map = schema.map!;
      const left = asMap(live);
      const right = asMap(applied);
      if (map.atomic || (isEmpty(left) && isEmpty(right))) return applied;
      return mergeMaps(left, right, map);
    }
  }
}

function isEmpty(map: JsonMap | undefined): boolean {
  for (const name in map) if (map[name] !== undefined) return false;
  return true;
}

function mergeMaps(left: JsonMap | undefined, right: JsonMap | undefined, map: MapSchema): JsonMap | undefined {
  const result: JsonMap = {};
  for (const name in left) {
    const value = mergeApplied(left[name], right?.[name], fieldType(map, name));
    if (value !== undefined) result[name] = value;
  }
  for (const name in right) if (left?.[name] === undefined && right[name] !== undefined) result[name] = right[name];
  return isEmpty(result) ? undefined : result;
}

/** Both lists in one: the applied items keep their order, the live ones keep their places among those that both have. */
function mergeLists(left: readonly unknown[], right: readonly unknown[], list: ListSchema): unknown[] | undefined {
  const rightSteps = right.map((item) => elementOf(list, item));
  const leftSteps = left.map((item) => elementOf(list, item));
  const applied = new Map(rightSteps.map((step, index) => [step, right[index]]));
  if (applied.size < right.length) {
    const twice = rightSteps.find((step, index) => rightSteps.indexOf(step) !== index);
    throw new PathElementError(`duplicate entries for key ${twice}`);
  }
  const live = new Map<string, unknown>();
  // An item that is there twice is not merged with: the applied one takes its place.
  for (const [index, step] of leftSteps.entries()) live.set(step, live.has(step) ? undefined : left[index]);
  const shared = rightSteps.filter((step) => live.has(step));
  const done = new Set<string>();
  const result: unknown[] = [];
  const put = (value: unknown): void => {
    if (value !== undefined) result.push(value);
  };
  const mergeItem = (step: string): void => {
    done.add(step);
    put(mergeApplied(live.get(step), applied.get(step), list.element));
  };
  let next = 0;
  for (let l = 0, r = 0; l < left.length || r < right.length;) {
    const mine = leftSteps[l];
    const theirs = rightSteps[r];
    if (mine !== undefined && theirs !== undefined) {
      if (mine === theirs) {
        mergeItem(mine);
        l++;
        r++;
        next++;
        continue;
      }
      // A live item that the configuration has elsewhere comes where the configuration has it.
      if (applied.has(mine) && next < shared.length && shared[next] !== mine) {
        l++;
        continue;
      }
    }
    if (mine !== undefined) {
      if (!applied.has(mine)) {
        put(left[l++]);
        continue;
      }
      if (done.has(mine)) l++;
    }
    if (theirs !== undefined) {
      mergeItem(theirs);
      r++;
      if (shared[next] === theirs) next++;
    }
  }
  return result.length ? result : undefined;
}
