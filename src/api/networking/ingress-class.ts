/** upstream: pkg/registry/networking/ingressclass/strategy.go. */
import { IngressClass } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { equal } from '#machinery/meta';

export const ingressClassRules = defineKind<IngressClass>({
  kind: IngressClass,
  applyDefaults: ({ spec }) => {
    if (spec?.parameters) spec.parameters.scope ??= 'Cluster';
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
