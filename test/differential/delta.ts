/** What differs between two JSON values, and a value changed so. */

/** A path and what is there now; without a value nothing is. */
export type Change = [path: (string | number)[], value?: unknown];

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

export function changes(from: unknown, to: unknown, path: Change[0] = [], found: Change[] = []): Change[] {
  if (Array.isArray(from) && Array.isArray(to) && from.length === to.length)
    for (const [index, item] of to.entries()) changes(from[index], item, [...path, index], found);
  else if (isObject(from) && isObject(to)) {
    for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) found.push([[...path, key]]);
    for (const key of Object.keys(to))
      if (Object.hasOwn(from, key)) changes(from[key], to[key], [...path, key], found);
      else found.push([[...path, key], to[key]]);
  } else if (JSON.stringify(from) !== JSON.stringify(to)) found.push([path, to]);
  return found;
}

export function changed(from: unknown, by: readonly Change[]): unknown {
  let value = structuredClone(from);
  for (const [path, ...now] of by) {
    if (path.length === 0) {
      value = now[0];
      continue;
    }
    let at = value as Record<string | number, unknown>;
    for (const key of path.slice(0, -1)) at = at[key] as typeof at;
    if (now.length > 0) at[path.at(-1)!] = now[0];
    else delete at[path.at(-1)!];
  }
  return value;
}
