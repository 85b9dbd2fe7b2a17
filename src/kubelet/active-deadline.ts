import type { Pod } from '#api';
import { fromMetaTime } from './meta-time.ts';
import { specOf } from './pod-spec.ts';

export const deadlineExceeded = {
  reason: 'DeadlineExceeded',
  message: 'Pod was active on the node longer than the specified deadline',
};

/** Milliseconds until the pod must end; undefined where it need not. upstream: pkg/kubelet/active_deadline.go. */
export function untilDeadline(pod: Pod, startTime: string | undefined, now: number): number | undefined {
  const seconds = specOf(pod).activeDeadlineSeconds;
  if (seconds === undefined || !startTime) return undefined;
  return fromMetaTime(startTime) + seconds * 1000 - now;
}
