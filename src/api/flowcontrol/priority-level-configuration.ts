/** upstream: pkg/registry/flowcontrol/prioritylevelconfiguration/strategy.go. */
import { PriorityLevelConfiguration } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { clearStatus, keepAllMetadata, keepSpec, keepStatus } from '../strategy.ts';
import { validateConditionTypes } from './flow-schema-validation.ts';
import { validatePriorityLevel } from './priority-level-validation.ts';

function applyDefaults({ spec }: PriorityLevelConfiguration): void {
  if (spec?.limited) {
    spec.limited.nominalConcurrencyShares ??= 30;
    spec.limited.lendablePercent ??= 0;
    const queuing = spec.limited.limitResponse?.queuing;
    if (queuing) {
      if (!queuing.handSize) queuing.handSize = 8;
      if (!queuing.queues) queuing.queues = 64;
      if (!queuing.queueLengthLimit) queuing.queueLengthLimit = 50;
    }
  }
  if (spec?.exempt) {
    spec.exempt.nominalConcurrencyShares ??= 0;
    spec.exempt.lendablePercent ??= 0;
  }
}

const queuing = ({ spec }: PriorityLevelConfiguration) => spec?.limited?.limitResponse?.queuing;

export const priorityLevelConfigurationRules = defineKind<PriorityLevelConfiguration>({
  kind: PriorityLevelConfiguration,
  statusResetFields: ['metadata', 'spec'],
  applyDefaults,
  prepareForCreate: clearStatus,
  prepareForUpdate: keepStatus,
  validate: validatePriorityLevel,
  validateUpdate: validatePriorityLevel,
  subresources: {
    status: {
      validateUpdate: validateConditionTypes,
      prepareForUpdate: (level, old) => {
        keepAllMetadata(level, old);
        keepSpec(level, old);
      },
    },
  },
  columns: [
    text('Type', (level) => level.spec?.type ?? ''),
    text('NominalConcurrencyShares', (level) => level.spec?.limited?.nominalConcurrencyShares ?? '<none>'),
    text('Queues', (level) => queuing(level)?.queues ?? '<none>'),
    text('HandSize', (level) => queuing(level)?.handSize ?? '<none>'),
    text('QueueLengthLimit', (level) => queuing(level)?.queueLengthLimit ?? '<none>'),
    ageColumn,
  ],
});
