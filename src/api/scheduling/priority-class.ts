/** upstream: pkg/registry/scheduling/priorityclass/strategy.go. */
import { PriorityClass } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { checkImmutable, forbiddenField, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { ageColumn, integer, text, truth } from '../columns.ts';

const systemPrefix = 'system-';
const highestOfUsers = 1_000_000_000;
/** upstream: pkg/apis/scheduling/v1/helpers.go. */
const systemClasses: ReadonlyMap<string, number> = new Map([
  ['system-node-critical', 2_000_001_000],
  ['system-cluster-critical', 2_000_000_000],
]);

/** What a class with a name of the system's does wrong. */
function systemClassError({ metadata, value, globalDefault }: PriorityClass): string | undefined {
  const name = metadata?.name ?? '';
  const wanted = systemClasses.get(name);
  if (wanted === undefined) return `${name} is not a known system priority class`;
  if ((value ?? 0) !== wanted) return `value of ${name} PriorityClass must be ${wanted}`;
  return globalDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

function validatePriorityClass(priorityClass: PriorityClass): Errors {
  const errors: Errors = [];
  const { metadata, value, preemptionPolicy } = priorityClass;
  if (metadata?.name?.startsWith(systemPrefix)) {
    const problem = systemClassError(priorityClass);
    if (problem)
      errors.push(
        forbiddenField(
          'metadata.name',
          `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: ${problem}`,
        ),
      );
  } else if (value > highestOfUsers)
    errors.push(forbiddenField('value', `maximum allowed value of a user defined priority is ${highestOfUsers}`));
  if (preemptionPolicy === '') errors.push(required('preemptionPolicy'));
  else if (preemptionPolicy !== undefined && preemptionPolicy !== 'PreemptLowerPriority' && preemptionPolicy !== 'Never')
    errors.push(unsupported('preemptionPolicy', preemptionPolicy, ['PreemptLowerPriority', 'Never']));
  return errors;
}

function validatePriorityClassUpdate(priorityClass: PriorityClass, old: PriorityClass): Errors {
  const errors: Errors = [];
  if ((priorityClass.value ?? 0) !== (old.value ?? 0)) errors.push(forbiddenField('value', 'may not be changed in an update.'));
  checkImmutable(errors, 'preemptionPolicy', priorityClass.preemptionPolicy, old.preemptionPolicy);
  return errors;
}

export const priorityClassRules = defineKind<PriorityClass>({
  kind: PriorityClass,
  applyDefaults: (priorityClass) => {
    priorityClass.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  validate: validatePriorityClass,
  validateUpdate: validatePriorityClassUpdate,
  refuseDeletion: (name) => (systemClasses.has(name) ? 'this is a system priority class and cannot be deleted' : undefined),
  // It starts at 1 and stays there.
  generation: () => false,
  columns: [
    integer('Value', (priorityClass) => priorityClass.value ?? 0),
    truth('Global-Default', (priorityClass) => priorityClass.globalDefault ?? false),
    ageColumn,
    text('PreemptionPolicy', (priorityClass) => priorityClass.preemptionPolicy ?? ''),
  ],
});
