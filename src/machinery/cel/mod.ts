/**
 * CEL, the Common Expression Language, as Kubernetes uses it: rules of custom resources, admission policies, authentication, devices.
 * An expression is parsed (syntax/), checked against an environment (check/), its cost estimated (cost/), compiled to steps and run (eval/)
 * with what the libraries (libraries/) offer. Upstream counterpart: cel-go, apiserver/pkg/cel.
 * Invariants: nothing here waits or touches anything outside; what is run is bounded by its cost; errors have cel-go's texts.
 * Read first: program.ts.
 */
export { baseEnvironment, CelEvaluationError, compile, perCallLimit, Program, runtimeCostBudget } from './program.ts';
export { Environment } from './check/environment.ts';
export type { TypeProvider } from './check/environment.ts';
export { library } from './check/declarations.ts';
export type { Library } from './check/declarations.ts';
export { CelCompileError } from './source.ts';
export { CostLimitExceeded } from './eval/frame.ts';
export type { Activation } from './eval/frame.ts';
export type { StructFactory } from './eval/compile.ts';
export { largest as unboundedCost } from './cost/estimate.ts';
export type { Range } from './cost/estimate.ts';
export type { CostNode, SizeEstimator } from './cost/node.ts';
export * as types from './types.ts';
export { CelType } from './types.ts';
export { CelError, Duration, Timestamp, Uint } from './values/scalars.ts';
export { List } from './values/list.ts';
export { JsonMap, LiteralMap, MapValue } from './values/map.ts';
export { isError, none, ObjectValue, Opaque, Optional, sizeOf, typeOf } from './values/value.ts';
export type { Value } from './values/value.ts';
export { equals } from './values/equality.ts';
export { fromJson } from './values/from-json.ts';
export { toJson } from './values/to-json.ts';
export { AuthorizerValue, authorizerType, ResourceCheck, resourceCheckType } from './libraries/authz.ts';
export type { AuthorizationAnswer, AuthorizationQuery, AuthorizeNow } from './libraries/authz.ts';
export { jsonPatchLibrary } from './libraries/json-patch.ts';
export { QuantityValue, quantityType } from './libraries/quantity.ts';
export { SemverValue, semverType } from './libraries/semver.ts';
export { declareSchema } from './schema/declared-type.ts';
export type { Declaration, DeclaredType } from './schema/declared-type.ts';
export { schemaValue } from './schema/value.ts';
export { withObjectMeta } from './schema/schema.ts';
export type { CelSchema } from './schema/schema.ts';
export { escapeName, unescapeName } from './schema/escaping.ts';
export { factCelType, factTypes } from './schema/facts.ts';
