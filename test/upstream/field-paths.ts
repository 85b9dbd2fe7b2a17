/** Sets of field paths as upstream's tables write them. upstream: structured-merge-diff/fieldpath. */
import type { Fields } from '#machinery/apply';
import { goVariable } from './go-literal.ts';
import type { Go } from './go-literal.ts';

/** A text as it stands, by the name of a variable, or converted from either. */
export function textOf(source: string, value: Go | undefined): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null && 'call' in value) return textOf(source, value.parameters[0]);
  return textOf(source, goVariable(source, (value as { name: string }).name));
}

/** A path's step as managed fields write it. upstream: structured-merge-diff/fieldpath/serialize-pe.go. */
function stepOf(part: Go): string {
  if (typeof part === 'string') return `f:${part}`;
  if (typeof part === 'number') return `i:${part}`;
  const { call, parameters } = part as { call: string; parameters: Go[] };
  if (call === '_V' || call.endsWith('NewValueInterface')) return `v:${JSON.stringify(parameters[0])}`;
  const keys: [string, Go][] = [];
  for (let index = 0; index < parameters.length; index += 2) keys.push([parameters[index] as string, parameters[index + 1]!]);
  return `k:${JSON.stringify(Object.fromEntries(keys.toSorted(([a], [b]) => (a < b ? -1 : 1))))}`;
}

/** What _NS(_P(…), …) names, a line a path. */
export const pathsOfSet = (set: Go | undefined): string[] =>
  (set as { parameters: Go[] } | null | undefined)?.parameters
    .map((path) => JSON.stringify((path as { parameters: Go[] }).parameters.map(stepOf)))
    .toSorted() ?? [];

export function pathsIn(fields: Fields | undefined, at: readonly string[] = []): string[] {
  if (!fields) return [];
  const found: string[] = [];
  const entries = Object.entries(fields as Record<string, Fields>);
  if (at.length > 0 && (entries.length === 0 || Object.hasOwn(fields as object, '.'))) found.push(JSON.stringify(at));
  for (const [step, below] of entries) if (step !== '.') found.push(...pathsIn(below, [...at, step]));
  return found.toSorted();
}

/** A set of paths as managed fields have it. */
export function fieldsFrom(set: Go | undefined): Fields {
  const root: Record<string, unknown> = {};
  const paths = pathsOfSet(set).map((path) => JSON.parse(path) as string[]);
  for (const path of paths) {
    let at = root;
    for (const step of path) at = (at[step] ??= {}) as Record<string, unknown>;
  }
  for (const path of paths) {
    let at = root;
    for (const step of path) at = at[step] as Record<string, unknown>;
    if (Object.keys(at).some((key) => key !== '.')) at['.'] = {};
  }
  return root as Fields;
}
