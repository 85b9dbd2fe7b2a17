/** upstream: pkg/registry/coordination/lease/strategy.go. */
import { Lease } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';

/** Coordinated election is behind a feature gate that is off by default. */
function dropCoordination(lease: Lease, old?: Lease): void {
  if (old?.spec?.strategy == null) delete lease.spec?.strategy;
  if (old?.spec?.preferredHolder == null) delete lease.spec?.preferredHolder;
}

export const leaseRules = defineKind<Lease>({
  kind: Lease,
  prepareForCreate: (lease) => dropCoordination(lease),
  prepareForUpdate: dropCoordination,
  generation: false,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  columns: [text('Holder', (lease) => lease.spec?.holderIdentity ?? ''), ageColumn],
});
