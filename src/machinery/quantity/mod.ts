/**
 * Amounts of resources: "500m", "1.5Gi", "12e6". Exact, immutable, compared and added without rounding.
 * Upstream counterpart: apimachinery/pkg/api/resource. Invariant: a Quantity is a whole number of nanos, as upstream's never
 * holds more than nine decimals. Read first: quantity.ts.
 */
export {
  Quantity,
  addQuantities,
  canonicalize,
  compareQuantities,
  isQuantity,
  milliQuantity,
  milliValue,
  parseQuantity,
  quantity,
  subQuantities,
  sumQuantities,
  value,
} from './quantity.ts';
export type { QuantityFormat, QuantityLike } from './quantity.ts';
export { QuantityError } from './parse.ts';
