/** What webhooks and policies match. upstream: pkg/apis/admissionregistration/validation. */
import { isDNS1035Label, isDNS1123Subdomain, nameIsPathSegment } from '#machinery/names';
import { checkQualifiedName, checkSelector, duplicate, invalidField, invalidFor, required, tooMany, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { ExpressionCheck } from '../contract.ts';
import type { MatchCondition, MatchResources, NamedRuleWithOperations, ParamKind, RuleWithOperations } from '../facts/types.ts';

export const failurePolicies = ['Fail', 'Ignore'];
export const matchPolicies = ['Equivalent', 'Exact'];
const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const scopes = ['*', 'Cluster', 'Namespaced'];
const mostConditions = 64;

export function checkOptional(errors: Errors, path: string, value: string | undefined, supported: readonly string[]): void {
  if (value !== undefined && !supported.includes(value)) errors.push(unsupported(path, value, supported));
}

function checkResources(errors: Errors, path: string, resources: readonly string[]): void {
  if (resources.length === 0) errors.push(required(path));
  const wholeResources = new Set<string>();
  const subresourcesOfAll = new Set<string>();
  let hasPlain = false;
  for (const [index, text] of resources.entries()) {
    const at = `${path}[${index}]`;
    if (text === '') {
      errors.push(required(at));
      continue;
    }
    const slash = text.indexOf('/');
    if (slash < 0) {
      // Upstream keeps what the last one said.
      hasPlain = text !== '*';
      continue;
    }
    const [resource, subresource] = [text.slice(0, slash), text.slice(slash + 1)];
    if (wholeResources.has(resource)) errors.push(invalidField(at, text, `if '${resource}/*' is present, must not specify ${text}`));
    if (subresourcesOfAll.has(subresource))
      errors.push(invalidField(at, text, `if '*/${subresource}' is present, must not specify ${text}`));
    if (subresource === '*') wholeResources.add(resource);
    if (resource === '*') subresourcesOfAll.add(subresource);
  }
  if (resources.length > 1 && resources.includes('*/*'))
    errors.push(invalidField(path, resources, "if '*/*' is present, must not specify other resources"));
  if (resources.includes('*') && hasPlain)
    errors.push(invalidField(path, resources, "if '*' is present, must not specify other resources without subresources"));
}

export function checkRule(errors: Errors, path: string, rule: RuleWithOperations): void {
  const { operations: verbs = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  const alone = (field: string, list: readonly string[], what: string): void => {
    if (list.length === 0) errors.push(required(`${path}.${field}`));
    if (list.length > 1 && list.includes('*'))
      errors.push(invalidField(`${path}.${field}`, list, `if '*' is present, must not specify other ${what}`));
  };
  alone('operations', verbs, 'operations');
  for (const [index, verb] of verbs.entries())
    if (!operations.includes(verb)) errors.push(unsupported(`${path}.operations[${index}]`, verb, operations));
  alone('apiGroups', apiGroups, 'API groups');
  alone('apiVersions', apiVersions, 'API versions');
  for (const [index, version] of apiVersions.entries()) if (version === '') errors.push(required(`${path}.apiVersions[${index}]`));
  checkResources(errors, `${path}.resources`, resources);
  checkOptional(errors, `${path}.scope`, scope, scopes);
}

function checkNamedRule(errors: Errors, path: string, rule: NamedRuleWithOperations): void {
  const names = rule.resourceNames ?? [];
  for (const [index, name] of names.entries()) {
    const at = `${path}.resourceNames[${index}]`;
    invalidFor(errors, at, name, nameIsPathSegment(name, false));
    if (names.indexOf(name) < index) errors.push(duplicate(at, name));
  }
  checkRule(errors, path, rule);
}

export function checkMatchResources(errors: Errors, path: string, match: MatchResources | undefined): void {
  if (!match) return;
  if (match.matchPolicy === undefined) errors.push(required(`${path}.matchPolicy`));
  checkOptional(errors, `${path}.matchPolicy`, match.matchPolicy, matchPolicies);
  for (const field of ['namespaceSelector', 'objectSelector'] as const) {
    if (match[field]) checkSelector(errors, `${path}.${field}`, match[field]);
    else errors.push(required(`${path}.${field}`));
  }
  for (const field of ['resourceRules', 'excludeResourceRules'] as const)
    for (const [index, rule] of (match[field] ?? []).entries()) checkNamedRule(errors, `${path}.${field}[${index}]`, rule);
}

export function checkMatchConditions(
  errors: Errors,
  path: string,
  conditions: readonly MatchCondition[],
  check: ExpressionCheck | undefined,
): void {
  if (conditions.length > mostConditions) errors.push(tooMany(path, conditions.length, mostConditions));
  const names = new Set<string>();
  for (const [index, { name, expression }] of (conditions as Partial<MatchCondition>[]).entries()) {
    const text = expression?.trim();
    if (!text) errors.push(required(`${path}[${index}].expression`));
    else if (check) errors.push(...check(`${path}[${index}].expression`, text));
    const at = `${path}[${index}].name`;
    if (!name) {
      errors.push(required(at));
      continue;
    }
    checkQualifiedName(errors, at, name);
    if (names.has(name)) errors.push(duplicate(at, name));
    names.add(name);
  }
}

export function checkParamKind(errors: Errors, path: string, { apiVersion = '', kind = '' }: ParamKind): void {
  const parts = apiVersion === '/' ? [''] : apiVersion.split('/');
  const [group, version] = parts.length === 2 ? (parts as [string, string]) : ['', parts[0]!];
  if (!apiVersion) errors.push(required(`${path}.apiVersion`));
  else if (parts.length > 2) errors.push(invalidField(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  else {
    const wrongGroup = group ? isDNS1123Subdomain(group) : [];
    if (wrongGroup.length) errors.push(invalidField(`${path}.apiVersion`, group, wrongGroup.join(',')));
    const wrongVersion = isDNS1035Label(version);
    if (!version) errors.push(invalidField(`${path}.apiVersion`, apiVersion, 'version must be specified'));
    else if (wrongVersion.length) errors.push(invalidField(`${path}.apiVersion`, version, wrongVersion.join(',')));
  }
  const wrongKind = kind ? isDNS1035Label(kind.toLowerCase()) : [];
  if (!kind) errors.push(required(`${path}.kind`));
  else if (wrongKind.length)
    errors.push(invalidField(`${path}.kind`, kind, `may have mixed case, but should otherwise match: ${wrongKind.join(',')}`));
}
