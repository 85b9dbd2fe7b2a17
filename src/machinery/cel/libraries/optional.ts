import { library } from '../check/declarations.ts';
import { List } from '../values/list.ts';
import { MapValue } from '../values/map.ts';
import { CelError, Duration, Uint } from '../values/scalars.ts';
import { none, Optional, sizeOf } from '../values/value.ts';
import type { Value } from '../values/value.ts';

/** Values that may be absent. `or` and `orValue` are evaluated by eval/compile.ts. upstream: cel-go cel/library.go. */

function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0n || value === 0 || value === '') return true;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof Duration) return value.nanos === 0n;
  if (value instanceof Optional) return value.value === undefined;
  return (value instanceof List || value instanceof MapValue || value instanceof Uint8Array) && sizeOf(value) === 0;
}

function unwrap(list: List): Value {
  const found: Value[] = [];
  for (const item of list) {
    if (!(item instanceof Optional)) return new CelError(`value ${String(item)} is not optional`);
    if (item.value !== undefined) found.push(item.value);
  }
  return new List(found);
}

export const optionalLibrary = library(
  `
_?._ select_optional_field(dyn, string) -> optional_type(V)
_[?_] list_optindex_optional_int(list(V), int) -> optional_type(V)
_[?_] optional_list_optindex_optional_int(optional_type(list(V)), int) -> optional_type(V)
_[?_] map_optindex_optional_value(map(K, V), K) -> optional_type(V)
_[?_] optional_map_optindex_optional_value(optional_type(map(K, V)), K) -> optional_type(V)
_[_] optional_list_index_int(optional_type(list(V)), int) -> optional_type(V)
_[_] optional_map_index_value(optional_type(map(K, V)), K) -> optional_type(V)
.first list_first(list(V)) -> optional_type(V)
.hasValue optional_hasValue(optional_type(V)) -> bool
.last list_last(list(V)) -> optional_type(V)
optional.none optional_none() -> optional_type(V)
optional.of optional_of(V) -> optional_type(V)
optional.ofNonZeroValue optional_ofNonZeroValue(V) -> optional_type(V)
optional.unwrap optional_unwrap(list(optional_type(V))) -> list(V)
.or optional_or_optional(optional_type(V), optional_type(V)) -> optional_type(V)
.orValue optional_orValue_value(optional_type(V), V) -> V
.unwrapOpt optional_unwrapOpt(list(optional_type(V))) -> list(V)
.value optional_value(optional_type(V)) -> V
`,
  {
    optional_none: () => none,
    optional_of: (value: Value) => new Optional(value),
    optional_ofNonZeroValue: (value: Value) => (isZero(value) ? none : new Optional(value)),
    optional_hasValue: (optional: Optional) => optional.value !== undefined,
    optional_value: (optional: Optional) =>
      optional.value ?? (optional.value === null ? null : new CelError('optional.none() dereference')),
    optional_unwrap: unwrap,
    optional_unwrapOpt: unwrap,
    list_first: (list: List) => (list.size ? new Optional(list.at(0)) : none),
    list_last: (list: List) => (list.size ? new Optional(list.at(list.size - 1)) : none),
  },
);
