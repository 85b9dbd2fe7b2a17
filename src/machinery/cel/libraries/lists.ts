import { library } from '../check/declarations.ts';
import { add } from '../eval/arithmetic.ts';
import { compare, equals } from '../values/equality.ts';
import { List } from '../values/list.ts';
import { CelError, Duration, Uint } from '../values/scalars.ts';
import { isError } from '../values/value.ts';
import type { Value } from '../values/value.ts';

/** Lists as Kubernetes adds to them. upstream: apiserver/pkg/cel/library/lists.go. */

const kinds = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes'];

function isSorted(list: List): Value {
  for (let index = 1; index < list.size; index++) {
    const order = compare(list.at(index - 1), list.at(index));
    if (order instanceof CelError) return order;
    if (order > 0) return false;
  }
  return true;
}

const sum =
  (zero: Value) =>
  (list: List): Value => {
    let total = zero;
    for (const item of list) {
      total = add(total, item);
      if (isError(total)) return total;
    }
    return total;
  };

const extreme =
  (name: 'min' | 'max') =>
  (list: List): Value => {
    if (list.size === 0) return new CelError(`${name} called on empty list`);
    let found = list.at(0);
    for (const item of list) {
      const order = compare(item, found);
      if (order instanceof CelError) return order;
      if (name === 'min' ? order < 0 : order > 0) found = item;
    }
    return found;
  };

function indexOf(list: List, wanted: Value): Value {
  for (let index = 0; index < list.size; index++) if (equals(list.at(index), wanted)) return BigInt(index);
  return -1n;
}

function lastIndexOf(list: List, wanted: Value): Value {
  for (let index = list.size - 1; index >= 0; index--) if (equals(list.at(index), wanted)) return BigInt(index);
  return -1n;
}

const zeros: Record<string, Value> = { int: 0n, uint: new Uint(0n), double: 0, duration: new Duration(0n) };

/** Over dyn, the first overload that fits runs: sums of anything begin with what is there. */
const anySum = (list: List): Value => {
  const first = list.size ? list.at(0) : 0n;
  const zero = typeof first === 'number' ? 0 : first instanceof Uint ? zeros['uint']! : first instanceof Duration ? zeros['duration']! : 0n;
  return sum(zero)(list);
};

export const listsLibrary = library(
  `
.indexOf list_a_index_of_int(list(A), A) -> int
.isSorted list_int_is_sorted_bool(list(int)) -> bool
.isSorted list_uint_is_sorted_bool(list(uint)) -> bool
.isSorted list_double_is_sorted_bool(list(double)) -> bool
.isSorted list_bool_is_sorted_bool(list(bool)) -> bool
.isSorted list_duration_is_sorted_bool(list(duration)) -> bool
.isSorted list_timestamp_is_sorted_bool(list(timestamp)) -> bool
.isSorted list_string_is_sorted_bool(list(string)) -> bool
.isSorted list_bytes_is_sorted_bool(list(bytes)) -> bool
.lastIndexOf list_a_last_index_of_int(list(A), A) -> int
.max list_int_max_int(list(int)) -> int
.max list_uint_max_uint(list(uint)) -> uint
.max list_double_max_double(list(double)) -> double
.max list_bool_max_bool(list(bool)) -> bool
.max list_duration_max_duration(list(duration)) -> duration
.max list_timestamp_max_timestamp(list(timestamp)) -> timestamp
.max list_string_max_string(list(string)) -> string
.max list_bytes_max_bytes(list(bytes)) -> bytes
.min list_int_min_int(list(int)) -> int
.min list_uint_min_uint(list(uint)) -> uint
.min list_double_min_double(list(double)) -> double
.min list_bool_min_bool(list(bool)) -> bool
.min list_duration_min_duration(list(duration)) -> duration
.min list_timestamp_min_timestamp(list(timestamp)) -> timestamp
.min list_string_min_string(list(string)) -> string
.min list_bytes_min_bytes(list(bytes)) -> bytes
.sum list_int_sum_int(list(int)) -> int
.sum list_uint_sum_uint(list(uint)) -> uint
.sum list_double_sum_double(list(double)) -> double
.sum list_duration_sum_duration(list(duration)) -> duration
`,
  {
    list_a_index_of_int: indexOf,
    list_a_last_index_of_int: lastIndexOf,
    ...Object.fromEntries(
      kinds.flatMap((kind) => [
        [`list_${kind}_is_sorted_bool`, isSorted],
        [`list_${kind}_min_${kind}`, extreme('min')],
        [`list_${kind}_max_${kind}`, extreme('max')],
      ]),
    ),
    list_int_sum_int: anySum,
    list_uint_sum_uint: sum(zeros['uint']!),
    list_double_sum_double: sum(0),
    list_duration_sum_duration: sum(zeros['duration']!),
  },
);
