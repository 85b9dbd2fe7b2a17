/** upstream: pkg/registry/storage/storageclass/strategy.go. */
import { StorageClass } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { nodeLabelDeprecation } from '../core/node-label-warnings.ts';

const isDefault = (storageClass: StorageClass): boolean =>
  ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'].some(
    (annotation) => storageClass.metadata?.annotations?.[annotation] === 'true',
  );

function warnings(storageClass: StorageClass): string[] {
  const texts: string[] = [];
  for (const [index, topology] of (storageClass.allowedTopologies ?? []).entries())
    for (const [position, { key }] of (topology.matchLabelExpressions ?? []).entries()) {
      const message = nodeLabelDeprecation(key);
      if (message) texts.push(`allowedTopologies[${index}].matchLabelExpressions[${position}].key: ${message}`);
    }
  return texts;
}

export const storageClassRules = defineKind<StorageClass>({
  kind: StorageClass,
  applyDefaults: (storageClass) => {
    storageClass.reclaimPolicy ??= 'Delete';
    storageClass.volumeBindingMode ??= 'Immediate';
  },
  warnings,
  columns: [
    { ...nameColumn, cell: (storageClass) => `${storageClass.metadata?.name ?? ''}${isDefault(storageClass) ? ' (default)' : ''}` },
    text('Provisioner', (storageClass) => storageClass.provisioner),
    text('ReclaimPolicy', (storageClass) => storageClass.reclaimPolicy ?? 'Delete'),
    text('VolumeBindingMode', (storageClass) => storageClass.volumeBindingMode ?? 'Immediate'),
    text('AllowVolumeExpansion', (storageClass) => storageClass.allowVolumeExpansion ?? false),
    ageColumn,
  ],
});
