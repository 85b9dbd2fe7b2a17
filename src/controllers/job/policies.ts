import type { Job, Pod } from '#api';
import type { ContainerStatus } from '../api-types.ts';
import { IndexSet } from './index-intervals.ts';

type JobSpec = NonNullable<Job['spec']>;
type FailurePolicy = NonNullable<JobSpec['podFailurePolicy']>;
type OnExitCodes = NonNullable<FailurePolicy['rules'][number]['onExitCodes']>;

export interface FailureVerdict {
  /** Whether the failure counts towards the back-off limit. */
  counts: boolean;
  action?: string;
  /** Why the whole Job fails; set where a FailJob rule matched. */
  failJob?: string;
}

function matchExitCodes(pod: Pod, { containerName, operator, values }: OnExitCodes): ContainerStatus | undefined {
  return [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].find(({ name, state }) => {
    const code = state?.terminated?.exitCode;
    if (!code || (containerName !== undefined && containerName !== name)) return false;
    return operator === 'In' ? values.includes(code) : operator === 'NotIn' && !values.includes(code);
  });
}

/** What the first matching rule says of a failed pod. upstream: pkg/controller/job/pod_failure_policy.go. */
export function judgeFailure(policy: FailurePolicy | undefined, pod: Pod): FailureVerdict {
  const { namespace, name } = pod.metadata!;
  for (const [index, { action, onExitCodes, onPodConditions }] of (policy?.rules ?? []).entries()) {
    let message: string | undefined;
    if (onExitCodes) {
      const status = matchExitCodes(pod, onExitCodes);
      if (status)
        message = `Container ${status.name} for pod ${namespace}/${name} failed with exit code ${status.state!.terminated!.exitCode} matching ${action} rule at index ${index}`;
    } else {
      const condition = pod.status?.conditions?.find(({ type, status }) =>
        onPodConditions?.some((pattern) => pattern.type === type && (pattern.status ?? 'True') === status),
      );
      if (condition) message = `Pod ${namespace}/${name} has condition ${condition.type} matching ${action} rule at index ${index}`;
    }
    if (message) return { counts: action !== 'Ignore', action, ...(action === 'FailJob' && { failJob: message }) };
  }
  return { counts: true };
}

/** The message of the first success rule that is met. upstream: pkg/controller/job/success_policy.go. */
export function matchSuccess(policy: JobSpec['successPolicy'], completions: number, succeeded: IndexSet): string | undefined {
  if (!policy || succeeded.size === 0) return undefined;
  const index = policy.rules.findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined) return succeededCount !== undefined && succeeded.size >= succeededCount;
    const wanted = IndexSet.parse(succeededIndexes, completions);
    if (wanted.size === 0) return false;
    const common = wanted.common(succeeded);
    return common === wanted.size || (succeededCount !== undefined && common >= succeededCount);
  });
  return index < 0 ? undefined : `Matched rules at index ${index}`;
}
