/** Which requests are written down, and how much of them. upstream: apiserver/pkg/audit/policy, pkg/apis/audit/validation. */
import type { RequestInfo, UserInfo } from '../contract.ts';

export type Level = 'None' | 'Metadata' | 'Request' | 'RequestResponse';
export type Stage = 'RequestReceived' | 'ResponseStarted' | 'ResponseComplete' | 'Panic';

const levels: readonly string[] = ['None', 'Metadata', 'Request', 'RequestResponse'] satisfies Level[];
const stages: readonly string[] = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] satisfies Stage[];

interface GroupResources {
  group?: string;
  resources?: string[];
  resourceNames?: string[];
}

interface PolicyRule {
  level: Level;
  users?: string[];
  userGroups?: string[];
  verbs?: string[];
  resources?: GroupResources[];
  namespaces?: string[];
  nonResourceURLs?: string[];
  omitStages?: Stage[];
  omitManagedFields?: boolean;
}

/** The file's content, audit.k8s.io/v1 Policy. */
interface PolicyDocument {
  apiVersion?: string;
  kind?: string;
  rules?: PolicyRule[];
  omitStages?: Stage[];
  omitManagedFields?: boolean;
}

/** What is to be written down of one request. */
export interface Verdict {
  level: Level;
  omitStages: ReadonlySet<Stage>;
  omitManagedFields: boolean;
}

export type AuditPolicy = (user: UserInfo, info: RequestInfo) => Verdict;

/** Throws an Error that says all that is wrong with the policy. */
export function auditPolicy(value: unknown): AuditPolicy {
  const policy = (value ?? {}) as PolicyDocument;
  if (policy.apiVersion !== 'audit.k8s.io/v1' || policy.kind !== 'Policy')
    throw new Error(
      `unknown group version field ${policy.apiVersion ?? ''}, Kind=${policy.kind ?? ''} in policy: it must be a Policy of audit.k8s.io/v1`,
    );
  const rules = policy.rules ?? [];
  const errors = [...stageErrors('omitStages', policy.omitStages), ...rules.flatMap((rule, index) => ruleErrors(`rules[${index}]`, rule))];
  if (errors.length > 0) throw new Error(errors.length === 1 ? errors[0]! : `[${errors.join(', ')}]`);
  if (rules.length === 0) throw new Error('loaded illegal policy with 0 rules');
  const verdict = (level: Level, omitStages: Stage[] = [], omitManagedFields = policy.omitManagedFields ?? false): Verdict => ({
    level,
    omitStages: new Set([...(policy.omitStages ?? []), ...omitStages]),
    omitManagedFields,
  });
  const compiled = rules.map((rule) => ({ rule, verdict: verdict(rule.level, rule.omitStages, rule.omitManagedFields) }));
  const otherwise = verdict('None');
  return (user, info) => {
    for (const { rule, verdict: found } of compiled) if (matches(rule, user, info)) return found;
    return otherwise;
  };
}

function ruleErrors(path: string, rule: PolicyRule): string[] {
  const errors: string[] = [];
  if (!rule.level) errors.push(`${path}.level: Required value`);
  else if (!levels.includes(rule.level))
    errors.push(
      `${path}.level: Unsupported value: ${JSON.stringify(rule.level)}: supported values: ${levels
        .map((level) => JSON.stringify(level))
        .sort()
        .join(', ')}`,
    );
  if (rule.nonResourceURLs?.length && (rule.resources?.length || rule.namespaces?.length))
    errors.push(`${path}.nonResourceURLs: Invalid value: rules cannot apply to both regular resources and non-resource URLs`);
  for (const [index, url] of (rule.nonResourceURLs ?? []).entries()) {
    const at = `${path}.nonResourceURLs[${index}]: Invalid value: ${JSON.stringify(url)}`;
    if (url === '*') continue;
    if (!url.startsWith('/')) errors.push(`${at}: non-resource URL rules must begin with a '/' character`);
    if (url.slice(0, -1).includes('*')) errors.push(`${at}: non-resource URL wildcards '*' must be the final character of the rule`);
  }
  for (const [index, { group = '', resources, resourceNames }] of (rule.resources ?? []).entries()) {
    if (group && !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(group))
      errors.push(`${path}.resources[${index}].group: Invalid value: ${JSON.stringify(group)}: a lowercase RFC 1123 subdomain is needed`);
    if (resourceNames?.length && !resources?.length)
      errors.push(`${path}.resources[${index}].resourceNames: Invalid value: using resourceNames requires at least one resource`);
  }
  return [...errors, ...stageErrors(`${path}.omitStages`, rule.omitStages)];
}

const stageErrors = (path: string, given: readonly string[] | undefined): string[] =>
  (given ?? []).flatMap((stage, index) =>
    stages.includes(stage) ? [] : [`${path}[${index}]: Invalid value: ${JSON.stringify(stage)}: allowed stages are ${stages.join(',')}`],
  );

const allows = (set: readonly string[] | undefined, value: string): boolean => !set?.length || set.includes(value);

function matches(rule: PolicyRule, user: UserInfo, info: RequestInfo): boolean {
  if (!allows(rule.users, user.name) || !allows(rule.verbs, info.verb)) return false;
  if (rule.userGroups?.length && !user.groups.some((group) => rule.userGroups!.includes(group))) return false;
  if (rule.namespaces?.length || rule.resources?.length) return matchesResource(rule, info);
  if (!rule.nonResourceURLs?.length) return true;
  return (
    !info.isResourceRequest &&
    rule.nonResourceURLs.some((url) => url === info.path || (url.endsWith('*') && info.path.startsWith(url.replace(/\*+$/, ''))))
  );
}

function matchesResource(rule: PolicyRule, info: RequestInfo): boolean {
  if (!info.isResourceRequest || !allows(rule.namespaces, info.namespace)) return false;
  if (!rule.resources?.length) return true;
  const { resource, subresource } = info;
  const names = new Set([
    subresource ? `${resource}/${subresource}` : resource,
    '*',
    `${resource}/*`,
    ...(subresource ? [`*/${subresource}`] : []),
  ]);
  return rule.resources.some(
    ({ group = '', resources, resourceNames }) =>
      group === info.group && (!resources?.length || (allows(resourceNames, info.name) && resources.some((item) => names.has(item)))),
  );
}
