/** upstream: pkg/registry/networking/ipaddress/strategy.go. */
import { IPAddress } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';

function parent({ spec }: IPAddress): string {
  const reference = spec?.parentRef;
  if (!reference) return '<none>';
  const resource = (reference.group ? `${reference.resource}.${reference.group}` : reference.resource).toLowerCase();
  return [resource, reference.namespace, reference.name].filter(Boolean).join('/');
}

export const ipAddressRules = defineKind<IPAddress>({
  kind: IPAddress,
  columns: [text('ParentRef', parent), ageColumn],
});
