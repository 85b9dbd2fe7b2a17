/** upstream: pkg/registry/networking/servicecidr/strategy.go. */
import { ServiceCIDR } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { keepMetadata, keepSpec } from '../strategy.ts';

export const serviceCIDRRules = defineKind<ServiceCIDR>({
  kind: ServiceCIDR,
  // Upstream's strategy leaves the status as it comes, at creation and at updates.
  prepareForCreate: () => undefined,
  prepareForUpdate: () => undefined,
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
