/** upstream: pkg/registry/storage/csistoragecapacity/strategy.go. */
import { CSIStorageCapacity } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { nameIsDNSSubdomain, validateLabelSelector } from '#machinery/names';
import { checkImmutable, checkSelector, invalidFor } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkNonnegativeAmount } from '../core/validation/resources.ts';
import { nameColumn } from '../columns.ts';
import { warningsForNodeSelector } from '../core/node-label-warnings.ts';

function validateCapacity(object: Partial<CSIStorageCapacity>, old?: CSIStorageCapacity): Errors {
  const errors: Errors = [];
  const { nodeTopology, storageClassName = '', capacity } = object;
  const allowInvalidLabelValue = old ? validateLabelSelector(old.nodeTopology, '').length > 0 : false;
  checkSelector(errors, 'nodeTopology', nodeTopology, { allowInvalidLabelValue });
  invalidFor(errors, 'storageClassName', storageClassName, nameIsDNSSubdomain(storageClassName, false));
  if (capacity !== undefined) checkNonnegativeAmount(errors, 'capacity', capacity);
  if (!old) return errors;
  checkImmutable(errors, 'nodeTopology', nodeTopology, old.nodeTopology);
  checkImmutable(errors, 'storageClassName', storageClassName, old.storageClassName);
  return errors;
}

export const csiStorageCapacityRules = defineKind<CSIStorageCapacity>({
  kind: CSIStorageCapacity,
  validate: (capacity) => validateCapacity(capacity),
  validateUpdate: validateCapacity,
  allowUnconditionalUpdate: false,
  warnings: (capacity) => warningsForNodeSelector(capacity.nodeTopology, 'nodeTopology'),
  columns: [
    nameColumn,
    // Upstream has no printer for it. upstream: apiserver/pkg/registry/rest/table.go.
    { name: 'Created At', type: 'date', cell: ({ metadata }) => metadata?.creationTimestamp ?? '' },
  ],
});
