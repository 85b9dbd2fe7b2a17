/** upstream: pkg/registry/core/persistentvolumeclaim/strategy.go, pkg/api/persistentvolumeclaim. */
import { PersistentVolumeClaim } from '../facts/kinds.ts';
import type { PersistentVolumeClaimSpec } from '../facts/types.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';
import { accessModesText, storageClassAnnotation } from './access-modes.ts';
import { warningsForClaimSpec } from './claim-warnings.ts';
import { defaultPersistentVolumeClaim } from './persistent-volume-claim-defaults.ts';
import {
  validatePersistentVolumeClaim,
  validatePersistentVolumeClaimStatus,
  validatePersistentVolumeClaimUpdate,
} from './persistent-volume-claim-validation.ts';

/** The old field of a claim's data source takes claims and snapshots alone. */
const isClaimOrSnapshot = (source: PersistentVolumeClaimSpec['dataSource']): boolean =>
  (source?.kind === 'PersistentVolumeClaim' && !source.apiGroup) ||
  (source?.kind === 'VolumeSnapshot' && source.apiGroup === 'snapshot.storage.k8s.io');

/** The two fields for a data source say the same, where both can. upstream: NormalizeDataSources. */
function prepareDataSource(spec: PersistentVolumeClaimSpec, old?: PersistentVolumeClaimSpec): void {
  // Sources in other namespaces are behind a feature gate that is off by default.
  if (spec.dataSourceRef?.namespace && !old?.dataSourceRef) delete spec.dataSourceRef;
  if (!old?.dataSource && !old?.dataSourceRef && !spec.dataSourceRef && !isClaimOrSnapshot(spec.dataSource)) delete spec.dataSource;
  if (spec.dataSource && !spec.dataSourceRef) spec.dataSourceRef = { ...spec.dataSource };
  else if (spec.dataSourceRef && !spec.dataSource && !spec.dataSourceRef.namespace) {
    const { apiGroup, kind, name } = spec.dataSourceRef;
    spec.dataSource = { ...(apiGroup !== undefined && { apiGroup }), kind, name };
  }
}

function warnings(claim: PersistentVolumeClaim): string[] {
  const texts = warningsForClaimSpec(claim.spec, 'spec');
  if (claim.metadata?.annotations?.[storageClassAnnotation] === undefined) return texts;
  return [`metadata.annotations[${storageClassAnnotation}]: deprecated since v1.8; use "storageClassName" attribute instead`, ...texts];
}

export const persistentVolumeClaimRules = defineKind<PersistentVolumeClaim>({
  kind: PersistentVolumeClaim,
  applyDefaults: defaultPersistentVolumeClaim,
  prepareForCreate: (claim) => {
    claim.status = { phase: 'Pending' };
    prepareDataSource((claim.spec ??= {}));
  },
  prepareForUpdate: (claim, old) => {
    keepStatus(claim, old);
    prepareDataSource((claim.spec ??= {}), old.spec);
  },
  validate: (claim) => validatePersistentVolumeClaim(claim),
  validateUpdate: validatePersistentVolumeClaimUpdate,
  subresources: { status: { prepareForUpdate: keepSpec, validateUpdate: validatePersistentVolumeClaimStatus } },
  warnings,
  generation: false,
  columns: [
    text('Status', (claim) => (claim.metadata?.deletionTimestamp ? 'Terminating' : (claim.status?.phase ?? ''))),
    text('Volume', (claim) => claim.spec?.volumeName ?? ''),
    text('Capacity', (claim) => (claim.spec?.volumeName ? String(claim.status?.capacity?.['storage'] ?? '0') : '')),
    text('Access Modes', (claim) => (claim.spec?.volumeName ? accessModesText(claim.status?.accessModes) : '')),
    text('StorageClass', (claim) => claim.metadata?.annotations?.[storageClassAnnotation] ?? claim.spec?.storageClassName ?? ''),
    text('VolumeAttributesClass', (claim) => claim.spec?.volumeAttributesClassName ?? '<unset>'),
    ageColumn,
    text('VolumeMode', (claim) => claim.spec?.volumeMode ?? '<unset>', 1),
  ],
});
