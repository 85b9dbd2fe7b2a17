/** upstream: pkg/registry/scheduling/priorityclass/strategy.go. */
import { PriorityClass } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, integer, text, truth } from '../columns.ts';

export const priorityClassRules = defineKind<PriorityClass>({
  kind: PriorityClass,
  applyDefaults: (priorityClass) => {
    priorityClass.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  // It starts at 1 and stays there.
  generation: () => false,
  columns: [
    integer('Value', (priorityClass) => priorityClass.value ?? 0),
    truth('Global-Default', (priorityClass) => priorityClass.globalDefault ?? false),
    ageColumn,
    text('PreemptionPolicy', (priorityClass) => priorityClass.preemptionPolicy ?? '', 1),
  ],
});
