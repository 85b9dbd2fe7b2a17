import type { Overload } from '../check/declarations.ts';
import { CelType } from '../types.ts';
import { List } from '../values/list.ts';
import { MapValue } from '../values/map.ts';
import { Duration, Timestamp, Uint } from '../values/scalars.ts';
import { ObjectValue, Opaque, Optional, typeOf } from '../values/value.ts';
import type { Value } from '../values/value.ts';

/** Whether values are of the kinds that an overload takes: what was dyn when checked is decided here. */

type Test = (value: Value) => boolean;

const always: Test = () => true;

function testFor(type: CelType): Test {
  switch (type.kind) {
    case 'bool':
      return (value) => typeof value === 'boolean';
    case 'int':
      return (value) => typeof value === 'bigint';
    case 'uint':
      return (value) => value instanceof Uint;
    case 'double':
      return (value) => typeof value === 'number';
    case 'string':
      return (value) => typeof value === 'string';
    case 'bytes':
      return (value) => value instanceof Uint8Array;
    case 'list':
      return (value) => value instanceof List;
    case 'map':
      return (value) => value instanceof MapValue;
    case 'timestamp':
      return (value) => value instanceof Timestamp;
    case 'duration':
      return (value) => value instanceof Duration;
    case 'null':
      return (value) => value === null;
    case 'type':
      return (value) => value instanceof CelType;
    case 'opaque':
      if (type.name === 'optional_type') return (value) => value instanceof Optional;
      return (value) => value instanceof Opaque && value.type.name === type.name;
    case 'struct':
      return (value) => (value instanceof Opaque || value instanceof ObjectValue) && typeOf(value).name === type.name;
    default:
      return always;
  }
}

const tests = new WeakMap<Overload, readonly Test[]>();

export function matches(overload: Overload, args: readonly Value[]): boolean {
  let known = tests.get(overload);
  if (!known) tests.set(overload, (known = overload.args.map(testFor)));
  if (known.length !== args.length) return false;
  for (let index = 0; index < args.length; index++) if (!known[index]!(args[index]!)) return false;
  return true;
}
