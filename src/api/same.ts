/**
 * Whether two values mean the same to the API: what Go leaves out when it writes an object (empty lists, empty maps, zero values of
 * plain fields) counts as absent. upstream: apimachinery/pkg/api/equality.Semantic.
 */
import { schema } from './facts/mod.ts';

/**
 * Fields where nothing says something that absence does not: pointers upstream, to scalars (false, 0, "") and to structs (`emptyDir: {}`). A field is
 * known by its name alone; of names that are pointers in one place and none in another, only these are taken for pointers.
 */
interface Pointers {
  scalars: Set<string>;
  structs: Set<string>;
}

const mostlyPointers = ['lun', 'partition', 'priority', 'replicas', 'storageClassName'];

let known: Pointers | undefined;

function pointers(): Pointers {
  if (known) return known;
  const scalars = new Set<string>();
  const structs = new Set<string>();
  const [plainScalars, plainStructs] = [new Set<string>(), new Set<string>()];
  for (const { fields = {} } of Object.values(schema))
    for (const [name, fact] of Object.entries(fields)) {
      const single = !fact.repeated && !fact.map;
      if (single && !schema[fact.type]?.fields) (fact.pointer && fact.type !== 'bytes' ? scalars : plainScalars).add(name);
      else (single && fact.pointer ? structs : plainStructs).add(name);
    }
  for (const name of mostlyPointers) plainScalars.delete(name);
  return (known = { scalars: scalars.difference(plainScalars), structs: structs.difference(plainStructs) });
}

function isNothing(value: unknown, field: string): boolean {
  if (value == null) return true;
  if (value === false || value === 0 || value === '') return !pointers().scalars.has(field);
  return typeof value === 'object' && isHollow(value);
}

/** An empty list or map. */
const isHollow = (value: object): boolean => {
  for (const _ in value) return false;
  return true;
};

const isStruct = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

export function same(a: unknown, b: unknown, field = ''): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    if ((isStruct(a) || isStruct(b)) && pointers().structs.has(field)) return false;
    return isNothing(a, field) && isNothing(b, field);
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => same(item, b[index]));
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key in left) if (!same(left[key], right[key], key)) return false;
  for (const key in right) if (left[key] === undefined && !same(undefined, right[key], key)) return false;
  return true;
}

const context = 3;

/** What differs between two values, as lines of JSON. upstream: apimachinery/pkg/util/diff. */
export function difference(old: unknown, value: unknown): string {
  const before = JSON.stringify(old, null, '  ').split('\n');
  const after = JSON.stringify(value, null, '  ').split('\n');
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const start = Math.max(0, head - context);
  const end = Math.min(before.length, before.length - tail + context);
  const lines = [
    ...before.slice(start, head).map((line) => ` ${line}`),
    ...before.slice(head, before.length - tail).map((line) => `-${line}`),
    ...after.slice(head, after.length - tail).map((line) => `+${line}`),
    ...before.slice(before.length - tail, end).map((line) => ` ${line}`),
  ];
  const added = end - start - (before.length - after.length);
  return `@@ -${start + 1},${end - start} +${start + 1},${added} @@\n${lines.join('\n')}\n`;
}
