import { parseQuantity, Quantity, quantity, QuantityError } from '#machinery/quantity';
import { library } from '../check/declarations.ts';
import { struct } from '../types.ts';
import { CelError, maxInt, minInt } from '../values/scalars.ts';
import { Opaque } from '../values/value.ts';
import type { Value } from '../values/value.ts';

/** upstream: apiserver/pkg/cel/library/quantity.go. */

export const quantityType = struct('kubernetes.Quantity');
const one = 1_000_000_000n;

export class QuantityValue extends Opaque {
  readonly type = quantityType;
  readonly quantity: Quantity;
  constructor(amount: Quantity) {
    super();
    this.quantity = amount;
  }
  equals(other: Value): boolean {
    return other instanceof QuantityValue && this.quantity.compare(other.quantity) === 0;
  }
  toString(): string {
    return this.quantity.toString();
  }
}

function parse(text: string): Value {
  try {
    // An amount that upstream would trim is none here: the text must be the whole of it.
    if (text !== text.trim())
      throw new QuantityError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    return new QuantityValue(parseQuantity(text));
  } catch (error) {
    if (error instanceof QuantityError) return new CelError(error.message);
    throw error;
  }
}

const whole = ({ quantity: { nanos } }: QuantityValue): bigint | undefined =>
  nanos % one === 0n && nanos / one >= minInt && nanos / one <= maxInt ? nanos / one : undefined;
const made = (amount: Quantity): Value => new QuantityValue(amount);

export const quantityLibrary = library(
  `
.add quantity_add(kubernetes.Quantity, kubernetes.Quantity) -> kubernetes.Quantity
.add quantity_add_int(kubernetes.Quantity, int) -> kubernetes.Quantity
.asApproximateFloat quantity_get_float(kubernetes.Quantity) -> double
.asInteger quantity_get_int(kubernetes.Quantity) -> int
.compareTo quantity_compare_to(kubernetes.Quantity, kubernetes.Quantity) -> int
.isGreaterThan quantity_is_greater_than(kubernetes.Quantity, kubernetes.Quantity) -> bool
.isInteger quantity_is_integer(kubernetes.Quantity) -> bool
.isLessThan quantity_is_less_than(kubernetes.Quantity, kubernetes.Quantity) -> bool
isQuantity is_quantity_string(string) -> bool
quantity string_to_quantity(string) -> kubernetes.Quantity
sign quantity_sign(kubernetes.Quantity) -> int
.sub quantity_sub(kubernetes.Quantity, kubernetes.Quantity) -> kubernetes.Quantity
.sub quantity_sub_int(kubernetes.Quantity, int) -> kubernetes.Quantity
`,
  {
    string_to_quantity: parse,
    is_quantity_string: (text: string) => parse(text) instanceof QuantityValue,
    quantity_sign: (value: QuantityValue) => BigInt(value.quantity.sign()),
    quantity_get_int: (value: QuantityValue) => whole(value) ?? new CelError('cannot convert value to integer'),
    quantity_get_float: (value: QuantityValue) => value.quantity.toNumber(),
    quantity_is_integer: (value: QuantityValue) => whole(value) !== undefined,
    quantity_is_greater_than: (a: QuantityValue, b: QuantityValue) => a.quantity.compare(b.quantity) > 0,
    quantity_is_less_than: (a: QuantityValue, b: QuantityValue) => a.quantity.compare(b.quantity) < 0,
    quantity_compare_to: (a: QuantityValue, b: QuantityValue) => BigInt(a.quantity.compare(b.quantity)),
    quantity_add: (a: QuantityValue, b: QuantityValue) => made(a.quantity.add(b.quantity)),
    quantity_add_int: (a: QuantityValue, b: bigint) => made(a.quantity.add(quantity(b))),
    quantity_sub: (a: QuantityValue, b: QuantityValue) => made(a.quantity.sub(b.quantity)),
    quantity_sub_int: (a: QuantityValue, b: bigint) => made(a.quantity.sub(quantity(b))),
  },
);
