/** What runs on one machine: containerd, the kubelet with its server, the service proxy, DNS, pod addresses and routes. Or, simulated, the kubelet alone. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { Node } from '#api';
import { eventRecorder, informersOver } from '#client';
import type { Client, Informers } from '#client';
import { createKubelet } from '#kubelet';
import type { KubeletOptions } from '#kubelet';
import { Disposables, running } from '#machinery/lifecycle';
import type { Context, Running } from '#machinery/lifecycle';
import type { KeyPair } from '#machinery/pki';
import { createDns, createNodeNetwork, createPolicy, createProxy } from '#network';
import { bundledImages, criRuntime, sandboxImage, simulatedRuntime, startContainerd } from '#runtime';
import type { Runtime } from '#runtime';
import { kubeletServer } from '#kubelet/server';
import { machineAddress, machineName } from './config.ts';
import type { ClusterConfig } from './config.ts';
import type { PartSettings } from './part-settings.ts';
import type { ClusterPaths } from './paths.ts';
import { requirements } from './requirements.ts';
import { machineCgroup } from './sandbox.ts';

export interface MachineOptions {
  config: ClusterConfig;
  paths: ClusterPaths;
  index: number;
  certificates: { client: KeyPair; server: KeyPair };
  clientCa: string;
  /** Image archives to load before the node is ready. */
  images: string[];
  parts?: Pick<PartSettings, 'kubelet' | 'proxy'>;
  /** Speak as the node, and as what reads Services, endpoints and nodes. */
  nodeClient: Client;
  networkClient: Client;
}

export interface RunningMachine extends Running {
  /** Resolves when the node is Ready. */
  ready: Promise<void>;
}

const kubeletPort = 10250;
/** As many are lost at most when a shim is killed. */
const podsPerShim = 8;
/** Not below /run, from which some distributions start no programs. */
const pluginFolder = ({ state }: { state: string }): string => join(state, 'cni-plugins');

/** Images are loaded once a state directory: what was there at the last start is there still. */
async function loadBundled(runtime: Runtime, directory: string): Promise<void> {
  if ((await runtime.images.imageStatus({ image: { image: sandboxImage } })).image) return;
  const archive = join(directory, 'bundled-images.tar');
  writeFileSync(archive, await bundledImages(process.arch));
  try {
    await runtime.load(archive);
  } finally {
    rmSync(archive, { force: true });
  }
}

export async function startMachine(options: MachineOptions, context: Context): Promise<RunningMachine> {
  const { config, paths, index } = options;
  const { clock, random } = context;
  const name = machineName(index);
  const address = machineAddress(config, index);
  const directories = paths.machine(name);
  const log = context.log.with({ node: name });
  const held = new Disposables();
  const simulated = config.runtime === 'simulated';
  try {
    const runtime = simulated ? simulatedMachine(context, index) : await containerdMachine(options, context);
    held.add(() => runtime.close());
    if (config.without?.includes('kubelet')) {
      if (!simulated) await startNetwork(options, context, held);
      return { ready: Promise.resolve(), ...running(() => held.dispose()) };
    }
    const informers = informersOver(options.nodeClient, { clock, random, log });
    held.add(() => informers.stop());
    const events = eventRecorder({ client: options.nodeClient, clock, component: 'kubelet', host: name, log });
    held.add(() => events.stop());
    // Simulated machines share the loopback's one address: each has a port of its own, known before the node says it.
    const listener = simulated ? await loopbackListener() : undefined;
    if (listener) held.add(() => void listener.close());
    const port = listener ? (listener.address() as AddressInfo).port : kubeletPort;
    const shared: KubeletOptions = {
      nodeName: name,
      hostname: name,
      client: options.nodeClient,
      informers,
      events,
      runtime,
      rootDirectory: join(directories.state, 'kubelet'),
      podLogsDirectory: join(directories.state, 'pod-logs'),
      clusterDns: [config.dnsAddress],
      clusterDomain: config.clusterDomain,
      nodeIps: [address],
      resolverConfig: '',
      evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
      ...options.parts?.kubelet,
      port,
      server: kubeletServer({
        client: options.nodeClient,
        host: address,
        port,
        ...(listener && { listener }),
        certificate: options.certificates.server.certificate,
        key: options.certificates.server.key,
        clientCa: options.clientCa,
      }),
    };
    const kubelet = createKubelet(
      simulated ? { ...shared, simulated: true } : { ...shared, cgroupRoot: machineCgroup(config.name, index) },
    );
    const agent = await kubelet.start({ ...context, log: log.with({ component: 'kubelet' }) });
    held.add(() => agent.stop());
    if (!simulated) await startNetwork(options, context, held);
    return { ready: nodeReady(informers, name), ...running(() => held.dispose()) };
  } catch (error) {
    await held.dispose();
    throw error;
  }
}

function loopbackListener(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

function simulatedMachine({ clock, random }: Context, index: number): Runtime {
  const free: string[] = [];
  let next = 2;
  return simulatedRuntime({
    clock,
    random,
    allocateAddress: () => {
      const reused = free.shift();
      if (reused !== undefined) return reused;
      const host = next++;
      return `10.244.${index + (host >> 8)}.${host & 255}`;
    },
    releaseAddress: (address) => void free.push(address),
  });
}

async function containerdMachine({ config, paths, index, images }: MachineOptions, { clock, log, signal }: Context): Promise<Runtime> {
  const directories = paths.machine(machineName(index));
  const found = requirements();
  mkdirSync(directories.state, { recursive: true });
  mkdirSync(join(directories.state, 'pod-logs'), { recursive: true });
  const { socket, adopted } = await startContainerd({
    clock,
    root: join(directories.state, 'containerd'),
    state: directories.run,
    cniConfDir: join(directories.run, 'cni'),
    cniBinDir: pluginFolder(directories),
    ociRuntime: found.ociRuntime,
    sandboxImage,
    logPath: join(paths.logs, `${machineName(index)}-containerd.log`),
    restrictOomScoreAdj: !found.mayRaiseOomScore,
    signal,
  });
  if (adopted) log.info('Found containerd running', { socket });
  const runtime = await criRuntime(socket, { podsPerShim });
  await loadBundled(runtime, directories.state);
  for (const image of images) await runtime.load(image);
  void config;
  return runtime;
}

/** The parts of a node's network; they share caches. */
async function startNetwork(
  { config, paths, index, networkClient, parts }: MachineOptions,
  context: Context,
  held: Disposables,
): Promise<void> {
  const { clock, random } = context;
  const name = machineName(index);
  const address = machineAddress(config, index);
  const log = context.log.with({ node: name });
  const informers = informersOver(networkClient, { clock, random, log });
  held.add(() => informers.stop());
  const network = { nodeName: name, informers, clusterCidrs: [config.podCidr] };
  const components = [
    createNodeNetwork({
      ...network,
      confDir: join(paths.machine(name).run, 'cni'),
      // Machines share a file system: each remembers its own pods' addresses, and they go with it.
      dataDir: join(paths.machine(name).state, 'addresses'),
      binDir: pluginFolder(paths.machine(name)),
    }),
    ...(config.without?.includes('proxy')
      ? []
      : [createProxy({ ...network, nodeIps: [address], serviceCidrs: [config.serviceCidr], ...parts?.proxy })]),
    createPolicy({ ...network, nodeIps: [address] }),
    createDns({
      informers,
      clusterDomain: config.clusterDomain,
      listen: [{ address, port: 53 }],
      upstreams: [],
      addresses: [config.dnsAddress],
    }),
  ];
  await Promise.all(
    components.map(async (component) => {
      const started = await component.start({ ...context, log: log.with({ component: component.name }) });
      held.add(() => started.stop());
    }),
  );
}

function nodeReady(informers: Informers, name: string): Promise<void> {
  return new Promise((resolve) => {
    const look = (node: Node): void => {
      if (node.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True')) {
        queueMicrotask(() => subscription[Symbol.dispose]());
        resolve();
      }
    };
    const subscription = informers.for(Node, { fieldSelector: `metadata.name=${name}` }).on({ added: look, updated: look });
  });
}
