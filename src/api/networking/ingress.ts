/** upstream: pkg/registry/networking/ingress/strategy.go. */
import { Ingress } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';
import { classAnnotation, validateIngress, validateIngressStatus, validateIngressUpdate } from './ingress-validation.ts';
import { loadBalancerAddresses, loadBalancerWarnings } from './load-balancer-text.ts';

const shownHosts = 3;

function hosts({ spec }: Ingress): string {
  const list: string[] = [];
  let more = false;
  for (const { host } of spec?.rules ?? []) {
    if (list.length === shownHosts) more = true;
    if (!more && host) list.push(host);
  }
  if (list.length === 0) return '*';
  return more ? `${list.join(',')} + ${spec!.rules!.length - shownHosts} more...` : list.join(',');
}

export const ingressRules = defineKind<Ingress>({
  kind: Ingress,
  prepareForCreate: (ingress) => {
    ingress.status = { loadBalancer: {} };
  },
  prepareForUpdate: keepStatus,
  validate: validateIngress,
  validateUpdate: validateIngressUpdate,
  subresources: {
    status: {
      prepareForUpdate: keepSpec,
      validateUpdate: validateIngressStatus,
      warnings: ({ status }) => loadBalancerWarnings(status?.loadBalancer?.ingress),
    },
  },
  warnings: (ingress, old) =>
    !old && ingress.metadata?.annotations?.[classAnnotation] !== undefined && ingress.spec?.ingressClassName === undefined
      ? [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`]
      : [],
  columns: [
    text('Class', (ingress) => ingress.spec?.ingressClassName ?? '<none>'),
    text('Hosts', hosts),
    text('Address', (ingress) => loadBalancerAddresses(ingress.status?.loadBalancer?.ingress).join(',')),
    text('Ports', (ingress) => (ingress.spec?.tls?.length ? '80, 443' : '80')),
    ageColumn,
  ],
});
