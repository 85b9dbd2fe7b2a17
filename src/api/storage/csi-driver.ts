/** upstream: pkg/registry/storage/csidriver/strategy.go. */
import { CSIDriver } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text, truth } from '../columns.ts';
import { checkImmutable, duplicate, invalidField, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { TokenRequest } from '../facts/types.ts';
import { equal } from '#machinery/meta';

function applyDefaults(driver: CSIDriver): void {
  const { spec } = driver;
  if (!spec) return;
  spec.attachRequired ??= true;
  spec.podInfoOnMount ??= false;
  spec.storageCapacity ??= false;
  spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
  if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ['Persistent'];
  spec.requiresRepublish ??= false;
  spec.seLinuxMount ??= false;
}

const tokensInSecrets =
  'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes';

const fsGroupPolicies = ['File', 'None', 'ReadWriteOnceWithFSType'];
const shortestToken = 600;
const longestToken = 2 ** 32;
const shortestUpdatePeriod = 10;

function checkTokenRequests(errors: Errors, path: string, requests: readonly TokenRequest[]): void {
  const audiences = new Set<string>();
  for (const [index, { audience = '', expirationSeconds: seconds }] of (requests as Partial<TokenRequest>[]).entries()) {
    if (audiences.has(audience)) {
      errors.push(duplicate(`${path}[${index}].audience`, audience));
      continue;
    }
    audiences.add(audience);
    if (seconds === undefined) continue;
    const at = `${path}[${index}].expirationSeconds`;
    if (seconds < shortestToken) errors.push(invalidField(at, seconds, 'may not specify a duration less than 10 minutes'));
    if (seconds > longestToken) errors.push(invalidField(at, seconds, 'may not specify a duration larger than 2^32 seconds'));
  }
}

function validateCSIDriver({ spec = {} }: Partial<CSIDriver>): Errors {
  const errors: Errors = [];
  // Upstream's path has this name.
  if (spec.attachRequired === undefined) errors.push(required('spec.attachedRequired'));
  for (const field of ['podInfoOnMount', 'storageCapacity'] as const) if (spec[field] === undefined) errors.push(required(`spec.${field}`));
  if (spec.fsGroupPolicy !== undefined && !fsGroupPolicies.includes(spec.fsGroupPolicy))
    errors.push(unsupported('spec.fsGroupPolicy', spec.fsGroupPolicy, fsGroupPolicies));
  checkTokenRequests(errors, 'spec.tokenRequests', spec.tokenRequests ?? []);
  for (const mode of spec.volumeLifecycleModes ?? [])
    if (mode !== 'Persistent' && mode !== 'Ephemeral')
      errors.push(unsupported('spec.volumeLifecycleModes', mode, ['Persistent', 'Ephemeral']));
  if (spec.seLinuxMount === undefined) errors.push(required('spec.seLinuxMount'));
  const period = spec.nodeAllocatableUpdatePeriodSeconds;
  if (period !== undefined && period < shortestUpdatePeriod)
    errors.push(invalidField('spec.nodeAllocatableUpdatePeriodSeconds', period, 'must be greater than or equal to 10 seconds'));
  if (spec.serviceAccountTokenInSecrets !== undefined && !spec.tokenRequests?.length)
    errors.push(
      invalidField(
        'spec.serviceAccountTokenInSecrets',
        spec.serviceAccountTokenInSecrets,
        'serviceAccountTokenInSecrets is set but no tokenRequests are specified',
      ),
    );
  return errors;
}

function validateCSIDriverUpdate(driver: CSIDriver, old: CSIDriver): Errors {
  const errors = validateCSIDriver(driver);
  checkImmutable(errors, 'spec.attachedRequired', driver.spec?.attachRequired, old.spec?.attachRequired);
  checkImmutable(errors, 'spec.volumeLifecycleModes', driver.spec?.volumeLifecycleModes, old.spec?.volumeLifecycleModes);
  return errors;
}

function warnings({ spec }: CSIDriver, old?: CSIDriver): string[] {
  if (!spec?.tokenRequests?.length || spec.serviceAccountTokenInSecrets != null) return [];
  return old && equal(old.spec?.tokenRequests, spec.tokenRequests) ? [] : [tokensInSecrets];
}

export const csiDriverRules = defineKind<CSIDriver>({
  kind: CSIDriver,
  applyDefaults,
  // Upstream counts from 0: nothing sets it at creation.
  // Counts from the first change on.
  prepareForCreate: ({ metadata }) => void delete metadata?.generation,
  generation: (driver, old) => !equal(driver.spec, old.spec),
  allowUnconditionalUpdate: false,
  validate: validateCSIDriver,
  validateUpdate: validateCSIDriverUpdate,
  warnings,
  columns: [
    truth('AttachRequired', (driver) => driver.spec?.attachRequired ?? true),
    truth('PodInfoOnMount', (driver) => driver.spec?.podInfoOnMount ?? false),
    truth('StorageCapacity', (driver) => driver.spec?.storageCapacity ?? false),
    text('TokenRequests', (driver) => driver.spec?.tokenRequests?.map((request) => request.audience).join(',') ?? '<unset>'),
    truth('RequiresRepublish', (driver) => driver.spec?.requiresRepublish ?? false),
    text('Modes', (driver) => (driver.spec?.volumeLifecycleModes ?? []).join(',') || '<none>'),
    ageColumn,
  ],
});
