/** Works while it holds the lease; who loses it ends, so that nothing half-done goes on. upstream: cmd/kube-scheduler/app/server.go. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { leaderElection } from '#client';
import type { Client } from '#client';
import { Disposables, running } from '#machinery/lifecycle';
import type { Context, Running } from '#machinery/lifecycle';

export interface LeadershipOptions {
  /** Else it works at once. */
  elect: boolean;
  client: Client;
  namespace: string;
  name: string;
  /** Milliseconds. */
  leaseDuration: number;
  renewDeadline: number;
  retryPeriod: number;
  work(context: Context): Promise<Running>;
  failed(error: Error): void;
}

/** Resolves when it works, or waits for the lease. */
export async function leadership(options: LeadershipOptions, context: Context): Promise<Running> {
  if (!options.elect) return options.work(context);
  const { clock, random, log } = context;
  const held = new Disposables();
  let stopping = false;
  let starting: Promise<void> = Promise.resolve();
  const election = leaderElection({
    client: options.client,
    clock,
    random,
    log,
    namespace: options.namespace,
    name: options.name,
    identity: `${hostname()}_${randomUUID()}`,
    leaseDuration: options.leaseDuration,
    renewDeadline: options.renewDeadline,
    retryPeriod: options.retryPeriod,
    onStartedLeading(signal) {
      starting = options.work({ ...context, signal: AbortSignal.any([context.signal, signal]) }).then(
        (started) => held.add(() => started.stop()),
        (error: unknown) => {
          if (!stopping) options.failed(error as Error);
        },
      );
    },
    onStoppedLeading() {
      if (!stopping) options.failed(new Error('leaderelection lost'));
    },
    onNewLeader: (identity) => log.info('New leader elected', { lease: options.name, identity }),
  });
  return running(async () => {
    stopping = true;
    await starting;
    // The work ends before the lease is given up.
    await held.dispose();
    await election.stop();
  });
}

/** What flags and configuration files say of the election, by the flags' names. */
export interface LeaseFlags {
  'leader-elect': boolean;
  'leader-elect-lease-duration': number;
  'leader-elect-renew-deadline': number;
  'leader-elect-retry-period': number;
  'leader-elect-resource-lock': string;
  'leader-elect-resource-name': string;
  'leader-elect-resource-namespace': string;
}

export const leaseOf = (values: LeaseFlags): Omit<LeadershipOptions, 'client' | 'work' | 'failed'> => {
  if (values['leader-elect-resource-lock'] !== 'leases')
    throw new Error(
      `leaderElection.resourceLock: Invalid value: ${JSON.stringify(values['leader-elect-resource-lock'])}: resourceLock value must be "leases"`,
    );
  return {
    elect: values['leader-elect'],
    namespace: values['leader-elect-resource-namespace'],
    name: values['leader-elect-resource-name'],
    leaseDuration: values['leader-elect-lease-duration'],
    renewDeadline: values['leader-elect-renew-deadline'],
    retryPeriod: values['leader-elect-retry-period'],
  };
};
