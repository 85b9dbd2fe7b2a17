/** upstream: pkg/registry/networking/ipaddress/strategy.go. */
import { IPAddress } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { validateIP } from '#machinery/ip';
import { nameIsPathSegment } from '#machinery/names';
import { checkImmutable, checkName, checkSubdomain, invalidFor, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { nameColumn, text } from '../columns.ts';

function parent({ spec }: IPAddress): string {
  const reference = spec?.parentRef;
  if (!reference) return '<none>';
  const resource = (reference.group ? `${reference.resource ?? ''}.${reference.group}` : (reference.resource ?? '')).toLowerCase();
  return [resource, reference.namespace, reference.name].filter(Boolean).join('/');
}

function validateIPAddress({ spec }: IPAddress): Errors {
  const errors: Errors = [];
  const reference = spec?.parentRef;
  const path = 'spec.parentRef';
  if (!reference) return [required(path)];
  if (reference.group) checkSubdomain(errors, `${path}.group`, reference.group);
  checkName(errors, `${path}.resource`, reference.resource, nameIsPathSegment);
  checkName(errors, `${path}.name`, reference.name, nameIsPathSegment);
  if (reference.namespace) invalidFor(errors, `${path}.namespace`, reference.namespace, nameIsPathSegment(reference.namespace, false));
  return errors;
}

const detail = (message: string): string => message.slice(message.indexOf(': must') + 2);

export const ipAddressRules = defineKind<IPAddress>({
  kind: IPAddress,
  // The name is the address.
  generatesNames: false,
  validateName: (name) => validateIP('', name).map(({ message }) => detail(message)),
  validate: validateIPAddress,
  validateUpdate: (address, old) => {
    const errors = validateIPAddress(address);
    checkImmutable(errors, 'spec.parentRef', address.spec?.parentRef, old.spec?.parentRef);
    return errors;
  },
  columns: [nameColumn, text('ParentRef', parent)],
});
