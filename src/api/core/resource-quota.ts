/** upstream: pkg/registry/core/resourcequota/strategy.go. */
import { ResourceQuota } from '../facts/kinds.ts';
import { canonicalize, compareQuantities, isQuantity } from '#machinery/quantity';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { clearStatus, keepSpec, keepStatus } from '../strategy.ts';
import { canonicalResources } from './resource-list.ts';
import { validateResourceQuota, validateResourceQuotaStatus, validateResourceQuotaUpdate } from './resource-quota-validation.ts';

/** "cpu: 1/2, memory: 1Gi/4Gi" of the limits or of all the others. */
function usage({ status }: ResourceQuota, limits: boolean): string {
  return Object.keys(status?.hard ?? {})
    .filter((name) => name.startsWith('limits.') === limits)
    .sort()
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${status?.hard?.[name] ?? '0'}`)
    .join(', ');
}

function warnings(quota: ResourceQuota, old?: ResourceQuota): string[] {
  if (old) return [];
  const hard = quota.spec?.hard ?? {};
  const texts: string[] = [];
  for (const resource of ['cpu', 'memory', 'storage', 'ephemeral-storage']) {
    let name = `requests.${resource}`;
    if (hard[name] === undefined && (resource === 'cpu' || resource === 'memory') && hard[resource] !== undefined) name = resource;
    const request = hard[name];
    const limit = hard[`limits.${resource}`];
    if (isQuantity(request) && isQuantity(limit) && compareQuantities(request!, limit!) > 0)
      texts.push(`ResourceQuota ${name} (${canonicalize(request!)}) should be less than limits.${resource} (${canonicalize(limit!)})`);
  }
  return texts;
}

export const resourceQuotaRules = defineKind<ResourceQuota>({
  kind: ResourceQuota,
  applyDefaults: (quota) => {
    for (const list of [quota.spec?.hard, quota.status?.hard, quota.status?.used]) if (list) canonicalResources(list);
  },
  prepareForCreate: clearStatus,
  prepareForUpdate: keepStatus,
  validate: validateResourceQuota,
  validateUpdate: validateResourceQuotaUpdate,
  subresources: { status: { prepareForUpdate: keepSpec, validateUpdate: validateResourceQuotaStatus } },
  warnings,
  generation: false,
  columns: [text('Request', (quota) => usage(quota, false)), text('Limit', (quota) => usage(quota, true)), ageColumn],
});
