/** upstream: pkg/registry/storage/csistoragecapacity/strategy.go. */
import { CSIStorageCapacity } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { nameColumn, text } from '../columns.ts';
import { warningsForNodeSelector } from '../core/node-label-warnings.ts';

export const csiStorageCapacityRules = defineKind<CSIStorageCapacity>({
  kind: CSIStorageCapacity,
  allowUnconditionalUpdate: false,
  warnings: (capacity) => warningsForNodeSelector(capacity.nodeTopology, 'nodeTopology'),
  columns: [
    nameColumn,
    text('StorageClassName', (capacity) => capacity.storageClassName),
    text('Capacity', ({ capacity }) => (capacity === undefined ? '<unset>' : String(capacity))),
  ],
});
