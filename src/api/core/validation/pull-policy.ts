import { checkOneOf } from '../../checks.ts';
import type { Errors } from '../../checks.ts';

const pullPolicies = ['Always', 'IfNotPresent', 'Never'];

/** upstream: validatePullPolicy. */
export const checkPullPolicy = (errors: Errors, path: string, policy: string | undefined): void =>
  checkOneOf(errors, path, policy, pullPolicies);
