/** `coxswain kube-controller-manager`: the controllers alone, beside any API server. upstream: cmd/kube-controller-manager. */
import { informersOver } from '#client';
import { controllerClients, startControllerManager } from '#cluster';
import { controllers } from '#controllers';
import type { ControllersStart } from '#controllers';
import { Disposables, running } from '#machinery/lifecycle';
import type { ParsedFlags } from '../flags/parse.ts';
import type { FlagValues } from '../flags/table.ts';
import { apiConnection, connect } from './api-connection.ts';
import { runComponent } from './component.ts';
import { controllerNames, offByDefault } from './controller-names.ts';
import { kubeControllerManagerFlags } from './kube-controller-manager-flags.ts';
import { leadership, leaseOf } from './leadership.ts';
import { keyPairFiles, readFlagFile } from './pem-files.ts';
import { serveFromFlags } from './serving-flags.ts';

const name = 'kube-controller-manager';

/** Which of ours run by --controllers. Throws for names that nobody knows. */
export function chosenControllers(wanted: readonly string[], warn: (text: string) => void): ControllersStart['controllers'] {
  const canonical = new Map(Object.entries(controllerNames).flatMap(([known, old]) => [known, ...old].map((any) => [any, known] as const)));
  const all = wanted.includes('*');
  const on = new Set<string>();
  const off = new Set<string>();
  for (const entry of wanted) {
    if (entry === '*') continue;
    const known = canonical.get(entry.replace(/^-/, ''));
    if (!known) throw new Error(`"${entry.replace(/^-/, '')}" is not in the list of known controllers`);
    (entry.startsWith('-') ? off : on).add(known);
  }
  const have = new Set<string>();
  const chosen = controllers.filter((factory) => {
    const own = factory().name;
    have.add(own);
    if (off.has(own)) return false;
    return on.has(own) || (all && !offByDefault.has(own));
  });
  for (const missing of on) if (!have.has(missing)) warn(`there is no ${missing} in coxswain`);
  return chosen;
}

type Values = FlagValues<typeof kubeControllerManagerFlags>;

/** Those of --controllers that also other flags let run. */
export const controllersOf = (values: Values, warn: (text: string) => void): ControllersStart['controllers'] =>
  chosenControllers(values.controllers, warn).filter(
    (factory) => values['enable-garbage-collector'] || factory().name !== 'garbage-collector-controller',
  );

/** How they work, where something is said of it. */
export const tunedOptions = ({ values, given }: ParsedFlags<typeof kubeControllerManagerFlags>): Partial<ControllersStart['options']> => ({
  ...((given.has('node-cidr-mask-size') || given.has('node-cidr-mask-size-ipv4')) && { nodeCidrMaskSize: maskSize(values) }),
  ...(given.has('cluster-signing-duration') && { signingDuration: values['cluster-signing-duration'] }),
  ...watching(values),
});

const maskSize = (values: Values): number => values['node-cidr-mask-size-ipv4'] || values['node-cidr-mask-size'] || 24;

const watching = (values: Values): Partial<ControllersStart['options']> => ({
  nodeMonitorPeriod: values['node-monitor-period'],
  nodeMonitorGracePeriod: values['node-monitor-grace-period'],
  terminatedPodThreshold: values['terminated-pod-gc-threshold'],
});

function options(values: Values, kubeconfigCa: string): Partial<ControllersStart['options']> {
  const signer = keyPairFiles(
    ['cluster-signing-cert-file', values['cluster-signing-cert-file']],
    ['cluster-signing-key-file', values['cluster-signing-key-file']],
  );
  const networks = (text: string): string[] => text.split(',').filter(Boolean);
  if (values['allocate-node-cidrs'] && values['cluster-cidr'] === '')
    throw new Error('--cluster-cidr must be given with --allocate-node-cidrs');
  const key = values['service-account-private-key-file'];
  return {
    clusterCidrs: networks(values['cluster-cidr']),
    serviceCidrs: networks(values['service-cluster-ip-range']),
    allocateNodeCidrs: values['allocate-node-cidrs'],
    nodeCidrMaskSize: maskSize(values),
    rootCa: values['root-ca-file'] ? readFlagFile('root-ca-file', values['root-ca-file']) : kubeconfigCa,
    ...(signer && { signer, signingDuration: values['cluster-signing-duration'] }),
    ...(key && { serviceAccountKey: readFlagFile('service-account-private-key-file', key) }),
    ...watching(values),
  };
}

export const kubeControllerManager = (parameters: string[]): Promise<number> =>
  runComponent(
    {
      name,
      about: 'The controllers of Kubernetes: each watches some kinds and makes the world as they ask.',
      flags: kubeControllerManagerFlags,
      async start({ values }, context, { warn, failed }) {
        const { clock, random, log } = context;
        const server = apiConnection(values, name, clock);
        const chosen = controllersOf(values, warn);
        const settings = options(values, server.ca?.toString() ?? '');
        const lease = leaseOf(values);
        const held = new Disposables();
        try {
          const { transport, client } = connect(server);
          held.add(() => transport.close());
          const serving = await serveFromFlags(name, values, { health: () => undefined }, context);
          held.add(() => serving.stop());
          const leading = await leadership(
            {
              ...lease,
              client,
              failed,
              async work(leader) {
                const own = new Disposables();
                const informers = informersOver(client, { clock, random, log });
                own.add(() => informers.stop());
                const clients = values['use-service-account-credentials'] ? await controllerClients(client, server) : undefined;
                if (clients) own.add(() => clients.close());
                const started = await startControllerManager(
                  { clientFor: clients?.clientFor ?? (() => client), informers, controllers: chosen, options: settings },
                  leader,
                );
                own.add(() => started.stop());
                return running(() => own.dispose());
              },
            },
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
