import { compareElements, formatElement, normalizeElement, PathElementError } from './path-element.ts';
import type { TypeSchema } from './schema.ts';

/**
 * A set of field paths, in the very form that metadata.managedFields stores (FieldsV1). A node without steps is a member with nothing
 * below; "." marks a node that is a member and has more below:
 *   {"f:spec":{"f:ports":{".":{},"k:{\"port\":80}":{}}}} holds .spec.ports and .spec.ports[port=80], but not .spec.
 * The root itself is never a member; the empty set is undefined. Nodes are immutable and shared.
 * upstream: structured-merge-diff/fieldpath Set.
 */
export interface Fields {
  readonly [element: string]: Fields;
}

type Draft = Record<string, Fields>;

/** A member with nothing below. */
export const leaf: Fields = Object.freeze({});

const hasSteps = (node: Fields): boolean => {
  for (const key in node) if (key !== '.') return true;
  return false;
};
const isMember = (node: Fields | undefined): boolean => node !== undefined && ('.' in node || !hasSteps(node));

export const isEmptyFields = (fields: Fields | undefined): boolean => fields === undefined || !hasSteps(fields);

/** Steps and membership put together; undefined where nothing is left. */
function node(steps: Draft, member: boolean): Fields | undefined {
  if (!hasSteps(steps)) return member ? leaf : undefined;
  if ('.' in steps === member) return steps;
  if (member) return { '.': leaf, ...steps };
  const { '.': _, ...rest } = steps;
  return rest;
}

/** What is in either. */
export function union(a: Fields | undefined, b: Fields | undefined): Fields | undefined {
  if (isEmptyFields(a)) return isEmptyFields(b) ? undefined : b;
  if (isEmptyFields(b) || a === b) return a;
  return unionNodes(a!, b!, true);
}

/** The same for nodes below the root (`root` false), where one without steps is a member. */
export function unionNodes(a: Fields, b: Fields, root: boolean): Fields {
  if (a === b) return a;
  // The second is mostly the smaller one: walk that, and copy the first only where something is new.
  let copy: Draft | undefined;
  for (const key in b) {
    if (key === '.') continue;
    const mine = a[key];
    const both = mine ? unionNodes(mine, b[key]!, false) : b[key]!;
    if (both !== mine) (copy ??= { ...a })[key] = both;
  }
  const member = !root && (isMember(a) || isMember(b));
  if (!copy && (root || member === isMember(a))) return a;
  return node(copy ?? { ...a }, member) ?? leaf;
}

/** What is in both. */
export function intersection(a: Fields | undefined, b: Fields | undefined): Fields | undefined {
  return a && b ? intersectNodes(a, b, true) : undefined;
}

function intersectNodes(a: Fields, b: Fields, root: boolean): Fields | undefined {
  let steps: Draft | undefined;
  for (const key in b) {
    const mine = key === '.' ? undefined : a[key];
    const both = mine && intersectNodes(mine, b[key]!, false);
    if (both) (steps ??= {})[key] = both;
  }
  const member = !root && isMember(a) && isMember(b);
  return steps ? node(steps, member) : member ? leaf : undefined;
}

/** What is in `a` and not in `b`; what lies below a member of `b` stays. */
export const difference = (a: Fields | undefined, b: Fields | undefined): Fields | undefined =>
  isEmptyFields(a) ? undefined : b ? subtract(a!, b, true, false) : a;

/** What is in `a` and neither in `b` nor below a member of it. */
export const recursiveDifference = (a: Fields | undefined, b: Fields | undefined): Fields | undefined =>
  isEmptyFields(a) ? undefined : b ? subtract(a!, b, true, true) : a;

function subtract(a: Fields, b: Fields, root: boolean, recursive: boolean): Fields | undefined {
  if (recursive && !root && isMember(b)) return undefined;
  let changed: Record<string, Fields | undefined> | undefined;
  for (const key in b) {
    const mine = key === '.' ? undefined : a[key];
    if (!mine) continue;
    const rest = subtract(mine, b[key]!, false, recursive);
    if (rest !== mine) (changed ??= {})[key] = rest;
  }
  const was = !root && isMember(a);
  const member = was && !isMember(b);
  return changed || member !== was ? node(changed ? replaced(a, changed) : a, member) : a;
}

/** The steps of `a`, some of them others or none. Built anew: an object that fields are deleted from is slow for all who read it later. */
function replaced(a: Fields, changed: Readonly<Record<string, Fields | undefined>>): Draft {
  const steps: Draft = {};
  for (const key in a) {
    const step = key in changed ? changed[key] : a[key];
    if (step) steps[key] = step;
  }
  return steps;
}

/** All members, each as its steps: at each level first the members, then what lies below. upstream: fieldpath Set.Iterate. */
export function membersOf(fields: Fields | undefined): string[][] {
  const found: string[][] = [];
  const walk = (at: Fields, path: readonly string[]): void => {
    const steps = Object.keys(at)
      .filter((key) => key !== '.')
      .sort(compareElements);
    for (const key of steps) if (isMember(at[key])) found.push([...path, key]);
    for (const key of steps) walk(at[key]!, [...path, key]);
  };
  if (fields) walk(fields, []);
  return found;
}

/** `path` in steps: ["f:spec", "f:replicas"]. */
export function hasField(fields: Fields | undefined, path: readonly string[]): boolean {
  let at = fields;
  for (const step of path) at = at?.[step];
  return path.length > 0 && isMember(at);
}

/** All members as messages show them: .spec.ports[port=80]. */
export const pathsOf = (fields: Fields | undefined): string[] => membersOf(fields).map(formatPath);

export const formatPath = (path: readonly string[]): string => path.map(formatElement).join('');

/** A set of plain field names: fieldsOf(['metadata.labels', 'spec']). */
export function fieldsOf(paths: readonly string[]): Fields | undefined {
  let fields: Fields | undefined;
  for (const path of paths) {
    const steps = path.split('.');
    const chain = steps.reduceRight<Fields>((below, step) => ({ [`f:${step}`]: below }), leaf);
    fields = union(fields, chain);
  }
  return fields;
}

/** The same set with its steps in upstream's order, in which clients see and compare it; itself where they are. */
export function inOrder(fields: Fields): Fields {
  if (ordered.has(fields) || isInOrder(fields)) return fields;
  const sorted: Draft = {};
  for (const key of Object.keys(fields).sort(compareSteps)) sorted[key] = key === '.' ? leaf : inOrder(fields[key]!);
  return sorted;
}

const compareSteps = (a: string, b: string): number => (a === '.' ? -1 : b === '.' ? 1 : compareElements(a, b));

function isInOrder(fields: Fields): boolean {
  let previous: string | undefined;
  for (const key in fields) {
    if (previous !== undefined && (key === '.' || (previous !== '.' && compareElements(previous, key) > 0))) return false;
    if (key !== '.' && !isInOrder(fields[key]!)) return false;
    previous = key;
  }
  return true;
}

const ordered = new WeakSet<Fields>();

/** `fields`, shared by many and never changed, are in order. */
export function knownOrder(fields: Fields): Fields {
  ordered.add(fields);
  return fields;
}

/** With the type that a set was last seen to fit. */
const normal = new WeakMap<object, TypeSchema | undefined>();

/** A FieldsV1 object from a client or the store, with one spelling for each step. Throws a PathElementError where it is none. */
export function normalizeFields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new PathElementError('fields must be an object');
  const given = value as Fields;
  if (normal.has(given)) return given;
  const found = normalizeNode(given);
  // Stored objects never change: what was looked at once need not be again.
  if (Object.isFrozen(found) || found !== given) normal.set(found, undefined);
  return found;
}

/** `fields`, never changed from now on, are known to have one spelling for each step, and to fit `schema`. */
export function knownNormal(fields: Fields, schema: TypeSchema | undefined): Fields {
  normal.set(fields, schema);
  return fields;
}

/** Whether the set was made of, or brought to, the type as it is. */
export const isKnownToFit = (fields: Fields, schema: TypeSchema): boolean => normal.get(fields) === schema;

function normalizeNode(given: Fields): Fields {
  let copy: Draft | undefined;
  for (const key in given) {
    const step = key === '.' ? key : normalizeElement(key);
    const child = step === '.' ? leaf : normalizeBelow(given[key]);
    if (!copy && (step !== key || (child !== given[key] && step !== '.'))) {
      copy = {};
      for (const before in given) {
        if (before === key) break;
        copy[before] = given[before]!;
      }
    }
    if (copy && step !== undefined) copy[step] = child;
  }
  return copy ?? given;
}

function normalizeBelow(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new PathElementError('fields must be an object');
  return normalizeNode(value as Fields);
}
