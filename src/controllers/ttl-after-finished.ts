import type { Job } from '#api';
import { Job as JobKind } from '#api';
import { isNotFound } from '#machinery/status';
import { conditionOf } from './conditions.ts';
import type { ControllerFactory } from './contract.ts';
import { source } from './contract.ts';

/** When a finished Job's time is up, in milliseconds; undefined where it has none. */
function expiry(job: Job): number | undefined {
  const seconds = job.spec?.ttlSecondsAfterFinished;
  if (seconds === undefined || job.metadata!.deletionTimestamp) return undefined;
  const finished = ['Complete', 'Failed']
    .map((type) => conditionOf(job.status?.conditions, type))
    .find((condition) => condition?.status === 'True');
  return finished?.lastTransitionTime === undefined ? undefined : Date.parse(finished.lastTransitionTime) + seconds * 1000;
}

/** Deletes finished Jobs after the time they were given. upstream: pkg/controller/ttlafterfinished. */
export const ttlAfterFinishedController: ControllerFactory = () => ({
  name: 'ttl-after-finished-controller',
  serviceAccount: 'ttl-after-finished-controller',
  watches: [source(JobKind, { when: (job, _old, event) => event !== 'deleted' && expiry(job) !== undefined })],
  async reconcile(context, key) {
    const cached = context.lister(JobKind).get(key);
    const until = cached && expiry(cached);
    if (!cached || until === undefined) return;
    const left = until - context.clock.now();
    if (left > 0) return { requeueAfter: left };
    try {
      // The time may have been made longer a moment ago.
      const fresh = await context.client.get(JobKind, cached.metadata as { namespace: string; name: string });
      const at = expiry(fresh);
      if (fresh.metadata!.uid !== cached.metadata!.uid || at === undefined) return;
      if (at > context.clock.now()) return { requeueAfter: at - context.clock.now() };
      await context.client.delete(JobKind, fresh.metadata as { namespace: string; name: string }, {
        propagationPolicy: 'Foreground',
        preconditions: { uid: fresh.metadata!.uid! },
      });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  },
});
