/**
 * The Kubernetes API as data: kinds and their types (generated), and per kind what the tables cannot say (defaults, validation,
 * strategies, columns). Every component speaks of the API through this door.
 * Upstream counterpart: k8s.io/api, pkg/apis, pkg/registry/<group>/<kind>/strategy.go.
 * Read first: contract.ts, then core/config-map.ts as the smallest kind and core/pod.ts as the largest.
 * `rulesFor` lives in rules.ts behind its own door (#api/rules), so that clients do not load validation.
 */
export * from './facts/kinds.ts';
export * from './contract.ts';
