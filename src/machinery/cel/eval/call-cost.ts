import { Duration, Timestamp, Uint } from '../values/scalars.ts';
import { List } from '../values/list.ts';
import { MapValue } from '../values/map.ts';
import { Opaque, sizeOf } from '../values/value.ts';
import type { Value } from '../values/value.ts';

/** What calls cost at run time. upstream: cel-go interpreter/runtimecost.go, apiserver/pkg/cel/library/cost.go, ext/lists.go. */

export type CallCost = (args: readonly Value[], result: Value) => number;

const traversal = 0.1;
const regexLength = 0.25;
const listBase = 10;
const structBase = 40;

const traverse = (size: number, times = 1): number => Math.ceil(size * times * traversal);
const one: CallCost = () => 1;
const firstTraversed: CallCost = ([first]) => traverse(sizeOf(first!));
const firstTraversedTwice: CallCost = ([first]) => traverse(sizeOf(first!), 2);
const matching = (text: number, pattern: number): number => Math.ceil((1 + text) * traversal) * Math.ceil(pattern * regexLength);

/** Of a walk through a value and all it holds. */
function walk(value: Value): number {
  if (typeof value === 'string') return Math.floor(Buffer.byteLength(value) * traversal);
  if (value instanceof Uint8Array) return Math.floor(value.length * traversal);
  if (value instanceof List) {
    let cost = 0;
    for (const item of value) cost += walk(item);
    return cost;
  }
  if (value instanceof MapValue) {
    let cost = 0;
    for (const key of value.keys()) cost += walk(key) + walk(value.find(key)!);
    return cost;
  }
  return 1;
}

export const selectorCost = (length: number): number =>
  listBase + Math.ceil(length * traversal) + Math.ceil(Math.ceil(length * 0.5) * (listBase + structBase));

/** Of Kubernetes' own functions, and of those of which it knows better than cel-go. */
const byFunction: Readonly<Record<string, (overload: string) => CallCost | undefined>> = {
  ...each(['check'], () => 350_000),
  ...each(
    ['serviceAccount', 'path', 'group', 'resource', 'subresource', 'namespace', 'name', 'allowed', 'reason', 'error', 'errored'],
    one,
  ),
  ...each(['fieldSelector', 'labelSelector'], ([, text]) => selectorCost(sizeOf(text!))),
  ...each(['isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf'], ([list]) => walk(list!)),
  ...each(['url', 'lowerAscii', 'upperAscii', 'substring', 'trim', 'jsonpatch.escapeKey'], firstTraversed),
  ...each(['replace', 'split', 'ip.isCanonical'], firstTraversedTwice),
  ...each(['join'], (_, result) => traverse(sizeOf(result), 2)),
  ...each(['find', 'findAll'], ([text, pattern]) => matching(sizeOf(text!), sizeOf(pattern!))),
  ...each(['cidr', 'isIP', 'isCIDR', 'quantity', 'isQuantity', 'semver', 'isSemver'], firstTraversed),
  ip: (overload) => (overload === 'cidr_ip' ? one : firstTraversed),
  ...each(
    ['masked', 'prefixLength', 'family', 'isUnspecified', 'isLoopback', 'isLinkLocalMulticast', 'isLinkLocalUnicast', 'isGlobalUnicast'],
    one,
  ),
  containsIP:
    (overload) =>
    ([network, other]) =>
      traverse(sizeOf(network!), 2) + (overload === 'cidr_contains_ip_string' ? traverse(sizeOf(other!)) : 0),
  containsCIDR:
    (overload) =>
    ([network, other]) =>
      traverse(sizeOf(network!), 2) +
      traverse(sizeOf(network!)) +
      1 +
      (overload === 'cidr_contains_cidr_string' ? traverse(sizeOf(other!)) : 0),
  validate:
    () =>
    ([format, text]) => {
      const size = (format as { maxRegexSize?: number }).maxRegexSize;
      return size === undefined ? 1 : matching(sizeOf(text!), size);
    },
  ...each(['format.named'], one),
  ...each(['sign', 'asInteger', 'isInteger', 'asApproximateFloat', 'isGreaterThan', 'isLessThan', 'compareTo', 'add', 'sub'], one),
  ...each(['major', 'minor', 'patch', 'getScheme', 'getHostname', 'getHost', 'getPort', 'getEscapedPath', 'getQuery'], one),
};

function each(names: readonly string[], cost: CallCost): Record<string, () => CallCost> {
  return Object.fromEntries(names.map((name) => [name, () => cost]));
}

const smaller: CallCost = ([a, b]) => traverse(Math.min(sizeOf(a!), sizeOf(b!)));
/** Values that are compared in one step. */
const equalsCost: CallCost = (args, result) => (args[0] instanceof Opaque ? 1 : smaller(args, result));

const byOverload: Readonly<Record<string, CallCost>> = {
  starts_with_string: firstTraversed,
  ends_with_string: firstTraversed,
  string_to_bytes: firstTraversed,
  bytes_to_string: firstTraversed,
  strings_quote: firstTraversed,
  string_format: firstTraversed,
  in_list: ([, list]) => sizeOf(list!),
  equals: equalsCost,
  not_equals: smaller,
  ...Object.fromEntries(
    ['less', 'greater', 'less_equals', 'greater_equals'].flatMap((name) => [
      [`${name}_string`, smaller],
      [`${name}_bytes`, smaller],
    ]),
  ),
  add_string: ([a, b]) => traverse(sizeOf(a!) + sizeOf(b!)),
  add_bytes: ([a, b]) => traverse(sizeOf(a!) + sizeOf(b!)),
  matches_string: ([text, pattern]) => matching(sizeOf(text!), sizeOf(pattern!)),
  contains_string: ([text, part]) => traverse(sizeOf(text!)) * traverse(sizeOf(part!)),
};

/** Of making a list of as many items, each worth `factor`. */
const allocating = (size: number, factor: number): number => Math.trunc(size * factor) + 1 + listBase;
const outputSize: CallCost = (_, result) => allocating(sizeOf(result), 1);
const flattening: CallCost = ([list, depth]) => allocating(sizeOf(list!), depth === undefined ? 1 : Number(depth as bigint));

/** Of comparing all items of a list with each other. */
function selfCompare(list: List): number {
  if (list.size === 0) return allocating(0, 2);
  const item = list.at(0);
  return allocating(list.size ** 2, typeof item === 'string' || item instanceof Uint8Array ? 2 + traversal : 2);
}

/** The lists extension keeps its own book. upstream: cel-go ext/lists.go. */
const lists: Readonly<Record<string, CallCost>> = {
  list_slice: outputSize,
  lists_range: outputSize,
  list_reverse: outputSize,
  list_flatten: flattening,
  list_flatten_int: flattening,
  list_distinct: ([list]) => selfCompare(list as List),
  // upstream: cel-go ext/sets.go
  list_sets_contains_list: ([a, b]) => sizeOf(a!) * sizeOf(b!) + 1,
  list_sets_intersects_list: ([a, b]) => sizeOf(a!) * sizeOf(b!) + 1,
  list_sets_equivalent_list: ([a, b]) => 2 * sizeOf(a!) * sizeOf(b!) + 1,
};

/** `overload` is "" where several may apply. */
export function callCost(fn: string, overload: string): CallCost {
  if (lists[overload]) return lists[overload];
  if (/^list_.*_sort(ByAssociatedKeys)?$/.test(overload)) return sorting;
  const known = Object.hasOwn(byFunction, fn) ? byFunction[fn]!(overload) : undefined;
  return known ?? byOverload[overload] ?? one;
}

const sorting: CallCost = (args) => selfCompare(args.at(-1) as List);

/** Kinds of values that constant sets may be looked up by. */
export const isPrimitive = (value: Value): boolean =>
  value === null ||
  ['bigint', 'boolean', 'number', 'string'].includes(typeof value) ||
  value instanceof Uint ||
  value instanceof Duration ||
  value instanceof Timestamp;
