/** KubeSchedulerConfiguration, from a file or from flags. upstream: kube-scheduler/config/v1, pkg/scheduler/apis/config/v1/defaults.go. */
import type { SchedulerConfiguration } from '#scheduler';
import { goDuration } from '../flags/value.ts';
import { clientConnection, readConfiguration } from './configuration-file.ts';
import type { ConfigurationForm } from './configuration-file.ts';
import type { LeaseFlags } from './leadership.ts';

export const kubeSchedulerConfiguration: ConfigurationForm = {
  apiVersion: 'kubescheduler.config.k8s.io/v1',
  kind: 'KubeSchedulerConfiguration',
  fields: {
    parallelism: 'warn',
    leaderElection: {
      leaderElect: 'use',
      leaseDuration: 'use',
      renewDeadline: 'use',
      retryPeriod: 'use',
      resourceLock: 'use',
      resourceName: 'use',
      resourceNamespace: 'use',
    },
    clientConnection,
    enableProfiling: 'warn',
    enableContentionProfiling: 'warn',
    percentageOfNodesToScore: 'use',
    podInitialBackoffSeconds: 'use',
    podMaxBackoffSeconds: 'use',
    profiles: 'use',
    extenders: 'refuse',
    delayCacheUntilActive: 'warn',
  },
};

export interface SchedulerSettings extends LeaseFlags {
  kubeconfig: string;
  config: SchedulerConfiguration;
}

interface LeaderElection {
  leaderElect?: boolean;
  leaseDuration?: string;
  renewDeadline?: string;
  retryPeriod?: string;
  resourceLock?: string;
  resourceName?: string;
  resourceNamespace?: string;
}

const milliseconds = (field: string, text: string | undefined, standard: number): number => {
  if (text === undefined) return standard;
  const found = goDuration(text);
  if (found === undefined) throw new Error(`${field}: time: invalid duration ${JSON.stringify(text)}`);
  return found;
};

/** What a file says; where it is silent, upstream's defaults, which are the flags'. */
export function schedulerSettings(path: string, warn: (text: string) => void): SchedulerSettings {
  const { leaderElection, clientConnection: connection, ...rest } = readConfiguration('config', path, kubeSchedulerConfiguration, warn);
  const election = (leaderElection ?? {}) as LeaderElection;
  const config = rest as SchedulerConfiguration;
  const names = (config.profiles ?? []).map((profile) => profile.schedulerName ?? '');
  if (names.length > 1 && names.includes(''))
    throw new Error('profiles: Required value: with more than one profile, each needs a schedulerName');
  if (new Set(names).size < names.length)
    throw new Error(`profiles: Duplicate value: ${JSON.stringify(names.find((name, at) => names.indexOf(name) !== at))}`);
  return {
    kubeconfig: ((connection ?? {}) as { kubeconfig?: string }).kubeconfig ?? '',
    config,
    'leader-elect': election.leaderElect ?? true,
    'leader-elect-lease-duration': milliseconds('leaderElection.leaseDuration', election.leaseDuration, 15_000),
    'leader-elect-renew-deadline': milliseconds('leaderElection.renewDeadline', election.renewDeadline, 10_000),
    'leader-elect-retry-period': milliseconds('leaderElection.retryPeriod', election.retryPeriod, 2_000),
    'leader-elect-resource-lock': election.resourceLock || 'leases',
    'leader-elect-resource-name': election.resourceName || 'kube-scheduler',
    'leader-elect-resource-namespace': election.resourceNamespace || 'kube-system',
  };
}
