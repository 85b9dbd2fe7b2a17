/** upstream: pkg/registry/apps/statefulset/strategy.go. */
import { StatefulSet } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, containerColumns, selectorText, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';
import { defaultPodTemplate } from '../core/pod-spec-defaults.ts';
import { dropDisabledTemplateFields } from '../core/pod-strategy.ts';
import { defaultPersistentVolumeClaim } from '../core/persistent-volume-claim-defaults.ts';
import { warningsForClaimSpec } from '../core/claim-warnings.ts';
import { nameIsDNSLabel } from '#machinery/names';
import { validateStatefulSet, validateStatefulSetStatus, validateStatefulSetUpdate } from './stateful-set-validation.ts';
import { warningsForPodTemplate } from '../core/pod-warnings.ts';

function applyDefaults(set: StatefulSet): void {
  const { spec } = set;
  if (!spec) return;
  if (!spec.podManagementPolicy) spec.podManagementPolicy = 'OrderedReady';
  const strategy = (spec.updateStrategy ??= {});
  if (!strategy.type) {
    strategy.type = 'RollingUpdate';
    strategy.rollingUpdate ??= {};
  }
  if (strategy.type === 'RollingUpdate' && strategy.rollingUpdate) strategy.rollingUpdate.partition ??= 0;
  const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {});
  if (!retention.whenDeleted) retention.whenDeleted = 'Retain';
  if (!retention.whenScaled) retention.whenScaled = 'Retain';
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  defaultPodTemplate((spec.template ??= {}));
  for (const claim of spec.volumeClaimTemplates ?? []) {
    // Templates are written with their type. upstream: Convert_apps_StatefulSetSpec_To_v1_StatefulSetSpec.
    claim.apiVersion ||= 'v1';
    claim.kind ||= 'PersistentVolumeClaim';
    defaultPersistentVolumeClaim(claim);
  }
}

/** How many may be down at once is behind a feature gate that is off by default. */
function dropMaxUnavailable(set: StatefulSet, old?: StatefulSet): void {
  if (old?.spec?.updateStrategy?.rollingUpdate?.maxUnavailable == null) delete set.spec?.updateStrategy?.rollingUpdate?.maxUnavailable;
}

function warnings(set: StatefulSet, old?: StatefulSet): string[] {
  const unchanged = old && set.metadata?.generation === old.metadata?.generation;
  const texts = unchanged ? [] : warningsForPodTemplate(set.spec?.template, 'spec.template');
  for (const [index, claim] of (set.spec?.volumeClaimTemplates ?? []).entries())
    texts.push(...warningsForClaimSpec(claim.spec, `spec.volumeClaimTemplates[${index}]${old ? '.Spec' : ''}`));
  if ((set.spec?.revisionHistoryLimit ?? 0) < 0)
    texts.push('spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended');
  return texts;
}

export const statefulSetRules = defineKind<StatefulSet>({
  kind: StatefulSet,
  applyDefaults,
  prepareForCreate: (set) => {
    set.status = { replicas: 0, availableReplicas: 0 };
    dropMaxUnavailable(set);
    dropDisabledTemplateFields(set.spec?.template);
  },
  prepareForUpdate: (set, old) => {
    keepStatus(set, old);
    dropMaxUnavailable(set, old);
    dropDisabledTemplateFields(set.spec?.template, old.spec?.template);
  },
  validateName: nameIsDNSLabel,
  validate: validateStatefulSet,
  validateUpdate: validateStatefulSetUpdate,
  warnings,
  subresources: { status: { prepareForUpdate: keepSpec, validateUpdate: validateStatefulSetStatus } },
  columns: [
    text('Ready', (set) => `${set.status?.readyReplicas ?? 0}/${set.spec?.replicas ?? 0}`),
    ageColumn,
    ...containerColumns<StatefulSet>((set) => set.spec?.template?.spec?.containers),
  ],
  scale: { specReplicas: 'spec.replicas', statusReplicas: 'status.replicas', selector: (set) => selectorText(set.spec?.selector) },
});
