import type { PolicyRule } from '../../api/facts/types.ts';
import type { RequestInfo } from '../contract.ts';

/** One rule, ready to be asked. Undefined sets allow everything. */
interface CompiledRule {
  verbs: ReadonlySet<string> | undefined;
  groups: ReadonlySet<string> | undefined;
  names: ReadonlySet<string> | undefined;
}

interface CompiledPaths {
  verbs: ReadonlySet<string> | undefined;
  exact: ReadonlySet<string>;
  prefixes: readonly string[];
}

const setOf = (values: readonly string[] | undefined): ReadonlySet<string> | undefined =>
  values?.includes('*') ? undefined : new Set(values);

/** The rules of a role, found by resource, so that a decision looks at the few that could matter. */
export class RuleSet {
  readonly #byResource = new Map<string, CompiledRule[]>();
  readonly #paths: CompiledPaths[] = [];

  constructor(rules: readonly PolicyRule[]) {
    for (const rule of rules) {
      if (rule.resources?.length) {
        const compiled: CompiledRule = {
          verbs: setOf(rule.verbs),
          groups: setOf(rule.apiGroups),
          names: rule.resourceNames?.length ? new Set(rule.resourceNames) : undefined,
        };
        for (const resource of new Set(rule.resources)) {
          const known = this.#byResource.get(resource);
          if (known) known.push(compiled);
          else this.#byResource.set(resource, [compiled]);
        }
      }
      if (rule.nonResourceURLs?.length)
        this.#paths.push({
          verbs: setOf(rule.verbs),
          exact: new Set(rule.nonResourceURLs),
          prefixes: rule.nonResourceURLs.filter((url) => url.endsWith('*')).map((url) => url.replace(/\*+$/, '')),
        });
    }
  }

  /** upstream: pkg/apis/rbac/v1/evaluation_helpers.go and authorizer/rbac RuleAllows. */
  allows(info: RequestInfo): boolean {
    if (!info.isResourceRequest)
      return this.#paths.some(
        (rule) =>
          (!rule.verbs || rule.verbs.has(info.verb)) &&
          (rule.exact.has(info.path) || rule.prefixes.some((prefix) => info.path.startsWith(prefix))),
      );
    const combined = info.subresource ? `${info.resource}/${info.subresource}` : info.resource;
    if (this.#matches(combined, info) || this.#matches('*', info)) return true;
    return info.subresource !== '' && this.#matches(`*/${info.subresource}`, info);
  }

  #matches(resource: string, info: RequestInfo): boolean {
    const rules = this.#byResource.get(resource);
    if (!rules) return false;
    for (const rule of rules)
      if (
        (!rule.verbs || rule.verbs.has(info.verb)) &&
        (!rule.groups || rule.groups.has(info.group)) &&
        (!rule.names || rule.names.has(info.name))
      )
        return true;
    return false;
  }
}

/** Splits rules into ones of one verb and one resource (and name) or path each. */
function breakDown(rules: readonly PolicyRule[]): PolicyRule[] {
  return rules.flatMap((rule) => [
    ...(rule.apiGroups ?? []).flatMap((group) =>
      (rule.resources ?? []).flatMap((resource) =>
        rule.verbs.flatMap((verb) => {
          const simple = { apiGroups: [group], resources: [resource], verbs: [verb] };
          return rule.resourceNames?.length ? rule.resourceNames.map((name) => ({ ...simple, resourceNames: [name] })) : [simple];
        }),
      ),
    ),
    ...(rule.nonResourceURLs ?? []).flatMap((url) => rule.verbs.map((verb) => ({ nonResourceURLs: [url], verbs: [verb] }))),
  ]);
}

function covers(owner: PolicyRule, part: PolicyRule): boolean {
  const all = (set: readonly string[] | undefined, wanted: readonly string[] | undefined): boolean =>
    set?.includes('*') === true || (wanted ?? []).every((item) => set?.includes(item));
  const resources =
    owner.resources?.includes('*') === true ||
    (part.resources ?? []).every(
      (resource) =>
        owner.resources?.includes(resource) ||
        (resource.includes('/') && owner.resources?.includes(`*/${resource.slice(resource.indexOf('/') + 1)}`)),
    );
  const paths = (part.nonResourceURLs ?? []).every((path) =>
    (owner.nonResourceURLs ?? []).some((own) => own === path || (own.endsWith('*') && path.startsWith(own.replace(/\*+$/, '')))),
  );
  const names =
    !owner.resourceNames?.length ||
    (part.resourceNames !== undefined && part.resourceNames.every((name) => owner.resourceNames!.includes(name)));
  return all(owner.verbs, part.verbs) && all(owner.apiGroups, part.apiGroups) && resources && names && paths;
}

/** The atomic rules in `wanted` that nothing in `owned` covers. upstream: component-helpers/auth/rbac/validation Covers. */
export const uncovered = (owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] =>
  breakDown(wanted).filter((part) => !owned.some((owner) => covers(owner, part)));

/** Atomic rules that differ only in their verb made one again. */
function compact(rules: readonly PolicyRule[]): PolicyRule[] {
  const joined = new Map<string, PolicyRule>();
  for (const rule of rules) {
    // Paths stay as they are; there is one verb each.
    const key = rule.resources ? JSON.stringify([rule.apiGroups, rule.resources, rule.resourceNames]) : JSON.stringify(rule);
    const known = joined.get(key);
    if (known) known.verbs = [...known.verbs, ...rule.verbs];
    else joined.set(key, { ...rule });
  }
  return [...joined.values()];
}

const list = (values: readonly string[]): string => `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;

function describeRule(rule: PolicyRule): string {
  const parts: [string, readonly string[] | undefined][] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ];
  return `{${parts
    .filter(([, values]) => values?.length)
    .map(([name, values]) => `${name}:${list(values!)}`)
    .join(', ')}}`;
}

/** Upstream's sentence for who wants to give what he does not have. */
export const escalationText = (user: { name: string; groups: readonly string[] }, missing: readonly PolicyRule[]): string =>
  `user ${JSON.stringify(user.name)} (groups=${list(user.groups)}) is attempting to grant RBAC permissions not currently held:\n${[
    ...new Set(compact(missing).map(describeRule)),
  ]
    .sort()
    .join('\n')}`;
