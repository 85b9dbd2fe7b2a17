/** upstream: ValidateResourceQuota in pkg/apis/core/validation. */
import { fieldImmutable } from '#machinery/names';
import { invalidField, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { ResourceQuota, ResourceQuotaSpec } from '../facts/types.ts';
import type { ResourceList } from './resource-list.ts';
import { checkResourceAmount, checkResourceName, isStandardQuotaResource } from './validation/resources.ts';

export function checkQuotaAmounts(errors: Errors, path: string, list: ResourceList | undefined): void {
  for (const name in list) {
    const at = `${path}[${name}]`;
    checkResourceName(errors, at, name);
    if (!name.includes('/') && !isStandardQuotaResource(name)) errors.push(invalidField(at, name, 'must be a standard resource for quota'));
    checkResourceAmount(errors, at, name, list[name]!);
  }
}

const standardScopes = new Set([
  'Terminating',
  'NotTerminating',
  'BestEffort',
  'NotBestEffort',
  'PriorityClass',
  'VolumeAttributesClass',
  'CrossNamespacePodAffinity',
]);
const podCounts = new Set(['pods']);
const podCompute = new Set(['pods', 'cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory']);
const claims = new Set(['persistentvolumeclaims', 'requests.storage']);

function scopeFits(scope: string, resource: string): boolean {
  if (scope === 'BestEffort') return podCounts.has(resource);
  if (scope === 'VolumeAttributesClass') return claims.has(resource);
  return !standardScopes.has(scope) || podCompute.has(resource);
}

const conflicting: [string, string][] = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
];

function checkScope(errors: Errors, path: string, value: unknown, scope: string, spec: ResourceQuotaSpec): void {
  for (const name of Object.keys(spec.hard ?? {}).sort())
    if (isStandardQuotaResource(name) && !scopeFits(scope, name))
      errors.push(invalidField(path, value, 'unsupported scope applied to resource'));
}

function checkConflicts(errors: Errors, path: string, scopes: ReadonlySet<string>, spec: ResourceQuotaSpec): void {
  for (const [one, other] of conflicting)
    if (scopes.has(one) && scopes.has(other)) errors.push(invalidField(path, spec.scopes ?? null, 'conflicting scopes'));
}

function checkScopeSelector(errors: Errors, path: string, spec: ResourceQuotaSpec): void {
  const scopes = new Set<string>();
  for (const { scopeName = '', operator, values = [] } of spec.scopeSelector?.matchExpressions ?? []) {
    if (!standardScopes.has(scopeName)) errors.push(invalidField(`${path}.scopeName`, scopeName, 'unsupported scope'));
    checkScope(errors, path, spec.scopeSelector, scopeName, spec);
    if (standardScopes.has(scopeName) && scopeName !== 'PriorityClass' && scopeName !== 'VolumeAttributesClass' && operator !== 'Exists')
      errors.push(
        invalidField(
          `${path}.operator`,
          operator,
          "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
        ),
      );
    if (operator === 'In' || operator === 'NotIn') {
      if (!values.length)
        errors.push(required(`${path}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"));
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length)
        errors.push(
          invalidField(`${path}.values`, values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"),
        );
    } else errors.push(invalidField(`${path}.operator`, operator ?? '', 'not a valid selector operator'));
    scopes.add(scopeName);
  }
  checkConflicts(errors, path, scopes, spec);
}

function checkQuota(errors: Errors, { spec = {} }: ResourceQuota): void {
  checkQuotaAmounts(errors, 'spec.hard', spec.hard);
  const scopes = spec.scopes ?? [];
  for (const scope of scopes) {
    if (!standardScopes.has(scope)) errors.push(invalidField('spec.scopes', scopes, 'unsupported scope'));
    checkScope(errors, 'spec.scopes', scopes, scope, spec);
  }
  checkConflicts(errors, 'spec.scopes', new Set(scopes), spec);
  if (spec.scopeSelector) checkScopeSelector(errors, 'spec.scopeSelector.matchExpressions', spec);
}

export function validateResourceQuota(quota: ResourceQuota): Errors {
  const errors: Errors = [];
  checkQuota(errors, quota);
  return [...errors, ...validateResourceQuotaStatus(quota)];
}

export function validateResourceQuotaUpdate(quota: ResourceQuota, old: ResourceQuota): Errors {
  const errors: Errors = [];
  checkQuota(errors, quota);
  const scopes = (each: ResourceQuota): string => [...new Set(each.spec?.scopes)].sort().join(',');
  if (scopes(quota) !== scopes(old)) errors.push(invalidField('spec.scopes', quota.spec?.scopes ?? null, fieldImmutable));
  return errors;
}

export function validateResourceQuotaStatus({ status }: ResourceQuota): Errors {
  const errors: Errors = [];
  checkQuotaAmounts(errors, 'status.hard', status?.hard);
  checkQuotaAmounts(errors, 'status.used', status?.used);
  return errors;
}
