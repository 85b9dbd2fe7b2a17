/** upstream: pkg/registry/resource/resourceclaimtemplate/strategy.go. */
import { ResourceClaimTemplate } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn } from '../columns.ts';
import { claimTemplateHasExpressions, validateClaimTemplate, validateClaimTemplateUpdate } from './claim-validation.ts';
import { defaultClaimSpec, dropDisabledClaimFields } from './device-requests.ts';

export const resourceClaimTemplateRules = defineKind<ResourceClaimTemplate>({
  kind: ResourceClaimTemplate,
  applyDefaults: (template) => defaultClaimSpec(template.spec?.spec),
  prepareForCreate: (template) => dropDisabledClaimFields(template.spec?.spec),
  prepareForUpdate: (template, old) => dropDisabledClaimFields(template.spec?.spec, old.spec?.spec),
  validate: validateClaimTemplate,
  validateUpdate: validateClaimTemplateUpdate,
  hasExpressions: claimTemplateHasExpressions,
  columns: [ageColumn],
});
