/** upstream: pkg/registry/core/persistentvolume/strategy.go, pkg/api/persistentvolume. */
import { PersistentVolume } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { keepSpec, keepStatus, timeOf } from '../strategy.ts';
import { accessModesText, storageClassAnnotation } from './access-modes.ts';
import { warningsForNodeSelectorTerm } from './node-label-warnings.ts';
import { defaultAzureDisk, defaultIscsi, defaultRbd, defaultScaleIO } from './pod-spec-defaults.ts';
import { canonicalResources } from './resource-list.ts';
import { validatePersistentVolume, validatePersistentVolumeUpdate } from './persistent-volume-validation.ts';

function applyDefaults(volume: PersistentVolume): void {
  const status = (volume.status ??= {});
  status.phase ||= 'Pending';
  const { spec } = volume;
  if (!spec) return;
  spec.persistentVolumeReclaimPolicy ||= 'Retain';
  spec.volumeMode ??= 'Filesystem';
  if (spec.capacity) canonicalResources(spec.capacity);
  if (spec.hostPath) spec.hostPath.type ??= '';
  if (spec.rbd) defaultRbd(spec.rbd);
  if (spec.iscsi) defaultIscsi(spec.iscsi);
  if (spec.azureDisk) defaultAzureDisk(spec.azureDisk);
  if (spec.scaleIO) defaultScaleIO(spec.scaleIO);
}

const deprecatedAnnotations: [string, string][] = [
  [storageClassAnnotation, 'deprecated since v1.8; use "storageClassName" attribute instead'],
  ['volume.beta.kubernetes.io/mount-options', 'deprecated since v1.31; use "mountOptions" attribute instead'],
];
const deprecatedSources: [keyof NonNullable<PersistentVolume['spec']>, string, string][] = [
  ['cephfs', 'cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['photonPersistentDisk', 'photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['scaleIO', 'scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['storageos', 'storageOS', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['rbd', 'rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];

function warnings(volume: PersistentVolume): string[] {
  const texts: string[] = [];
  for (const [key, message] of deprecatedAnnotations)
    if (volume.metadata?.annotations?.[key] !== undefined) texts.push(`metadata.annotations[${key}]: ${message}`);
  const { spec } = volume;
  if (spec?.persistentVolumeReclaimPolicy === 'Recycle')
    texts.push(
      'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
    );
  for (const [index, term] of (spec?.nodeAffinity?.required?.nodeSelectorTerms ?? []).entries())
    texts.push(...warningsForNodeSelectorTerm(term, false, `spec.nodeAffinity.required.nodeSelectorTerms[${index}]`));
  for (const [source, name, message] of deprecatedSources) if (spec?.[source]) texts.push(`spec.${name}: ${message}`);
  return texts;
}

export const persistentVolumeRules = defineKind<PersistentVolume>({
  kind: PersistentVolume,
  applyDefaults,
  prepareForCreate: (volume, context) => {
    volume.status = { phase: 'Pending', lastPhaseTransitionTime: timeOf(context.now) };
  },
  prepareForUpdate: keepStatus,
  validate: (volume) => validatePersistentVolume(volume),
  validateUpdate: validatePersistentVolumeUpdate,
  subresources: {
    status: {
      prepareForUpdate: (volume, old, context) => {
        keepSpec(volume, old);
        const status = (volume.status ??= {});
        const before = old.status ?? {};
        if (status.phase === before.phase) {
          if (!status.lastPhaseTransitionTime && before.lastPhaseTransitionTime)
            status.lastPhaseTransitionTime = before.lastPhaseTransitionTime;
        } else if (!status.lastPhaseTransitionTime || status.lastPhaseTransitionTime === before.lastPhaseTransitionTime)
          status.lastPhaseTransitionTime = timeOf(context.now);
      },
    },
  },
  warnings,
  generation: false,
  columns: [
    text('Capacity', (volume) => String(volume.spec?.capacity?.['storage'] ?? '0')),
    text('Access Modes', (volume) => accessModesText(volume.spec?.accessModes)),
    text('Reclaim Policy', (volume) => volume.spec?.persistentVolumeReclaimPolicy ?? ''),
    text('Status', (volume) => (volume.metadata?.deletionTimestamp ? 'Terminating' : (volume.status?.phase ?? ''))),
    text('Claim', ({ spec }) => (spec?.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : '')),
    text('StorageClass', (volume) => volume.metadata?.annotations?.[storageClassAnnotation] ?? volume.spec?.storageClassName ?? ''),
    text('VolumeAttributesClass', (volume) => volume.spec?.volumeAttributesClassName ?? '<unset>'),
    text('Reason', (volume) => volume.status?.reason ?? ''),
    ageColumn,
    text('VolumeMode', (volume) => volume.spec?.volumeMode ?? '<unset>', 1),
  ],
});
