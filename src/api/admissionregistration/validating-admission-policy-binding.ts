/** upstream: pkg/registry/admissionregistration/validatingadmissionpolicybinding/strategy.go. */
import { ValidatingAdmissionPolicyBinding } from '../facts/kinds.ts';
import { equal } from '#machinery/meta';
import { defineKind } from '../contract.ts';
import { ageColumn, formatLabelSelector, text } from '../columns.ts';
import { defaultMatchResources } from './defaults.ts';
import { validatePolicyBinding } from './policy-validation.ts';

function parameter({ spec }: ValidatingAdmissionPolicyBinding): string {
  const reference = spec?.paramRef;
  if (reference?.name) return `${reference.namespace || '*'}/${reference.name}`;
  return reference?.selector ? formatLabelSelector(reference.selector) : '<unset>';
}

export const validatingAdmissionPolicyBindingRules = defineKind<ValidatingAdmissionPolicyBinding>({
  kind: ValidatingAdmissionPolicyBinding,
  applyDefaults: ({ spec }) => defaultMatchResources(spec?.matchResources),
  validate: validatePolicyBinding,
  validateUpdate: validatePolicyBinding,
  generation: (binding, old) => !equal(binding.spec, old.spec),
  allowUnconditionalUpdate: false,
  columns: [text('PolicyName', (binding) => binding.spec?.policyName ?? ''), text('ParamRef', parameter), ageColumn],
});
