/** upstream: pkg/registry/apps/replicaset/strategy.go. */
import { ReplicaSet } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, containerColumns, formatLabelSelector, integer, selectorText, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';
import { defaultPodTemplate } from '../core/pod-spec-defaults.ts';
import { dropDisabledTemplateFields } from '../core/pod-strategy.ts';
import { validateReplicaSet, validateReplicaSetUpdate, validateReplicaStatus } from './replica-set-validation.ts';
import { hostnameWarnings, warningsForPodTemplate } from '../core/pod-warnings.ts';

export const replicaSetRules = defineKind<ReplicaSet>({
  kind: ReplicaSet,
  applyDefaults: (set) => {
    if (!set.spec) return;
    set.spec.replicas ??= 1;
    defaultPodTemplate((set.spec.template ??= {}));
  },
  prepareForCreate: (set) => {
    set.status = { replicas: 0 };
    dropDisabledTemplateFields(set.spec?.template);
  },
  prepareForUpdate: (set, old) => {
    keepStatus(set, old);
    dropDisabledTemplateFields(set.spec?.template, old.spec?.template);
  },
  validate: validateReplicaSet,
  validateUpdate: validateReplicaSetUpdate,
  warnings: (set, old) => [
    ...(old ? [] : hostnameWarnings(set)),
    ...(old && set.metadata?.generation === old.metadata?.generation ? [] : warningsForPodTemplate(set.spec?.template, 'spec.template')),
  ],
  subresources: { status: { prepareForUpdate: keepSpec, validateUpdate: validateReplicaStatus } },
  columns: [
    integer('Desired', (set) => set.spec?.replicas ?? 0),
    integer('Current', (set) => set.status?.replicas ?? 0),
    integer('Ready', (set) => set.status?.readyReplicas ?? 0),
    ageColumn,
    ...containerColumns<ReplicaSet>((set) => set.spec?.template?.spec?.containers),
    text('Selector', (set) => formatLabelSelector(set.spec?.selector), 1),
  ],
  scale: { specReplicas: 'spec.replicas', statusReplicas: 'status.replicas', selector: (set) => selectorText(set.spec?.selector) },
});
