/** upstream: pkg/registry/apps/daemonset/strategy.go. */
import { DaemonSet } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, containerColumns, formatLabels, formatLabelSelector, integer, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';
import { defaultPodTemplate } from '../core/pod-spec-defaults.ts';
import { dropDisabledTemplateFields } from '../core/pod-strategy.ts';
import { equal } from '#machinery/meta';
import { validateDaemonSet, validateDaemonSetStatus, validateDaemonSetUpdate } from './daemon-set-validation.ts';
import { warningsForPodTemplate } from '../core/pod-warnings.ts';

/** Counts changes of the template. It was a field of the spec once, and is shown as an annotation since. */
const templateGeneration = 'deprecated.daemonset.template.generation';

const templateGenerationOf = (set: DaemonSet): number => Number(set.metadata?.annotations?.[templateGeneration] ?? 0) || 0;

function setTemplateGeneration(set: DaemonSet, generation: number): void {
  const metadata = (set.metadata ??= {});
  metadata.annotations = { ...metadata.annotations, [templateGeneration]: String(generation) };
}

function applyDefaults(set: DaemonSet): void {
  const { spec } = set;
  if (!spec) return;
  const strategy = (spec.updateStrategy ??= {});
  if (!strategy.type) strategy.type = 'RollingUpdate';
  if (strategy.type === 'RollingUpdate') {
    const rolling = (strategy.rollingUpdate ??= {});
    rolling.maxUnavailable ??= 1;
    rolling.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  // Any reading of a set has the count.
  setTemplateGeneration(set, templateGenerationOf(set));
  defaultPodTemplate((spec.template ??= {}));
}

export const daemonSetRules = defineKind<DaemonSet>({
  kind: DaemonSet,
  applyDefaults,
  prepareForCreate: (set) => {
    set.status = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 };
    setTemplateGeneration(set, Math.max(1, templateGenerationOf(set)));
    dropDisabledTemplateFields(set.spec?.template);
  },
  prepareForUpdate: (set, old) => {
    dropDisabledTemplateFields(set.spec?.template, old.spec?.template);
    keepStatus(set, old);
    const changed = !equal(set.spec?.template, old.spec?.template);
    setTemplateGeneration(set, templateGenerationOf(old) + (changed ? 1 : 0));
  },
  validate: validateDaemonSet,
  validateUpdate: validateDaemonSetUpdate,
  warnings: (set, old) =>
    old && templateGenerationOf(set) === templateGenerationOf(old) ? [] : warningsForPodTemplate(set.spec?.template, 'spec.template'),
  subresources: {
    status: {
      prepareForUpdate: (set, old) => {
        keepSpec(set, old);
        setTemplateGeneration(set, templateGenerationOf(old));
      },
      validateUpdate: validateDaemonSetStatus,
    },
  },
  columns: [
    integer('Desired', (set) => set.status?.desiredNumberScheduled ?? 0),
    integer('Current', (set) => set.status?.currentNumberScheduled ?? 0),
    integer('Ready', (set) => set.status?.numberReady ?? 0),
    integer('Up-to-date', (set) => set.status?.updatedNumberScheduled ?? 0),
    integer('Available', (set) => set.status?.numberAvailable ?? 0),
    text('Node Selector', (set) => formatLabels(set.spec?.template?.spec?.nodeSelector)),
    ageColumn,
    ...containerColumns<DaemonSet>((set) => set.spec?.template?.spec?.containers),
    text('Selector', (set) => formatLabelSelector(set.spec?.selector), 1),
  ],
});
