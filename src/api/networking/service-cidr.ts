/** upstream: pkg/registry/networking/servicecidr/strategy.go. */
import { ServiceCIDR } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { parseNetworkLoosely, validateCIDR } from '#machinery/ip';
import { fieldImmutable } from '#machinery/names';
import { invalidField, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { ageColumn, text } from '../columns.ts';
import { keepMetadata, keepSpec } from '../strategy.ts';

function validateServiceCIDR({ spec }: ServiceCIDR): Errors {
  const path = 'spec.cidrs';
  const cidrs = spec?.cidrs ?? [];
  if (cidrs.length === 0) return [required(path, 'at least one CIDR required')];
  if (cidrs.length > 2) return [invalidField(path, { CIDRs: cidrs }, 'may only hold up to 2 values')];
  const errors: Errors = cidrs.flatMap((cidr, index) => validateCIDR(`${path}[${index}]`, cidr));
  const [first, second] = cidrs.map((cidr) => parseNetworkLoosely(cidr)?.family);
  if (cidrs.length === 2 && first !== undefined && first === second)
    errors.push(invalidField(path, cidrs, 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64'));
  return errors;
}

/** A range of the other family may be added, nothing else. */
function validateServiceCIDRUpdate(range: ServiceCIDR, old: ServiceCIDR): Errors {
  const cidrs = range.spec?.cidrs ?? [];
  const before = old.spec?.cidrs ?? [];
  const grows = before.length === 1 && cidrs.length === 2;
  if (before.length !== cidrs.length && !grows) return [invalidField('spec.cidrs', cidrs, fieldImmutable)];
  const errors: Errors = before.flatMap((cidr, index) =>
    cidr === cidrs[index] ? [] : [invalidField(`spec.cidrs[${index}]`, cidrs[index], fieldImmutable)],
  );
  return grows ? [...errors, ...validateServiceCIDR(range)] : errors;
}

export const serviceCIDRRules = defineKind<ServiceCIDR>({
  kind: ServiceCIDR,
  // Upstream's strategy leaves the status as it comes, at creation and at updates.
  prepareForCreate: () => undefined,
  prepareForUpdate: () => undefined,
  validate: validateServiceCIDR,
  validateUpdate: validateServiceCIDRUpdate,
  subresources: {
    status: {
      prepareForUpdate: (range, old) => {
        keepSpec(range, old);
        keepMetadata(range, old);
      },
    },
  },
  generation: false,
  columns: [text('CIDRs', (range) => (range.spec?.cidrs ?? []).join(',')), ageColumn],
});
