/** The spec of a job wherever it stands. upstream: validateJobSpec in pkg/apis/batch/validation. */
import { isDomainPrefixedPath } from '#machinery/names';
import { checkNonnegative, checkQualifiedName, duplicate, invalidField, required, tooLong, tooMany, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkPodTemplate } from '../core/validation/pod-template.ts';
import type { JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule } from '../facts/types.ts';
import { parseIndexes } from './job-indexes.ts';

const mostParallelIndexed = 100_000;
const mostFailedIndexes = 100_000;
const manyCompletions = 100_000;
const mostForManyCompletions = 10_000;
const mostRules = 20;
const mostExitCodes = 255;
const longestManager = 63;
const longestIndexes = 64 * 1024;

/** An error about a place rather than a value. upstream: field.OmitValueType. */
export const invalidPlace = (path: string, detail: string) =>
  ({ type: 'FieldValueInvalid', field: path, message: `Invalid value: ${detail}` }) as const;

export function checkJobSpec(errors: Errors, path: string, spec: JobSpec, old?: JobSpec): void {
  for (const field of [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const)
    checkNonnegative(errors, `${path}.${field}`, spec[field]);
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined)
    errors.push(required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'));
  if (spec.managedBy !== undefined) {
    errors.push(...isDomainPrefixedPath(`${path}.managedBy`, spec.managedBy));
    if (spec.managedBy.length > longestManager) errors.push(tooLong(`${path}.managedBy`, longestManager));
  }
  checkCompletionMode(errors, path, spec);
  if (spec.podFailurePolicy) checkFailurePolicy(errors, `${path}.podFailurePolicy`, spec);
  if (spec.successPolicy) {
    if (spec.completionMode !== 'Indexed')
      errors.push(invalidField(`${path}.successPolicy`, spec.successPolicy, 'requires indexed completion mode'));
    else checkSuccessPolicy(errors, `${path}.successPolicy`, spec);
  }
  if (spec.podReplacementPolicy !== undefined) {
    const allowed = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed'];
    if (!allowed.includes(spec.podReplacementPolicy))
      errors.push(unsupported(`${path}.podReplacementPolicy`, spec.podReplacementPolicy, allowed));
  }
  checkPodTemplate(errors, `${path}.template`, spec.template ?? {}, old?.template);
  checkRestartPolicy(errors, `${path}.template.spec.restartPolicy`, spec);
}

function checkRestartPolicy(errors: Errors, path: string, { template, podFailurePolicy }: JobSpec): void {
  const policy = template?.spec?.restartPolicy;
  if (!policy || policy === 'Always') errors.push(required(path, 'valid values: "OnFailure", "Never"'));
  else if (policy !== 'OnFailure' && policy !== 'Never') errors.push(unsupported(path, policy, ['OnFailure', 'Never']));
  else if (podFailurePolicy && policy !== 'Never')
    errors.push(invalidField(path, policy, 'only "Never" is supported when podFailurePolicy is specified'));
}

function checkCompletionMode(errors: Errors, path: string, spec: JobSpec): void {
  const { completionMode, completions, parallelism, maxFailedIndexes, backoffLimitPerIndex } = spec;
  if (completionMode === undefined || completionMode === 'NonIndexed') {
    for (const field of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const)
      if (spec[field] !== undefined) errors.push(invalidField(`${path}.${field}`, spec[field], 'requires indexed completion mode'));
    return;
  }
  if (completionMode !== 'Indexed') {
    errors.push(unsupported(`${path}.completionMode`, completionMode, ['NonIndexed', 'Indexed']));
    return;
  }
  const tooLarge = (field: 'parallelism' | 'maxFailedIndexes', limit: number, when = ''): void => {
    const value = spec[field];
    if (value !== undefined && value > limit)
      errors.push(invalidField(`${path}.${field}`, value, `must be less than or equal to ${limit}${when}`));
  };
  if (completions === undefined) errors.push(required(`${path}.completions`, 'when completion mode is Indexed'));
  tooLarge('parallelism', mostParallelIndexed, ' when completion mode is Indexed');
  if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions)
    errors.push(invalidField(`${path}.maxFailedIndexes`, maxFailedIndexes, 'must be less than or equal to completions'));
  tooLarge('maxFailedIndexes', mostFailedIndexes);
  if (completions === undefined || completions <= manyCompletions || backoffLimitPerIndex === undefined) return;
  if (maxFailedIndexes === undefined)
    errors.push(required(`${path}.maxFailedIndexes`, `must be specified when completions is above ${manyCompletions}`));
  const when = ` when completions are above ${manyCompletions} and used with backoff limit per index`;
  if (parallelism !== undefined) tooLarge('parallelism', mostForManyCompletions, when);
  tooLarge('maxFailedIndexes', mostForManyCompletions, when);
}

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const conditionStatuses = ['False', 'True', 'Unknown'];
const operators = ['In', 'NotIn'];
const quoted = (values: readonly string[]): string => `valid values: [${values.map((value) => JSON.stringify(value)).join(' ')}]`;

function checkFailurePolicy(errors: Errors, path: string, spec: JobSpec): void {
  const rules = spec.podFailurePolicy!.rules ?? [];
  if (rules.length > mostRules) errors.push(tooMany(`${path}.rules`, rules.length, mostRules));
  const { containers = [], initContainers = [] } = spec.template?.spec ?? {};
  const names = new Set([...containers, ...initContainers].map((container) => container.name));
  for (const [index, rule] of rules.entries()) checkFailureRule(errors, `${path}.rules[${index}]`, rule, spec, names);
}

function checkFailureRule(errors: Errors, path: string, rule: PodFailurePolicyRule, spec: JobSpec, names: ReadonlySet<string>): void {
  const { action, onExitCodes, onPodConditions = [] } = rule;
  if (!action) errors.push(required(`${path}.action`, quoted(actions)));
  else if (action === 'FailIndex') {
    if (spec.backoffLimitPerIndex === undefined)
      errors.push(invalidField(`${path}.action`, action, 'requires the backoffLimitPerIndex to be set'));
  } else if (!actions.includes(action)) errors.push(unsupported(`${path}.action`, action, actions));
  if (onExitCodes) checkExitCodes(errors, `${path}.onExitCodes`, onExitCodes, names);
  if (onPodConditions.length > mostRules) errors.push(tooMany(`${path}.onPodConditions`, onPodConditions.length, mostRules));
  for (const [index, { type, status }] of onPodConditions.entries()) {
    const at = `${path}.onPodConditions[${index}]`;
    checkQualifiedName(errors, `${at}.type`, type ?? '');
    if (!status) errors.push(required(`${at}.status`, quoted(conditionStatuses)));
    else if (!conditionStatuses.includes(status)) errors.push(unsupported(`${at}.status`, status, conditionStatuses));
  }
  if (onExitCodes && onPodConditions.length)
    errors.push(invalidPlace(path, 'specifying both OnExitCodes and OnPodConditions is not supported'));
  if (!onExitCodes && !onPodConditions.length)
    errors.push(invalidPlace(path, 'specifying one of OnExitCodes and OnPodConditions is required'));
}

function checkExitCodes(
  errors: Errors,
  path: string,
  requirement: PodFailurePolicyOnExitCodesRequirement,
  names: ReadonlySet<string>,
): void {
  const { operator, containerName } = requirement;
  const values = requirement.values ?? [];
  if (!operator) errors.push(required(`${path}.operator`, quoted(operators)));
  else if (!operators.includes(operator)) errors.push(unsupported(`${path}.operator`, operator, operators));
  if (containerName !== undefined && !names.has(containerName))
    errors.push(
      invalidField(`${path}.containerName`, containerName, 'must be one of the container or initContainer names in the pod template'),
    );
  if (!values.length) errors.push(invalidField(`${path}.values`, values, 'at least one value is required'));
  else if (values.length > mostExitCodes) errors.push(tooMany(`${path}.values`, values.length, mostExitCodes));
  const seen = new Set<number>();
  for (const [index, value] of values.entries()) {
    if (operator === 'In' && value === 0) errors.push(invalidField(`${path}.values[${index}]`, value, 'must not be 0 for the In operator'));
    if (seen.has(value)) errors.push(duplicate(`${path}.values[${index}]`, value));
    seen.add(value);
  }
  if (values.some((value, index) => index > 0 && values[index - 1]! > value))
    errors.push(invalidField(`${path}.values`, values, 'must be ordered'));
}

function checkSuccessPolicy(errors: Errors, path: string, spec: JobSpec): void {
  const rules = spec.successPolicy!.rules ?? [];
  const completions = spec.completions ?? 0;
  if (!rules.length) errors.push(required(`${path}.rules`, 'at least one rules must be specified when the successPolicy is specified'));
  if (rules.length > mostRules) errors.push(tooMany(`${path}.rules`, rules.length, mostRules));
  for (const [index, { succeededCount, succeededIndexes }] of rules.entries()) {
    const at = `${path}.rules[${index}]`;
    if (succeededCount === undefined && succeededIndexes === undefined)
      errors.push(required(at, 'at least one of succeededCount or succeededIndexes must be specified'));
    let total = 0;
    if (succeededIndexes !== undefined) {
      if (succeededIndexes.length > longestIndexes) errors.push(tooLong(`${at}.succeededIndexes`, longestIndexes));
      const parsed = parseIndexes(succeededIndexes, completions);
      if (parsed.error === undefined) total = parsed.total;
      else errors.push(invalidField(`${at}.succeededIndexes`, succeededIndexes, `error parsing succeededIndexes: ${parsed.error}`));
    }
    if (succeededCount === undefined) continue;
    checkNonnegative(errors, `${at}.succeededCount`, succeededCount);
    if (succeededCount > completions)
      errors.push(
        invalidField(
          `${at}.succeededCount`,
          succeededCount,
          `must be less than or equal to ${completions} (the number of specified completions)`,
        ),
      );
    if (succeededIndexes !== undefined && succeededCount > total)
      errors.push(
        invalidField(
          `${at}.succeededCount`,
          succeededCount,
          `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`,
        ),
      );
  }
}
