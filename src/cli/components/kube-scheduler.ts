/** `coxswain kube-scheduler`: the scheduler alone, beside any API server. upstream: cmd/kube-scheduler. */
import { writeFileSync } from 'node:fs';
import { schedulerStarter } from '#cluster';
import { Disposables, running } from '#machinery/lifecycle';
import { apiConnection, connect } from './api-connection.ts';
import { runComponent } from './component.ts';
import { kubeSchedulerConfiguration, schedulerSettings } from './kube-scheduler-configuration.ts';
import type { SchedulerSettings } from './kube-scheduler-configuration.ts';
import { kubeSchedulerFlags } from './kube-scheduler-flags.ts';
import { leadership, leaseOf } from './leadership.ts';
import { serveFromFlags } from './serving-flags.ts';

const name = 'kube-scheduler';

/** The configuration as its file would say it. */
const asFile = ({ config, kubeconfig, ...election }: SchedulerSettings): Record<string, unknown> => ({
  apiVersion: kubeSchedulerConfiguration.apiVersion,
  kind: kubeSchedulerConfiguration.kind,
  clientConnection: { kubeconfig },
  leaderElection: {
    leaderElect: election['leader-elect'],
    leaseDuration: `${election['leader-elect-lease-duration'] / 1000}s`,
    renewDeadline: `${election['leader-elect-renew-deadline'] / 1000}s`,
    retryPeriod: `${election['leader-elect-retry-period'] / 1000}s`,
    resourceLock: election['leader-elect-resource-lock'],
    resourceName: election['leader-elect-resource-name'],
    resourceNamespace: election['leader-elect-resource-namespace'],
  },
  ...config,
});

export const kubeScheduler = (parameters: string[]): Promise<number> =>
  runComponent(
    {
      name,
      about: 'The scheduler of Kubernetes: chooses a node for each pod and binds it there.',
      flags: kubeSchedulerFlags,
      async start({ values }, context, { warn, failed }) {
        // As upstream: what a file has fields for is read from the file alone.
        const settings: SchedulerSettings = values.config ? schedulerSettings(values.config, warn) : { ...values, config: {} };
        if (values['write-config-to']) {
          const { stringify } = await import('yaml');
          writeFileSync(values['write-config-to'], stringify(asFile(settings)));
          return undefined;
        }
        const server = apiConnection({ kubeconfig: settings.kubeconfig, master: values.master }, name, context.clock);
        const lease = leaseOf(settings);
        // Loaded before the lease is held: it must be renewed while the rest starts.
        const startScheduler = await schedulerStarter();
        const held = new Disposables();
        try {
          // As upstream's informers: nobody here asks who wrote what.
          const { transport, client } = connect({ ...server, withoutManagedFields: true });
          held.add(() => transport.close());
          const configz = { 'kubescheduler.config.k8s.io': asFile(settings) };
          const serving = await serveFromFlags(name, values, { health: () => undefined, configz }, context);
          held.add(() => serving.stop());
          const leading = await leadership(
            { ...lease, client, failed, work: (leader) => startScheduler({ client, config: settings.config }, leader) },
            context,
          );
          held.add(() => leading.stop());
        } catch (error) {
          await held.dispose();
          throw error;
        }
        return running(() => held.dispose());
      },
    },
    parameters,
  );
