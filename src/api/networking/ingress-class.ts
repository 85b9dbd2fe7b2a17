/** upstream: pkg/registry/networking/ingressclass/strategy.go. */
import { IngressClass } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { equal } from '#machinery/meta';
import { byteLength, isDomainPrefixedPath, validateNamespaceName } from '#machinery/names';
import { checkImmutable, forbiddenField, invalidFor, required, tooLong, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkLocalReference } from './ingress-validation.ts';

const longestController = 250;

function validateIngressClass({ spec }: IngressClass): Errors {
  const errors: Errors = [];
  const controller = spec?.controller ?? '';
  if (byteLength(controller) > longestController) errors.push(tooLong('spec.controller', longestController));
  errors.push(...isDomainPrefixedPath('spec.controller', controller));
  const parameters = spec?.parameters;
  if (!parameters) return errors;
  const path = 'spec.parameters';
  checkLocalReference(errors, path, parameters);
  const { scope, namespace } = parameters;
  if (scope == null) errors.push(required(`${path}.scope`));
  else if (scope === 'Namespace') {
    if (namespace === undefined) errors.push(required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"));
    else invalidFor(errors, `${path}.namespace`, namespace, validateNamespaceName(namespace, false));
  } else if (scope !== 'Cluster') errors.push(unsupported(`${path}.scope`, scope, ['Cluster', 'Namespace']));
  else if (namespace !== undefined) errors.push(forbiddenField(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  return errors;
}

export const ingressClassRules = defineKind<IngressClass>({
  kind: IngressClass,
  applyDefaults: ({ spec }) => {
    if (spec?.parameters) spec.parameters.scope ??= 'Cluster';
  },
  validate: validateIngressClass,
  validateUpdate: (ingressClass, old) => {
    const errors: Errors = [];
    checkImmutable(errors, 'spec.controller', ingressClass.spec?.controller ?? '', old.spec?.controller ?? '');
    return [...errors, ...validateIngressClass(ingressClass)];
  },
  generation: (ingressClass, old) => !equal(ingressClass.spec, old.spec),
  columns: [
    text('Controller', (ingressClass) => ingressClass.spec?.controller ?? ''),
    text('Parameters', ({ spec }) => {
      const parameters = spec?.parameters;
      if (!parameters) return '<none>';
      const kind = parameters.apiGroup === undefined ? parameters.kind : `${parameters.kind}.${parameters.apiGroup}`;
      return `${kind}/${parameters.name}`;
    }),
    ageColumn,
  ],
});
