import type { Lease } from '#api';
import { Lease as LeaseKind } from '#api';
import type { Clock, Random, Timer } from '#machinery/clock';
import { microTimestamp } from '#machinery/clock';
import { running } from '#machinery/lifecycle';
import type { Running } from '#machinery/lifecycle';
import type { Log } from '#machinery/log';
import { draft } from '#machinery/meta';
import { isConflict, isNotFound } from '#machinery/status';
import type { Client } from './contract.ts';

export interface LeaderElectionOptions {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
  namespace: string;
  name: string;
  /** Who runs for it: unique a process ("<host>_<uuid>"). */
  identity: string;
  /** Milliseconds; upstream's defaults 15 s, 10 s, 2 s. */
  leaseDuration?: number;
  renewDeadline?: number;
  retryPeriod?: number;
  /** Called once when the lease was won; the signal aborts when it was lost or given up. */
  onStartedLeading(signal: AbortSignal): void | Promise<void>;
  /** Called after the lease was lost or given up. */
  onStoppedLeading?(): void;
  onNewLeader?(identity: string): void;
}

/**
 * Runs for a Lease until stopped; at stop the lease is given up, so that the next one need not wait. A lease that was lost is run for again.
 * Another's clock is never trusted: a lease is expired when its record has not changed for its duration by our own clock.
 * upstream: client-go tools/leaderelection.
 */
export function leaderElection(options: LeaderElectionOptions): Running {
  const { client, clock, random, log, namespace, name, identity } = options;
  const leaseDuration = options.leaseDuration ?? 15_000;
  const renewDeadline = options.renewDeadline ?? 10_000;
  const retryPeriod = options.retryPeriod ?? 2_000;
  let observed: Lease | undefined;
  let observedAt = 0;
  let leader = '';
  let leading: AbortController | undefined;
  let renewedAt = 0;
  let timer: Timer | undefined;
  let stopped = false;
  let current: Promise<void> = Promise.resolve();

  const observe = (lease: Lease): void => {
    if (lease.metadata?.resourceVersion !== observed?.metadata?.resourceVersion) {
      observed = lease;
      observedAt = clock.monotonic();
    }
    const holder = lease.spec?.holderIdentity ?? '';
    if (holder === leader) return;
    leader = holder;
    if (holder) options.onNewLeader?.(holder);
  };

  const tryAcquire = async (): Promise<boolean> => {
    const now = microTimestamp(clock);
    const seconds = Math.ceil(leaseDuration / 1000);
    // A leader renews what it wrote last without reading it first.
    if (!observed || leading === undefined)
      try {
        observe(await client.get(LeaseKind, { namespace, name }));
      } catch (error) {
        if (!isNotFound(error)) throw error;
        observe(
          await client.create(LeaseKind, {
            metadata: { namespace, name },
            spec: { holderIdentity: identity, leaseDurationSeconds: seconds, acquireTime: now, renewTime: now, leaseTransitions: 0 },
          }),
        );
        return true;
      }
    const spec = observed!.spec ?? {};
    const mine = spec.holderIdentity === identity;
    const ends = observedAt + (spec.leaseDurationSeconds ?? seconds) * 1000;
    if (spec.holderIdentity && !mine && ends > clock.monotonic()) return false;
    const next = draft(observed!);
    next.spec = {
      ...spec,
      holderIdentity: identity,
      leaseDurationSeconds: seconds,
      renewTime: now,
      acquireTime: mine ? (spec.acquireTime ?? now) : now,
      leaseTransitions: (spec.leaseTransitions ?? 0) + (mine ? 0 : 1),
    };
    try {
      observe(await client.update(LeaseKind, next));
      return true;
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) observed = undefined;
      throw error;
    }
  };

  const lose = (): void => {
    leading?.abort();
    leading = undefined;
    options.onStoppedLeading?.();
  };

  const turn = async (): Promise<void> => {
    try {
      if (await tryAcquire()) {
        renewedAt = clock.monotonic();
        if (!leading && !stopped) {
          const won = (leading = new AbortController());
          log.info('Became leader', { lease: name });
          void Promise.resolve(options.onStartedLeading(won.signal)).catch((error: unknown) => log.error('Leading failed', { error }));
        }
      } else if (leading) lose();
    } catch (error) {
      log.debug('Cannot renew the lease', { lease: name, error });
    }
    if (leading && clock.monotonic() - renewedAt >= renewDeadline) {
      log.warn('Lost the lease', { lease: name });
      lose();
    }
    if (!stopped) schedule(leading ? retryPeriod : retryPeriod * (1 + 1.2 * random.next()));
  };
  const schedule = (milliseconds: number): void => {
    timer = clock.setTimeout(() => (current = turn()), milliseconds);
  };
  current = turn();

  return running(async () => {
    stopped = true;
    timer?.cancel();
    await current;
    if (!leading) return;
    lose();
    const next = draft(observed!);
    const now = microTimestamp(clock);
    next.spec = { ...next.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now, acquireTime: now };
    await client.update(LeaseKind, next).catch((error: unknown) => log.debug('Cannot give up the lease', { lease: name, error }));
  });
}
