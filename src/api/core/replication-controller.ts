/** upstream: pkg/registry/core/replicationcontroller/strategy.go. */
import { ReplicationController } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, containerColumns, formatLabels, integer, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';
import { defaultPodTemplate } from './pod-spec-defaults.ts';
import { dropDisabledTemplateFields } from './pod-strategy.ts';
import { validateReplicaStatus } from '../apps/replica-set-validation.ts';
import { hostnameWarnings, warningsForPodTemplate } from './pod-warnings.ts';
import { validateReplicationController } from './replication-controller-validation.ts';

function defaultLabels(controller: ReplicationController): void {
  const labels = controller.spec?.template?.metadata?.labels;
  if (labels && Object.keys(controller.metadata?.labels ?? {}).length === 0) (controller.metadata ??= {}).labels = { ...labels };
}

function applyDefaults(controller: ReplicationController): void {
  const spec = (controller.spec ??= {});
  const labels = spec.template?.metadata?.labels;
  if (labels && Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
  defaultLabels(controller);
  spec.replicas ??= 1;
  defaultPodTemplate(spec.template);
}

export const replicationControllerRules = defineKind<ReplicationController>({
  kind: ReplicationController,
  applyDefaults,
  prepareForCreate: (controller) => {
    controller.status = { replicas: 0 };
    dropDisabledTemplateFields(controller.spec?.template);
  },
  prepareForUpdate: (controller, old) => {
    keepStatus(controller, old);
    dropDisabledTemplateFields(controller.spec?.template, old.spec?.template);
  },
  validate: (controller) => validateReplicationController(controller),
  validateUpdate: validateReplicationController,
  warnings: (controller, old) => [
    ...(old ? [] : hostnameWarnings(controller)),
    ...(old && controller.metadata?.generation === old.metadata?.generation
      ? []
      : warningsForPodTemplate(controller.spec?.template, 'spec.template')),
  ],
  subresources: {
    status: {
      prepareForUpdate(controller, old) {
        keepSpec(controller, old);
        defaultLabels(controller);
      },
      validateUpdate: validateReplicaStatus,
    },
  },
  columns: [
    integer('Desired', (controller) => controller.spec?.replicas ?? 0),
    integer('Current', (controller) => controller.status?.replicas ?? 0),
    integer('Ready', (controller) => controller.status?.readyReplicas ?? 0),
    ageColumn,
    ...containerColumns<ReplicationController>((controller) => controller.spec?.template?.spec?.containers),
    text('Selector', (controller) => formatLabels(controller.spec?.selector), 1),
  ],
  selectableFields: { 'status.replicas': (controller) => String(controller.status?.replicas ?? 0) },
  scale: {
    specReplicas: 'spec.replicas',
    statusReplicas: 'status.replicas',
    selector: (controller) => {
      const selector = formatLabels(controller.spec?.selector);
      return selector === '<none>' ? '' : selector;
    },
  },
});
