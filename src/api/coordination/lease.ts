/** upstream: pkg/registry/coordination/lease/strategy.go. */
import { Lease } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { isQualifiedName } from '#machinery/names';
import { forbiddenField, invalidField, invalidFor, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { ageColumn, text } from '../columns.ts';

/** Coordinated election is behind a feature gate that is off by default. */
function dropCoordination(lease: Lease, old?: Lease): void {
  if (old?.spec?.strategy == null) delete lease.spec?.strategy;
  if (old?.spec?.preferredHolder == null) delete lease.spec?.preferredHolder;
}

function validateLease({ spec }: Lease): Errors {
  if (!spec) return [];
  const errors: Errors = [];
  const { leaseDurationSeconds: duration, leaseTransitions: transitions, strategy, preferredHolder } = spec;
  if (duration !== undefined && duration <= 0) errors.push(invalidField('spec.leaseDurationSeconds', duration, 'must be greater than 0'));
  if (transitions !== undefined && transitions < 0)
    errors.push(invalidField('spec.leaseTransitions', transitions, 'must be greater than or equal to 0'));
  if (strategy !== undefined) {
    const path = 'spec.strategy.strategy';
    if (strategy.includes('/')) invalidFor(errors, path, strategy, isQualifiedName(strategy));
    else if (strategy !== 'OldestEmulationVersion') errors.push(unsupported(path, strategy, ['OldestEmulationVersion']));
  }
  if (preferredHolder && !strategy) errors.push(forbiddenField('spec.preferredHolder', 'may only be specified if `strategy` is defined'));
  return errors;
}

export const leaseRules = defineKind<Lease>({
  kind: Lease,
  prepareForCreate: (lease) => dropCoordination(lease),
  prepareForUpdate: dropCoordination,
  validate: validateLease,
  validateUpdate: validateLease,
  generation: false,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  columns: [text('Holder', (lease) => lease.spec?.holderIdentity ?? ''), ageColumn],
});
