/** The process of one machine. The first one carries the control plane as well. Runs until SIGTERM or SIGINT. */
import { closeSync, fstatSync, writeSync } from 'node:fs';
import { clientOver, httpTransport } from '#client';
import type { Client } from '#client';
import { systemClock, systemRandom } from '#machinery/clock';
import { Disposables } from '#machinery/lifecycle';
import type { Context } from '#machinery/lifecycle';
import { jsonLog } from '#machinery/log';
import type { KeyPair } from '#machinery/pki';
import { machinesGroup } from './add-ons.ts';
import { clusterAudit } from './audit.ts';
import { clusterCertificates, filePems } from './certificates.ts';
import type { ClusterCertificates } from './certificates.ts';
import { advertisedAddress, machineAddress, machineName, readConfig } from './config.ts';
import type { ClusterConfig, ClusterPart } from './config.ts';
import { startControlPlane } from './control-plane.ts';
import type { ControlPlaneOptions } from './control-plane.ts';
import type { PartSettings } from './part-settings.ts';
import { ownHeap, releaseWhenIdle } from './idle-memory.ts';
import { pathsOf } from './paths.ts';
import { openStore } from './store.ts';
import type { ClusterPaths } from './paths.ts';
import { serviceAddress } from './up.ts';
import type { MachineReport } from './up.ts';

const securePort = 6443;
const listenerDescriptor = 3;
const reportDescriptor = 4;

/** Looked at before anything opens a file of that number. */
const reporting = isOpen(reportDescriptor);
const listening = isOpen(listenerDescriptor);

function report(message: MachineReport): void {
  if (!reporting) return;
  try {
    writeSync(reportDescriptor, `${JSON.stringify(message)}\n`);
  } catch {
    // `up` has heard enough and is gone.
  }
}

function isOpen(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket();
  } catch {
    return false;
  }
}

export interface RunMachineOptions {
  images: string[];
  /** What `arguments` of the cluster's settings mean. Throws where they cannot be used. */
  parts(given: NonNullable<ClusterConfig['arguments']>): Promise<PartSettings>;
}

export async function runMachine(clusterName: string, index: number, options: RunMachineOptions): Promise<void> {
  const paths = pathsOf(clusterName);
  const config = readConfig(paths.config);
  if (!config) throw new Error(`Cannot run a machine of ${clusterName}: there is no such cluster`);
  const name = machineName(index);
  const level = (process.env['COXSWAIN_LOG'] ?? 'info') as 'debug' | 'info' | 'warn' | 'error';
  const log = jsonLog(
    (line) => void process.stderr.write(line),
    level,
    () => systemClock.now(),
  ).with({ machine: name });
  const stopping = new AbortController();
  const context: Context = { clock: systemClock, random: systemRandom, log, signal: stopping.signal };
  const held = new Disposables();
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => {
        log.info('Stopping', { signal });
        resolve();
      });
  });
  // The clock's timers do not keep a process alive, so that nobody waits for them; while this port is open, it lives.
  const alive = new MessageChannel().port1;
  alive.ref();
  held.add(() => alive.close());
  const heap = ownHeap();
  if (heap) {
    const idle = releaseWhenIdle(heap, context);
    held.add(() => idle[Symbol.dispose]());
  }
  try {
    const parts = await options.parts(config.arguments ?? {});
    const certificates = clusterCertificates({
      clock: systemClock,
      pems: filePems(paths.pki),
      clusterDomain: config.clusterDomain,
      apiAddresses: [serviceAddress(config), machineAddress(config, 1)],
    });
    const address = machineAddress(config, index);
    const nodeCertificates = certificates.node(name, [address]);
    const speak: MachineClients =
      index === 1
        ? await startFirst({ config, certificates, parts }, paths, context, held)
        : overNetwork(config, certificates, nodeCertificates.client, held);
    if (config.machines > 0) {
      const here = config.runtime === 'containerd' ? [index] : Array.from({ length: config.machines }, (_, at) => at + 1);
      const { startMachine } = await import('./machine.ts');
      const machines = await Promise.all(
        here.map((at) =>
          startMachine(
            {
              config,
              paths,
              index: at,
              certificates: certificates.node(machineName(at), [machineAddress(config, at)]),
              clientCa: certificates.ca.certificate,
              images: options.images,
              parts,
              nodeClient: speak.node(machineName(at)),
              networkClient: speak.network(),
            },
            context,
          ),
        ),
      );
      for (const machine of machines) held.add(() => machine.stop());
      await Promise.all(machines.map((machine) => machine.ready));
    }
    report({
      step:
        config.machines === 0
          ? 'Control plane'
          : config.runtime === 'containerd'
            ? `${name} is ${config.without?.includes('kubelet') ? 'there, without a kubelet' : 'Ready'}`
            : 'Simulated machines are Ready',
    });
    report({ ready: 'machine' });
    if (reporting) closeSync(reportDescriptor);
    await stopped;
  } catch (error) {
    log.error('Cannot start', { error });
    report({ failed: (error as Error).message });
    process.exitCode = 1;
  }
  stopping.abort(new Error('stopping'));
  await held.dispose();
  log.info('Stopped');
  process.exit();
}

interface MachineClients {
  node(name: string): Client;
  network(): Client;
}

/** The control plane, in the process of the first machine. */
async function startFirst(
  { config, certificates, parts }: Pick<ControlPlaneOptions, 'config' | 'certificates' | 'parts'>,
  paths: ClusterPaths,
  context: Context,
  held: Disposables,
): Promise<MachineClients> {
  const store = await openStore(config, paths, systemClock);
  held.add(() => store.close());
  const sandboxed = config.runtime === 'containerd' && config.machines > 0;
  const controlPlane = await startControlPlane(
    {
      config,
      certificates,
      store,
      advertise: { address: advertisedAddress(config), port: sandboxed ? securePort : config.port },
      ...(await clusterAudit(process.env, context)),
      ...(parts && { parts }),
    },
    context,
  );
  held.add(() => controlPlane.stop());
  const { server } = controlPlane;
  await server.listen(listening ? { fd: listenerDescriptor } : { host: '127.0.0.1', port: config.port });
  if (sandboxed) await server.listen({ host: machineAddress(config, 1), port: securePort });
  await server.ready;
  report({ step: 'API server' });
  report({ ready: 'api' });
  await controlPlane.ready;
  const own = ['controllers', 'scheduler'].filter((part) => !config.without?.includes(part as ClusterPart));
  if (own.length > 0) report({ step: own.join(' and ').replace(/^./, (first) => first.toUpperCase()) });
  return {
    node: (name) => server.clientFor({ name: `system:node:${name}`, groups: ['system:nodes', 'system:authenticated'] }, 'kubelet'),
    network: () => server.clientFor({ name: 'system:kube-proxy', groups: [machinesGroup, 'system:authenticated'] }, 'kube-proxy'),
  };
}

function overNetwork(config: ClusterConfig, certificates: ClusterCertificates, node: KeyPair, held: Disposables): MachineClients {
  const connect = ({ certificate, key }: KeyPair, userAgent: string): Client => {
    const transport = httpTransport({
      clock: systemClock,
      server: `https://${machineAddress(config, 1)}:${securePort}`,
      ca: certificates.ca.certificate,
      cert: certificate,
      key,
      userAgent,
    });
    held.add(() => transport.close());
    return clientOver(transport);
  };
  const nodeClient = connect(node, 'kubelet');
  const networkClient = connect(certificates.machineNetwork, 'kube-proxy');
  return { node: () => nodeClient, network: () => networkClient };
}
