/** upstream: ValidatePriorityLevelConfiguration in pkg/apis/flowcontrol/validation. */
import { forbiddenField, invalidField, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { PriorityLevelConfiguration } from '../facts/kinds.ts';
import type { LimitedPriorityLevelConfiguration, LimitResponse, QueuingConfiguration } from '../facts/types.ts';
import { same } from '../same.ts';
import { validateConditionTypes } from './flow-schema-validation.ts';
import { mandatoryPriorityLevels } from './mandatory.ts';

const exempt = 'exempt';
const mostQueues = 10_000_000;
/** Of the hash that deals a flow its hand of queues. upstream: shufflesharding.MaxHashBits. */
const hashBits = 60;
const zeroShares = 'flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares';

function checkShares(errors: Errors, path: string, { nominalConcurrencyShares: shares, lendablePercent: percent }: Shares): void {
  if (shares !== undefined && shares < 0)
    errors.push(invalidField(`${path}.nominalConcurrencyShares`, shares, 'must be a non-negative integer'));
  if (percent !== undefined && !(percent >= 0 && percent <= 100))
    errors.push(invalidField(`${path}.lendablePercent`, percent, 'must be between 0 and 100, inclusive'));
}

type Shares = Pick<LimitedPriorityLevelConfiguration, 'nominalConcurrencyShares' | 'lendablePercent'>;

function checkQueuing(errors: Errors, path: string, { queueLengthLimit = 0, queues = 0, handSize = 0 }: QueuingConfiguration): void {
  if (queueLengthLimit <= 0) errors.push(invalidField(`${path}.queueLengthLimit`, queueLengthLimit, 'must be positive'));
  if (queues <= 0) errors.push(invalidField(`${path}.queues`, queues, 'must be positive'));
  else if (queues > mostQueues) errors.push(invalidField(`${path}.queues`, queues, `must not be greater than ${mostQueues}`));
  if (handSize <= 0) errors.push(invalidField(`${path}.handSize`, handSize, 'must be positive'));
  else if (handSize > queues) errors.push(invalidField(`${path}.handSize`, handSize, `should not be greater than queues (${queues})`));
  else if (Math.ceil(Math.log2(queues) * handSize) > hashBits)
    errors.push(
      invalidField(
        `${path}.handSize`,
        handSize,
        `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${hashBits}`,
      ),
    );
}

function checkResponse(errors: Errors, path: string, { type = '', queuing }: Partial<LimitResponse>): void {
  if (type === 'Reject') {
    if (queuing) errors.push(forbiddenField(`${path}.queuing`, 'must be nil if limited.limitResponse.type is not Limited'));
  } else if (type === 'Queue') {
    if (queuing) checkQueuing(errors, `${path}.queuing`, queuing);
    else errors.push(required(`${path}.queuing`, 'must not be empty if limited.limitResponse.type is Limited'));
  } else errors.push(unsupported(`${path}.type`, type, ['Queue', 'Reject']));
}

function checkSpec(errors: Errors, { metadata, spec }: PriorityLevelConfiguration): void {
  const type = spec?.type ?? '';
  if ((metadata?.name === exempt) !== (type === 'Exempt'))
    errors.push(invalidField('spec.type', type, "must be 'Exempt' if and only if `name` is 'exempt'"));
  if (type === 'Exempt') {
    if (spec?.limited) errors.push(forbiddenField('spec.limited', 'must be nil if the type is not Limited'));
    if (spec?.exempt) checkShares(errors, 'spec.exempt', spec.exempt);
  } else if (type === 'Limited') {
    if (spec?.exempt) errors.push(forbiddenField('spec.exempt', 'must be nil if the type is Limited'));
    const limited = spec?.limited;
    if (!limited) errors.push(required('spec.limited', 'must not be empty when type is Limited'));
    else {
      const path = 'spec.limited';
      const { nominalConcurrencyShares, lendablePercent, borrowingLimitPercent: borrowing } = limited;
      checkShares(errors, path, { nominalConcurrencyShares });
      checkResponse(errors, `${path}.limitResponse`, limited.limitResponse ?? {});
      checkShares(errors, path, { lendablePercent });
      if (borrowing !== undefined && borrowing < 0)
        errors.push(invalidField(`${path}.borrowingLimitPercent`, borrowing, 'if specified, must be a non-negative integer'));
    }
  } else errors.push(unsupported('spec.type', type, ['Exempt', 'Limited']));
}

function checkMandatory(errors: Errors, { metadata, spec }: PriorityLevelConfiguration): void {
  const name = metadata?.name ?? '';
  const mandatory = mandatoryPriorityLevels.get(name);
  if (!mandatory) return;
  if (name === exempt) {
    if (!same({ ...mandatory, exempt: undefined }, { ...spec, exempt: undefined }))
      errors.push(invalidField('spec', spec, `spec of '${name}' except the 'spec.exempt' field must equal the fixed value`));
  } else if (!same(spec, mandatory)) errors.push(invalidField('spec', spec, `spec of '${name}' must equal the fixed value`));
}

export function validatePriorityLevel(level: PriorityLevelConfiguration): Errors {
  const errors: Errors = [];
  if (level.metadata?.annotations?.[zeroShares] !== undefined)
    errors.push(forbiddenField('metadata.annotations', `annotation '${zeroShares}' is forbidden`));
  checkSpec(errors, level);
  checkMandatory(errors, level);
  return [...errors, ...validateConditionTypes(level)];
}
