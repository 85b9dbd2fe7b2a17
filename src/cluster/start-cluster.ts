/**
 * A whole cluster inside a program, for tests of operators and controllers: API server, controllers, scheduler and simulated machines on a
 * store in memory. Nothing is written to disk, nothing of the machine is changed, and nothing is left when it is stopped.
 */
import { join } from 'node:path';
import { clientOver, httpTransport } from '#client';
import type { Client } from '#client';
import { systemClock, systemRandom } from '#machinery/clock';
import type { Clock, Random } from '#machinery/clock';
import { Disposables } from '#machinery/lifecycle';
import type { Context } from '#machinery/lifecycle';
import { silentLog } from '#machinery/log';
import type { Log } from '#machinery/log';
import { memoryStore } from '#store';
import type { Store } from '#store';
import { machinesGroup } from './add-ons.ts';
import { clusterCertificates, memoryPems } from './certificates.ts';
import { advertisedAddress, defaults, machineAddress, machineName } from './config.ts';
import type { ClusterConfig, ClusterPart } from './config.ts';
import { startControlPlane } from './control-plane.ts';
import type { ControlPlane } from './control-plane.ts';
import { startMachine } from './machine.ts';
import type { PartSettings } from './part-settings.ts';
import { pathsOf } from './paths.ts';

export interface StartClusterOptions {
  name?: string;
  /** Simulated machines; default 1, 0 is a control plane alone. */
  machines?: number;
  /** Parts that the program brings itself. */
  without?: ClusterPart[];
  clock?: Clock;
  random?: Random;
  log?: Log;
  /** Default: one in memory, closed with the cluster. */
  store?: Store;
  /** What is said of single parts. */
  parts?: PartSettings;
  /** Caches hand out frozen objects, so that writing to one fails at once. Default true. */
  freeze?: boolean;
}

export interface RunningCluster extends AsyncDisposable {
  /** https://127.0.0.1:<port> */
  server: string;
  /** For kubectl and client libraries: the text of a kubeconfig with an administrator's certificate. */
  kubeconfig: string;
  /** An administrator's client in this process. */
  client: Client;
  /** The same over HTTP/2 and TLS, as another program has it. */
  httpClient(): Client;
  controlPlane: ControlPlane;
  stop(): Promise<void>;
}

/** Resolves when the API answers, controllers and scheduler work, and every machine is Ready. */
export async function startCluster(options: StartClusterOptions = {}): Promise<RunningCluster> {
  const { clock = systemClock, random = systemRandom, log = silentLog, machines = 1, name = 'program' } = options;
  const config: ClusterConfig = {
    form: 1,
    name,
    runtime: 'simulated',
    machines,
    port: 0,
    podCidr: defaults.podCidr,
    serviceCidr: defaults.serviceCidr,
    clusterDomain: defaults.clusterDomain,
    dnsAddress: defaults.dnsAddress,
    ...(options.without && { without: options.without }),
  };
  const held = new Disposables();
  const stopping = new AbortController();
  const context: Context = { clock, random, log, signal: stopping.signal };
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping.abort(new Error('the cluster is stopped'));
    return (stopped ??= held.dispose());
  };
  try {
    const certificates = clusterCertificates({
      clock,
      pems: memoryPems(),
      clusterDomain: config.clusterDomain,
      apiAddresses: ['10.96.0.1'],
    });
    const store = options.store ?? memoryStore({ clock, random });
    if (!options.store) held.add(() => store.close());
    const controlPlane = await startControlPlane(
      {
        config,
        certificates,
        store,
        advertise: { address: advertisedAddress(config), port: 6443 },
        freeze: options.freeze ?? true,
        ...(options.parts && { parts: options.parts }),
      },
      context,
    );
    held.add(() => controlPlane.stop());
    const { server } = controlPlane;
    const listener = await server.listen({ host: '127.0.0.1', port: 0 });
    await controlPlane.ready;
    const paths = pathsOf(name);
    const started = await Promise.all(
      Array.from({ length: machines }, (_, index) =>
        startMachine(
          {
            config,
            paths: { ...paths, state: join('/nonexistent', name), run: join('/nonexistent', name) },
            index: index + 1,
            certificates: certificates.node(machineName(index + 1), [machineAddress(config, index + 1)]),
            clientCa: certificates.ca.certificate,
            images: [],
            ...(options.parts && { parts: options.parts }),
            nodeClient: server.clientFor(
              { name: `system:node:${machineName(index + 1)}`, groups: ['system:nodes', 'system:authenticated'] },
              'kubelet',
            ),
            networkClient: server.clientFor({ name: 'system:kube-proxy', groups: [machinesGroup, 'system:authenticated'] }, 'kube-proxy'),
          },
          context,
        ),
      ),
    );
    for (const machine of started) held.add(() => machine.stop());
    await Promise.all(started.map((machine) => machine.ready));
    const url = `https://127.0.0.1:${listener.port}`;
    const { kubeconfigText } = await import('./kubeconfig.ts');
    return {
      server: url,
      kubeconfig: kubeconfigText({ cluster: name, server: url, ca: certificates.ca.certificate, user: certificates.admin }),
      client: server.clientFor({ name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }, 'coxswain'),
      httpClient() {
        const transport = httpTransport({
          clock,
          server: url,
          ca: certificates.ca.certificate,
          cert: certificates.admin.certificate,
          key: certificates.admin.key,
        });
        held.add(() => transport.close());
        return clientOver(transport);
      },
      controlPlane,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
