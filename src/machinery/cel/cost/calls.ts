import { selectorCost } from '../eval/call-cost.ts';
import { sameType } from '../types.ts';
import { factor, fixed, largest, plus, times, unknown } from './estimate.ts';
import type { Range } from './estimate.ts';
import type { CallEstimate, CostNode, SizeEstimator } from './node.ts';

/** Estimates for the functions of libraries. upstream: apiserver/pkg/cel/library/cost.go, cel-go ext/lists.go. */

const traversal = 0.1;
const regexLength = 0.25;
const listBase = 10;
const maxFormatSize = 64;
const maxFormatRegexSize = 128;

type Estimator = (call: {
  overload: string;
  target: CostNode | undefined;
  args: readonly CostNode[];
  size: (node: CostNode) => Range;
  estimate: SizeEstimator;
}) => CallEstimate | undefined;

const one: Estimator = () => ({ cost: fixed(1) });

const traversed =
  (from: 'target' | 'arg', keepsSize: boolean, repeat = 1): Estimator =>
  ({ target, args, size }) => {
    const node = from === 'target' ? target : args[0];
    if (!node) return undefined;
    const found = size(node);
    return { cost: factor(found, repeat * traversal), size: keepsSize ? found : undefined };
  };

/** The items of a list, as data. */
function items(list: CostNode): CostNode | undefined {
  const [type] = list.type.params;
  if (!type) return undefined;
  return { path: list.path && [...list.path, '@items'], type, expr: undefined, size: undefined };
}

const eachItem: Estimator = ({ target, size }) => {
  if (!target) return undefined;
  const item = items(target);
  if (!item) return { cost: factor(size(target), traversal) };
  const texts = item.type.kind === 'string' || item.type.kind === 'bytes';
  return { cost: times(size(target), texts ? plus(fixed(1), factor(size(item), traversal)) : fixed(1)) };
};

const replace: Estimator = ({ target, args, size }) => {
  if (!target || args.length < 2) return undefined;
  const text = size(target);
  const from = size(args[0]!);
  const to = size(args[1]!);
  const bound = (own: number, shortest: number, growsTo: number, shrinks: boolean): [count: number, kept: number] => {
    if (shortest === 0) return [Math.min(own + 1, largest), own];
    return shrinks ? [0, own] : [Math.ceil(own / growsTo), 0];
  };
  const [mostCount, mostKept] = bound(text.max, from.min, from.min, to.max <= from.min);
  const [leastCount, leastKept] = bound(text.min, from.max, from.max, from.max <= to.min);
  const result = plus(times({ min: leastCount, max: mostCount }, to), { min: leastKept, max: mostKept });
  return { cost: factor(text, 2 * traversal), size: result };
};

const split: Estimator = ({ target, args, size }) => {
  if (!target) return undefined;
  const text = size(target);
  const limit = args[1]?.expr?.kind === 'literal' && typeof args[1].expr.value === 'bigint' ? args[1].expr.value : undefined;
  const most = limit === undefined ? text.max : limit < 0n ? largest : Number(limit);
  return { cost: factor(text, 2 * traversal), size: { min: 0, max: most } };
};

const join: Estimator = ({ target, args, size }) => {
  if (!target) return undefined;
  const list = size(target);
  const item = items(target);
  let result = item ? times(list, size(item)) : fixed(0);
  if (args[0])
    result = plus(
      result,
      times(size(args[0]), { min: Math.max(0, list.min - 1), max: Math.max(0, list.max === largest ? largest : list.max - 1) }),
    );
  return { cost: factor(result, traversal), size: result };
};

const find: Estimator = ({ target, args, size }) => {
  if (!target || !args[0]) return undefined;
  const text = size(target);
  const cost = times(factor(plus(text, fixed(1)), traversal), factor(size(args[0]), regexLength));
  return { cost, size: { min: 0, max: text.max } };
};

const address: Range = { min: 4, max: 16 };

const containsIP: Estimator = ({ overload, args, size }) => {
  const cost = factor(plus(address, address), traversal);
  return { cost: overload === 'cidr_contains_ip_string' ? plus(cost, factor(size(args[0]!), traversal)) : cost };
};

const containsCIDR: Estimator = ({ overload, args, size }) => {
  const cost = plus(factor(plus(address, address), traversal), factor(address, traversal), fixed(1));
  return { cost: overload === 'cidr_contains_cidr_string' ? plus(cost, factor(size(args[0]!), traversal)) : cost };
};

const oneStepTypes = new Set([
  'net.IP',
  'net.CIDR',
  'kubernetes.Quantity',
  'kubernetes.Semver',
  'kubernetes.authorization.Authorizer',
  'kubernetes.authorization.PathCheck',
  'kubernetes.authorization.GroupCheck',
  'kubernetes.authorization.ResourceCheck',
  'kubernetes.authorization.Decision',
]);

const equality: Estimator = ({ args }) => {
  const [a, b] = args;
  if (!a || !b || !sameType(a.type, b.type)) return undefined;
  const { name, kind } = a.type;
  if (kind !== 'opaque' && kind !== 'struct') return undefined;
  if (oneStepTypes.has(name)) return { cost: fixed(1) };
  if (name === 'kubernetes.NamedFormat') return { cost: factor({ min: 1, max: maxFormatSize }, traversal) };
  if (name === 'kubernetes.URL') return { cost: factor({ min: 1, max: b.size?.max ?? 1 }, traversal) };
  return undefined;
};

const validate: Estimator = ({ args, size }) =>
  args[0] && { cost: factor(factor(size(args[0]), traversal), maxFormatRegexSize * regexLength) };

const each = (names: string, estimator: Estimator): Record<string, Estimator> =>
  Object.fromEntries(names.split(' ').map((name) => [name, estimator]));

const byFunction: Readonly<Record<string, Estimator>> = {
  check: () => ({ cost: fixed(350_000) }),
  ...each('serviceAccount path group resource subresource namespace name allowed reason error errored', one),
  ...each('fieldSelector labelSelector', ({ args, size }) => {
    if (!args[0]) return undefined;
    const { min, max } = size(args[0]);
    return { cost: { min: selectorCost(min), max: Math.min(selectorCost(max), largest) } };
  }),
  ...each('isSorted sum max min indexOf lastIndexOf', eachItem),
  ...each('url jsonpatch.escapeKey', traversed('arg', true)),
  ...each('lowerAscii upperAscii substring trim', traversed('target', true)),
  replace,
  split,
  join,
  find,
  findAll: find,
  ...each('cidr isIP isCIDR quantity isQuantity semver isSemver', traversed('arg', false)),
  ip: (call) => (call.overload === 'cidr_ip' ? one(call) : traversed('arg', false)(call)),
  'ip.isCanonical': traversed('arg', false, 2),
  ...each('masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast', one),
  containsIP,
  containsCIDR,
  validate,
  'format.named': one,
  ...each('sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub major minor patch', one),
  ...each('getScheme getHostname getHost getPort getEscapedPath getQuery', one),
  '_==_': equality,
};

/** Of making a list of so many items, each worth `by`. */
const allocating = (size: Range, by: number): CallEstimate => ({ cost: plus(factor(size, by), fixed(1), fixed(listBase)), size });

function literalInt(node: CostNode | undefined, otherwise: number): number {
  if (node?.expr?.kind !== 'literal' || typeof node.expr.value !== 'bigint') return otherwise;
  return node.expr.value < 0n ? 0 : Number(node.expr.value);
}

/** Sizes that only a schema or a literal gives. */
const sizeOrUnknown = (node: CostNode, estimate: SizeEstimator): Range => node.size ?? estimate(node) ?? unknown;

const lists: Readonly<Record<string, Estimator>> = {
  list_slice: ({ target, args, estimate }) => {
    const end = literalInt(args[1], sizeOrUnknown(target!, estimate).max);
    return allocating(fixed(end - literalInt(args[0], 0)), 1);
  },
  lists_range: ({ args }) => allocating(fixed(literalInt(args[0], largest)), 1),
  list_reverse: ({ target, estimate }) => allocating(sizeOrUnknown(target!, estimate), 1),
  list_flatten: ({ target, estimate }) => allocating(sizeOrUnknown(target!, estimate), 1),
  list_flatten_int: ({ target, args, estimate }) => allocating(sizeOrUnknown(target!, estimate), literalInt(args[0], largest)),
  list_distinct: ({ target, estimate }) => {
    const size = sizeOrUnknown(target!, estimate);
    return allocating(times(size, size), 2);
  },
};

/** Each of the one with each of the other. upstream: cel-go ext/sets.go. */
const sets =
  (repeat: number): Estimator =>
  ({ args, estimate }) => {
    const [a, b] = args;
    if (!a || !b) return undefined;
    return { cost: plus(factor(times(sizeOrUnknown(a, estimate), sizeOrUnknown(b, estimate)), repeat), fixed(1)) };
  };

const setFunctions: Readonly<Record<string, Estimator>> = {
  list_sets_contains_list: sets(1),
  list_sets_intersects_list: sets(1),
  list_sets_equivalent_list: sets(2),
};

const sort: Estimator = ({ overload, target, args, estimate }) => {
  const size = sizeOrUnknown(overload.endsWith('_sort') ? target! : args[0]!, estimate);
  const texts = /^list_(string|bytes)_/.test(overload);
  return allocating(times(size, size), texts ? 2 + traversal : 2);
};

/** The estimate for a call of a library's function; undefined leaves it to the language. */
export function estimateCall(
  fn: string,
  overload: string,
  target: CostNode | undefined,
  args: readonly CostNode[],
  estimate: SizeEstimator,
): CallEstimate | undefined {
  const size = (node: CostNode): Range => sizeOrUnknown(node, estimate);
  const call = { overload, target, args, size, estimate };
  const own = lists[overload] ?? setFunctions[overload];
  if (own) return own(call);
  if (/^list_.*_sort(ByAssociatedKeys)?$/.test(overload)) return sort(call);
  return Object.hasOwn(byFunction, fn) ? byFunction[fn]!(call) : undefined;
}
