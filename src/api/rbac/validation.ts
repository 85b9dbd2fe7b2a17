/** upstream: pkg/apis/rbac/validation. */
import { nameIsDNSSubdomain, nameIsPathSegment, validateLabelSelector } from '#machinery/names';
import { equal } from '#machinery/meta';
import { checkName, checkSelector, invalidField, invalidFor, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../facts/kinds.ts';
import type { PolicyRule, RoleRef, Subject } from '../facts/types.ts';
import { rbacGroup } from './subjects.ts';

function checkRule(errors: Errors, path: string, rule: Partial<PolicyRule>, namespaced: boolean): void {
  const { verbs, nonResourceURLs, apiGroups, resources, resourceNames } = rule;
  if (!verbs?.length) errors.push(required(`${path}.verbs`, 'verbs must contain at least one value'));
  if (nonResourceURLs?.length) {
    const at = `${path}.nonResourceURLs`;
    if (namespaced) errors.push(invalidField(at, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'));
    if (apiGroups?.length || resources?.length || resourceNames?.length)
      errors.push(invalidField(at, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'));
    return;
  }
  if (!apiGroups?.length) errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  if (!resources?.length) errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
}

export function validateRole({ rules }: Role): Errors {
  const errors: Errors = [];
  for (const [index, rule] of (rules ?? []).entries()) checkRule(errors, `rules[${index}]`, rule, true);
  return errors;
}

export function validateClusterRole({ rules, aggregationRule }: ClusterRole, old?: ClusterRole): Errors {
  const errors: Errors = [];
  for (const [index, rule] of (rules ?? []).entries()) checkRule(errors, `rules[${index}]`, rule, false);
  if (!aggregationRule) return errors;
  const path = 'aggregationRule.clusterRoleSelectors';
  const selectors = aggregationRule.clusterRoleSelectors ?? [];
  if (selectors.length === 0) errors.push(required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil'));
  const allowInvalidLabelValue = (old?.aggregationRule?.clusterRoleSelectors ?? []).some(
    (selector) => validateLabelSelector(selector, '').length > 0,
  );
  for (const [index, selector] of selectors.entries()) {
    const before = errors.length;
    checkSelector(errors, `${path}[${index}]`, selector, { allowInvalidLabelValue });
    if (errors.length > before) errors.push(invalidField(`${path}[${index}]`, null, 'invalid label selector.'));
  }
  return errors;
}

function checkSubject(errors: Errors, path: string, subject: Partial<Subject>, namespaced: boolean): void {
  const { kind = '', name = '', apiGroup = '', namespace = '' } = subject;
  if (!name) errors.push(required(`${path}.name`));
  if (kind === 'ServiceAccount') {
    if (name) invalidFor(errors, `${path}.name`, name, nameIsDNSSubdomain(name, false));
    if (apiGroup) errors.push(unsupported(`${path}.apiGroup`, apiGroup, ['']));
    if (!namespaced && !namespace) errors.push(required(`${path}.namespace`));
  } else if (kind === 'User' || kind === 'Group') {
    if (apiGroup !== rbacGroup) errors.push(unsupported(`${path}.apiGroup`, apiGroup, [rbacGroup]));
  } else errors.push(unsupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group']));
}

interface Binding {
  roleRef?: Partial<RoleRef>;
  subjects?: Subject[];
}

function validateBinding({ roleRef = {}, subjects }: Binding, old: Binding | undefined, kinds: string[], namespaced: boolean): Errors {
  const errors: Errors = [];
  const { apiGroup = '', kind = '', name = '' } = roleRef;
  if (apiGroup !== rbacGroup) errors.push(unsupported('roleRef.apiGroup', apiGroup, [rbacGroup]));
  if (!kinds.includes(kind)) errors.push(unsupported('roleRef.kind', kind, kinds));
  checkName(errors, 'roleRef.name', name, nameIsPathSegment);
  for (const [index, subject] of (subjects ?? []).entries()) checkSubject(errors, `subjects[${index}]`, subject, namespaced);
  if (old && !equal(roleRef, old.roleRef))
    errors.push(invalidField('roleRef', { APIGroup: apiGroup, Kind: kind, Name: name }, 'cannot change roleRef'));
  return errors;
}

export const validateRoleBinding = (binding: RoleBinding, old?: RoleBinding): Errors =>
  validateBinding(binding, old, ['Role', 'ClusterRole'], true);

export const validateClusterRoleBinding = (binding: ClusterRoleBinding, old?: ClusterRoleBinding): Errors =>
  validateBinding(binding, old, ['ClusterRole'], false);
