import { library } from '../check/declarations.ts';
import { sameType } from '../types.ts';
import { compare, equals } from '../values/equality.ts';
import { List } from '../values/list.ts';
import { CelError } from '../values/scalars.ts';
import { typeOf } from '../values/value.ts';
import type { Value } from '../values/value.ts';

/** upstream: cel-go ext/lists.go, version 3. */

const maxRange = 10_000_000n;

function slice(list: List, start: bigint, end: bigint): Value {
  if (start < 0n || end < 0n) return new CelError(`cannot slice(${start}, ${end}), negative indexes not supported`);
  if (start > end) return new CelError(`cannot slice(${start}, ${end}), start index must be less than or equal to end index`);
  if (BigInt(list.size) < end) return new CelError(`cannot slice(${start}, ${end}), list is length ${list.size}`);
  return new List(list.toArray().slice(Number(start), Number(end)));
}

function flatten(list: List, depth: bigint): Value[] {
  return list.toArray().flatMap((item) => (item instanceof List && depth > 0n ? flatten(item, depth - 1n) : [item]));
}

function sortBy(list: List, keys: List): Value {
  if (list.size !== keys.size)
    return new CelError(
      `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${list.size} and ${keys.size} elements respectively`,
    );
  if (list.size === 0) return list;
  const type = typeOf(keys.at(0));
  if (compare(keys.at(0), keys.at(0)) instanceof CelError) return new CelError('list elements must be comparable');
  const order = Array.from({ length: list.size }, (_, index) => index);
  for (const index of order) if (!sameType(typeOf(keys.at(index)), type)) return new CelError('list elements must have the same type');
  order.sort((a, b) => compare(keys.at(a), keys.at(b)) as number);
  return new List(order.map((index) => list.at(index)));
}

function distinct(list: List): Value {
  const found: Value[] = [];
  for (const item of list) if (!found.some((other) => equals(other, item))) found.push(item);
  return new List(found);
}

const kinds = ['int', 'uint', 'double', 'bool', 'google.protobuf.Duration', 'google.protobuf.Timestamp', 'string', 'bytes'];

export const listsExtensionLibrary = library(
  `
.@sortByAssociatedKeys list_int_sortByAssociatedKeys(list(T), list(int)) -> list(T)
.@sortByAssociatedKeys list_uint_sortByAssociatedKeys(list(T), list(uint)) -> list(T)
.@sortByAssociatedKeys list_double_sortByAssociatedKeys(list(T), list(double)) -> list(T)
.@sortByAssociatedKeys list_bool_sortByAssociatedKeys(list(T), list(bool)) -> list(T)
.@sortByAssociatedKeys list_google.protobuf.Duration_sortByAssociatedKeys(list(T), list(duration)) -> list(T)
.@sortByAssociatedKeys list_google.protobuf.Timestamp_sortByAssociatedKeys(list(T), list(timestamp)) -> list(T)
.@sortByAssociatedKeys list_string_sortByAssociatedKeys(list(T), list(string)) -> list(T)
.@sortByAssociatedKeys list_bytes_sortByAssociatedKeys(list(T), list(bytes)) -> list(T)
.distinct list_distinct(list(T)) -> list(T)
.flatten list_flatten(list(list(T))) -> list(T)
.flatten list_flatten_int(list(dyn), int) -> list(dyn)
lists.range lists_range(int) -> list(int)
.reverse list_reverse(list(T)) -> list(T)
.slice list_slice(list(T), int, int) -> list(T)
.sort list_int_sort(list(int)) -> list(int)
.sort list_uint_sort(list(uint)) -> list(uint)
.sort list_double_sort(list(double)) -> list(double)
.sort list_bool_sort(list(bool)) -> list(bool)
.sort list_google.protobuf.Duration_sort(list(duration)) -> list(duration)
.sort list_google.protobuf.Timestamp_sort(list(timestamp)) -> list(timestamp)
.sort list_string_sort(list(string)) -> list(string)
.sort list_bytes_sort(list(bytes)) -> list(bytes)
`,
  {
    list_slice: slice,
    list_flatten: (list: List) => new List(flatten(list, 1n)),
    list_flatten_int: (list: List, depth: bigint) =>
      depth < 0n ? new CelError('level must be non-negative') : new List(flatten(list, depth)),
    list_reverse: (list: List) => new List(list.toArray().toReversed()),
    list_distinct: distinct,
    lists_range: (size: bigint) =>
      size > maxRange
        ? new CelError(`range too large: ${size}`)
        : new List(Array.from({ length: Math.max(0, Number(size)) }, (_, index) => BigInt(index))),
    ...Object.fromEntries(
      kinds.flatMap((kind) => [
        [`list_${kind}_sort`, (list: List) => sortBy(list, list)],
        [`list_${kind}_sortByAssociatedKeys`, sortBy],
      ]),
    ),
  },
);
