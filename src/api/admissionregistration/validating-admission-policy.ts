/** upstream: pkg/registry/admissionregistration/validatingadmissionpolicy/strategy.go. */
import { ValidatingAdmissionPolicy } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, integer, text } from '../columns.ts';
import { clearStatus, keepMetadata, keepSpec, keepStatus } from '../strategy.ts';
import { defaultMatchResources } from './defaults.ts';
import { validatePolicy, validatePolicyStatus } from './policy-validation.ts';

export const validatingAdmissionPolicyRules = defineKind<ValidatingAdmissionPolicy>({
  kind: ValidatingAdmissionPolicy,
  statusResetFields: ['metadata', 'spec'],
  applyDefaults: (policy) => {
    const spec = (policy.spec ??= {});
    spec.failurePolicy ??= 'Fail';
    defaultMatchResources(spec.matchConstraints);
  },
  prepareForCreate: clearStatus,
  prepareForUpdate: keepStatus,
  validate: (policy, expressions) => validatePolicy(policy, undefined, expressions),
  validateUpdate: validatePolicy,
  hasExpressions: () => true,
  subresources: {
    status: {
      validateUpdate: validatePolicyStatus,
      prepareForUpdate: (policy, old) => {
        keepSpec(policy, old);
        keepMetadata(policy, old);
      },
    },
  },
  allowUnconditionalUpdate: false,
  columns: [
    integer('Validations', (policy) => policy.spec?.validations?.length ?? 0),
    text('ParamKind', ({ spec }) => (spec?.paramKind ? `${spec.paramKind.apiVersion ?? ''}/${spec.paramKind.kind ?? ''}` : '<unset>')),
    ageColumn,
  ],
});
