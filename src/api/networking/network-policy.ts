/** upstream: pkg/registry/networking/networkpolicy/strategy.go. */
import { NetworkPolicy } from '../facts/kinds.ts';
import type { NetworkPolicyPeer } from '../facts/types.ts';
import { warningsForCIDR } from '#machinery/ip';
import { equal } from '#machinery/meta';
import { defineKind } from '../contract.ts';
import { validateNetworkPolicy } from './network-policy-validation.ts';
import { ageColumn, formatLabelSelector, text } from '../columns.ts';

function applyDefaults({ spec }: NetworkPolicy): void {
  if (!spec) return;
  for (const rules of [spec.ingress, spec.egress])
    for (const { ports } of rules ?? []) for (const port of ports ?? []) port.protocol ??= 'TCP';
  if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
}

function warningsForPeers(peers: NetworkPolicyPeer[] | undefined, path: string): string[] {
  return (peers ?? []).flatMap(({ ipBlock }, index) =>
    ipBlock
      ? [
          ...warningsForCIDR(`${path}[${index}].ipBlock.cidr`, ipBlock.cidr),
          ...(ipBlock.except ?? []).flatMap((except, position) => warningsForCIDR(`${path}[${index}].ipBlock.except[${position}]`, except)),
        ]
      : [],
  );
}

export const networkPolicyRules = defineKind<NetworkPolicy>({
  kind: NetworkPolicy,
  applyDefaults,
  validate: (policy) => validateNetworkPolicy(policy),
  validateUpdate: validateNetworkPolicy,
  generation: (policy, old) => !equal(policy.spec, old.spec),
  warnings: ({ spec }) => [
    ...(spec?.ingress ?? []).flatMap((rule, index) => warningsForPeers(rule.from, `spec.ingress[${index}].from`)),
    ...(spec?.egress ?? []).flatMap((rule, index) => warningsForPeers(rule.to, `spec.egress[${index}].to`)),
  ],
  columns: [text('Pod-Selector', (policy) => formatLabelSelector(policy.spec?.podSelector)), ageColumn],
});
