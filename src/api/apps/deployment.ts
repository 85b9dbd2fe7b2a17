/** upstream: pkg/registry/apps/deployment/strategy.go. */
import { Deployment } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, containerColumns, selectorText, text } from '../columns.ts';
import { clearStatus, keepSpec, keepStatus } from '../strategy.ts';
import { defaultPodTemplate } from '../core/pod-spec-defaults.ts';
import { dropDisabledTemplateFields } from '../core/pod-strategy.ts';
import { equal } from '#machinery/meta';
import { validateDeployment, validateDeploymentStatus, validateDeploymentUpdate } from './deployment-validation.ts';
import { hostnameWarnings, warningsForPodTemplate } from '../core/pod-warnings.ts';

function applyDefaults(deployment: Deployment): void {
  const { spec } = deployment;
  if (!spec) return;
  spec.replicas ??= 1;
  const strategy = (spec.strategy ??= {});
  if (!strategy.type) strategy.type = 'RollingUpdate';
  if (strategy.type === 'RollingUpdate') {
    const rolling = (strategy.rollingUpdate ??= {});
    rolling.maxUnavailable ??= '25%';
    rolling.maxSurge ??= '25%';
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  defaultPodTemplate((spec.template ??= {}));
}

export const deploymentRules = defineKind<Deployment>({
  kind: Deployment,
  statusResetFields: ['spec', 'metadata.labels'],
  applyDefaults,
  prepareForCreate: (deployment) => {
    clearStatus(deployment);
    dropDisabledTemplateFields(deployment.spec?.template);
  },
  prepareForUpdate: (deployment, old) => {
    keepStatus(deployment, old);
    dropDisabledTemplateFields(deployment.spec?.template, old.spec?.template);
  },
  validate: validateDeployment,
  validateUpdate: validateDeploymentUpdate,
  warnings: (deployment, old) => [
    ...(old ? [] : hostnameWarnings(deployment)),
    ...(old && deployment.metadata?.generation === old.metadata?.generation
      ? []
      : warningsForPodTemplate(deployment.spec?.template, 'spec.template')),
  ],
  subresources: {
    status: {
      validateUpdate: validateDeploymentStatus,
      prepareForUpdate: (deployment, old) => {
        keepSpec(deployment, old);
        if (old.metadata?.labels) (deployment.metadata ??= {}).labels = old.metadata.labels;
        else delete deployment.metadata?.labels;
      },
    },
  },
  // Annotations count: rollbacks once came by annotation.
  generation: (deployment, old) =>
    !equal(deployment.spec, old.spec) || !equal(deployment.metadata?.annotations ?? {}, old.metadata?.annotations ?? {}),
  columns: [
    text('Ready', (deployment) => `${deployment.status?.readyReplicas ?? 0}/${deployment.spec?.replicas ?? 0}`),
    text('Up-to-date', (deployment) => deployment.status?.updatedReplicas ?? 0),
    text('Available', (deployment) => deployment.status?.availableReplicas ?? 0),
    ageColumn,
    ...containerColumns<Deployment>((deployment) => deployment.spec?.template?.spec?.containers),
    text('Selector', (deployment) => selectorText(deployment.spec?.selector), 1),
  ],
  scale: {
    specReplicas: 'spec.replicas',
    statusReplicas: 'status.replicas',
    selector: (deployment) => selectorText(deployment.spec?.selector),
  },
});
