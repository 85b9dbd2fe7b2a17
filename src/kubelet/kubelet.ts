import { readFile } from 'node:fs/promises';
import type { Pod, PodStatus } from '#api';
import { Node as NodeKind, Pod as PodKind, RuntimeClass, Service } from '#api';
import { informersOver } from '#client';
import type { Context, Running } from '#machinery/lifecycle';
import { Disposables, running } from '#machinery/lifecycle';
import { milliValue, value } from '#machinery/quantity';
import type { Kubelet, KubeletApi, KubeletOptions } from './contract.ts';
import { Housekeeping } from './housekeeping.ts';
import { kubeletApi } from './kubelet-api.ts';
import { MirrorPods } from './mirror-pods.ts';
import { NodeLease } from './node/lease.ts';
import type { Machine } from './node/machine.ts';
import { filesystemUse, readMachine } from './node/machine.ts';
import type { NodeResources } from './node/resources.ts';
import { nodeResources } from './node/resources.ts';
import { NodeStatusReporter } from './node/status.ts';
import { Pleg } from './pleg.ts';
import type { PodActions } from './pod-runtime/actions.ts';
import { PodCache } from './pod-runtime/cache.ts';
import type { ResolverSettings } from './pod-runtime/dns.ts';
import { ImageManager } from './pod-runtime/images.ts';
import { PodRuntime } from './pod-runtime/manager.ts';
import { UserNamespaces } from './pod-runtime/user-namespace.ts';
import type { RuntimePod } from './pod-runtime/runtime-pod.ts';
import { PodIntake } from './pod-intake.ts';
import { PodSync } from './pod-sync.ts';
import { PodWorkers } from './pod-workers.ts';
import { formatPod, isStaticPod, specOf, uidOf } from './pod-spec.ts';
import { ProbeManager } from './prober/manager.ts';
import type { Cgroups } from './resources/cgroups.ts';
import { kernelCgroups, noCgroups } from './resources/cgroups.ts';
import { Resizes, actuateResize } from './resources/resize.ts';
import { StatusManager } from './status/manager.ts';
import { podStatus } from './status/pod-status.ts';
import { Stats } from './stats.ts';
import { VolumeManager } from './volumes/manager.ts';
import { noMounter, systemMounter } from './volumes/mounter.ts';
import { ReferencedObjects } from './volumes/objects.ts';
import { Tokens } from './volumes/tokens.ts';

/** The agent of one node. upstream: pkg/kubelet/kubelet.go. */
export function createKubelet(options: KubeletOptions): Kubelet {
  let instance: KubeletInstance | undefined;
  return {
    name: 'kubelet',
    get api() {
      if (!instance) throw new Error('Cannot ask the kubelet: it has not started');
      return instance.api;
    },
    async start(context) {
      instance = new KubeletInstance(options, context);
      return instance.start();
    },
  };
}

class KubeletInstance {
  readonly #options: KubeletOptions;
  readonly #context: Context;
  readonly #simulated: boolean;
  readonly #disposables = new Disposables();
  readonly #pods = new Map<string, Pod>();
  readonly #reasons = new Map<string, { reason: string; message: string }>();
  readonly #resizes: Resizes;
  readonly #dirty = new Set<string>();
  readonly #machine: Machine;
  readonly #cache: PodCache;
  readonly #statuses: StatusManager;
  readonly #probes: ProbeManager;
  readonly #objects: ReferencedObjects;
  readonly #volumes: VolumeManager;
  readonly #images: ImageManager;
  readonly #runtime: PodRuntime;
  readonly #workers: PodWorkers;
  readonly #pleg: Pleg;
  readonly #node: NodeStatusReporter;
  readonly #stats: Stats;
  readonly #housekeeping: Housekeeping;
  readonly #mirrors: MirrorPods;
  readonly #intake: PodIntake;
  readonly #users: UserNamespaces;
  readonly #stopping = new AbortController();
  #cgroups: Cgroups = noCgroups;
  #resources: NodeResources = { capacity: {}, allocatable: {} };
  #resolverText: string | undefined;
  #network = 'container runtime status has not been read yet';
  readonly api: KubeletApi;

  constructor(options: KubeletOptions, context: Context) {
    this.#options = options;
    this.#context = context;
    this.#simulated = options.simulated === true;
    const { clock, random, log } = context;
    const { client, events, runtime, nodeIps } = options;
    const simulated = this.#simulated;
    const mounter = simulated ? noMounter : systemMounter();
    this.#machine = readMachine(options.cgroupMount);
    this.#cache = new PodCache(runtime, simulated);
    this.#statuses = new StatusManager({
      client,
      clock,
      log,
      couldHaveRunningContainers: (uid) => this.#workers.couldHaveRunningContainers(uid),
      apiPod: (uid) => {
        const pod = this.#pods.get(uid);
        return pod && isStaticPod(pod) ? this.#mirrors.mirrorOf(pod) : pod;
      },
    });
    this.#probes = new ProbeManager({ runtime, clock, random, log, events, startedAt: clock.now(), simulated }, (uid, type, result) => {
      this.#refreshSoon(uid);
      if (type !== 'readiness' && result !== 'unknown') this.#workers.wake(uid);
    });
    this.#objects = new ReferencedObjects(
      { client, clock, random, log, ...(options.sharesObjects && { shared: options.informers }) },
      (uid) => this.#workers.wake(uid),
    );
    const allocatable = (): { cpuMilli: number; memoryBytes: number; ephemeralStorageBytes: number } => ({
      cpuMilli: milliValue(this.#resources.allocatable['cpu']),
      memoryBytes: value(this.#resources.allocatable['memory']),
      ephemeralStorageBytes: value(this.#resources.allocatable['ephemeral-storage']),
    });
    this.#resizes = new Resizes({ clock, events, allocatable, unfit: (pod) => this.#intake.unfit(pod) });
    this.#volumes = new VolumeManager(
      {
        client,
        clock,
        log,
        mounter,
        rootDirectory: options.rootDirectory,
        nodeName: options.nodeName,
        nodeIps,
        objects: this.#objects,
        tokens: new Tokens(client, clock),
        allocatable,
        podStatus: (uid) => this.#statuses.get(uid),
        simulated,
      },
      events,
    );
    this.#images = new ImageManager({
      runtime,
      clock,
      events,
      serialize: options.serializeImagePulls ?? true,
      maxParallel: options.maxParallelImagePulls,
      signal: this.#stopping.signal,
    });
    const services = options.informers.for(Service);
    const runtimeClasses = options.informers.for(RuntimeClass);
    this.#users = new UserNamespaces(options.rootDirectory);
    this.#runtime = new PodRuntime({
      runtime,
      clock,
      random,
      log,
      events,
      cache: this.#cache,
      images: this.#images,
      mounter,
      machine: this.#machine,
      facts: {
        liveness: (id) => this.#probes.result(id, 'liveness'),
        startup: (id) => this.#probes.result(id, 'startup'),
        resize: (pod, container, current) => this.#resizes.compare(pod, container, current),
      },
      rootDirectory: options.rootDirectory,
      podLogsDirectory: options.podLogsDirectory,
      clusterDomain: options.clusterDomain,
      resolver: (pod) => this.#resolver(pod),
      cgroupParent: (pod) => this.#cgroups.parent(pod),
      async runtimeHandler(pod) {
        const name = specOf(pod).runtimeClassName;
        if (!name) return '';
        await runtimeClasses.synced;
        const found = runtimeClasses.get(name);
        if (!found) throw new Error(`failed to get sandbox runtime: runtimeclasses.node.k8s.io "${name}" not found`);
        return found.handler;
      },
      recursiveReadOnly: (handler) => this.#node.recursiveReadOnly(handler),
      users: (pod, handler) => this.#users.of(pod, this.#node.userNamespaces(handler)),
      environment: (pod, podIps) => ({
        configMap: this.#objects.configMap,
        secret: this.#objects.secret,
        services: () => services.list(),
        allocatable: allocatable(),
        addresses: { podIps, nodeIps },
        volumeFile: (name, file) => this.#volumeFile(pod, name, file),
      }),
      maxContainerRestartPeriod: options.maxContainerRestartPeriod ?? 300_000,
      simulated,
      setReason: (pod, container, reason) => {
        const key = `${uidOf(pod)}/${container}`;
        if (reason) this.#reasons.set(key, reason);
        else this.#reasons.delete(key);
        this.#refreshSoon(uidOf(pod));
      },
      actuated: (pod, container) => this.#resizes.setActuated(pod, container),
      resize: (pod, actions) => this.#resize(pod, actions),
      isTerminating: (uid) => this.#workers.isTerminating(uid),
    });
    const sync = new PodSync({
      clock,
      log,
      events,
      cache: this.#cache,
      runtime: this.#runtime,
      statuses: this.#statuses,
      probes: this.#probes,
      volumes: this.#volumes,
      objects: this.#objects,
      cgroups: {
        ...noCgroups,
        ensure: async (pod) => {
          await this.#cgroups.ensure(pod);
          await this.#cgroups.shareAmong(this.#workers.active());
        },
        remove: (uid) => this.#cgroups.remove(uid),
      },
      simulated,
      makeStatus: (pod, state, terminal) => this.#makeStatus(pod, state, terminal),
      setStatus: (pod, status) => this.#setStatus(pod, status),
      networkProblem: () => this.#network,
      isKnown: (uid) => this.#pods.has(uid),
      beforeStart: (pod) => {
        if (isStaticPod(pod)) void this.#mirrors.ensure(pod);
      },
      resizeProgress: (pod, state) => this.#resizes.progress(pod, state),
      forgotten: (pod) => {
        this.#users.release(uidOf(pod));
        for (const key of this.#reasons.keys()) if (key.startsWith(`${uidOf(pod)}/`)) this.#reasons.delete(key);
        this.#intake.forgotten(uidOf(pod));
      },
    });
    this.#workers = new PodWorkers(sync, { clock, random, log });
    this.#pleg = new Pleg({
      runtime,
      cache: this.#cache,
      clock,
      log,
      changed: (uid) => {
        this.#refreshSoon(uid);
        this.#workers.wake(uid);
      },
      found: (state) => this.#intake.found(state),
      busy: () => this.#workers.busy(),
    });
    this.#node = new NodeStatusReporter({
      options,
      clock,
      log,
      machine: this.#machine,
      resources: () => this.#resources,
      pressure: () => this.#housekeeping.pressure,
      runtimeState: ({ network, message }) => {
        this.#network = network ? '' : message;
      },
    });
    this.#stats = new Stats({
      nodeName: options.nodeName,
      runtime,
      clock,
      machine: this.#machine,
      rootDirectory: options.rootDirectory,
      podLogsDirectory: options.podLogsDirectory,
      simulated,
      startedAt: clock.now(),
      pods: () => [...this.#pods.values()],
      state: (uid) => this.#cache.peek(uid),
      volumes: (uid) => this.#volumes.mounted(uid),
    });
    this.#housekeeping = new Housekeeping({
      options,
      context,
      machine: this.#machine,
      stats: this.#stats,
      images: this.#images,
      pods: () => this.#workers.active(),
      running: () => this.#runningContainers(),
      evict: (pod, message) => this.#intake.evict(pod, message),
      node: () => this.#node.node,
      imagesChanged: () => this.#node.imagesChanged(),
      pressureChanged: () => this.#node.poke(),
    });
    this.#mirrors = new MirrorPods({ client, log, nodeName: options.nodeName, nodeUid: () => this.#node.uid });
    this.#intake = new PodIntake({
      options,
      context,
      pods: this.#pods,
      cache: this.#cache,
      workers: this.#workers,
      statuses: this.#statuses,
      resizes: this.#resizes,
      mirrors: this.#mirrors,
      housekeeping: this.#housekeeping,
      node: this.#node,
      pleg: this.#pleg,
      volumes: this.#volumes,
      cgroups: () => this.#cgroups,
      allocatable: () => this.#resources.allocatable,
      makeStatus: (pod, state, terminal) => this.#makeStatus(pod, state, terminal),
      refreshSoon: (uid) => this.#refreshSoon(uid),
    });
    this.api = kubeletApi({
      options,
      cache: this.#cache,
      stats: this.#stats,
      pods: () => [...this.#pods.values()].map((pod) => this.#withStatus(pod)),
      conditions: () => this.#node.conditions(),
      healthy: () => this.#intake.synced && this.#pleg.healthy,
    });
  }

  async start(): Promise<Running> {
    const { clock, random, log } = this.#context;
    const { client, nodeName, informers } = this.#options;
    const disposables = this.#disposables;
    disposables.add(() => this.#stopping.abort());
    try {
      await this.#prepareMachine();
      const own = informersOver(client, { clock, random, log });
      disposables.add(() => own.stop());
      const pods = own.for(PodKind, { fieldSelector: `spec.nodeName=${nodeName}` });
      disposables.add(() => this.#objects.stop());
      disposables.add(() => this.#statuses.stop());
      disposables.add(() => this.#probes.stop());
      disposables.add(() => this.#workers.stop());
      disposables.add(() => this.#pleg.stop());
      disposables.add(() => this.#node.stop());
      // What already runs must be known before the first pod is looked at, or it would be started again.
      await this.#pleg.relist();
      await this.#node.register();
      const nodes = own.for(NodeKind, { fieldSelector: `metadata.name=${nodeName}` });
      nodes.on({ added: (node) => this.#node.observe(node), updated: (node) => this.#node.observe(node) });
      const lease = new NodeLease({
        client,
        clock,
        log,
        nodeName,
        nodeUid: () => this.#node.uid,
        durationSeconds: this.#options.nodeLeaseDurationSeconds ?? 40,
      });
      lease.start();
      disposables.add(() => lease.stop());
      await Promise.all([pods.synced, informers.for(Service).synced]);
      disposables.add(() => subscription[Symbol.dispose]());
      const subscription = pods.on({
        added: (pod) => this.#intake.added(pod),
        updated: (pod, old) => this.#intake.updated(pod, old),
        deleted: (pod) => this.#intake.deleted(pod),
      });
      this.#intake.synced = true;
      disposables.add(() => this.#intake.stop());
      await this.#intake.startStaticPods();
      await this.#intake.cleanOrphans();
      this.#pleg.start();
      this.#housekeeping.start();
      disposables.add(() => this.#housekeeping.stop());
      if (this.#options.server) {
        const server = await this.#options.server(this.api, this.#context);
        disposables.add(() => server.stop());
      }
    } catch (error) {
      await disposables.dispose();
      throw error;
    }
    return running(() => disposables.dispose());
  }

  async #prepareMachine(): Promise<void> {
    const { log } = this.#context;
    const options = this.#options;
    const disk = this.#simulated ? undefined : await filesystemUse(options.rootDirectory).catch(() => undefined);
    this.#resources = nodeResources(this.#machine, disk, options);
    if (this.#simulated) return;
    const resolver = options.resolverConfig ?? '/etc/resolv.conf';
    this.#resolverText = resolver ? await readFile(resolver, 'utf8').catch(() => '') : undefined;
    await this.#volumes.start();
    await this.#users.restore(await this.#volumes.onDisk());
    this.#disposables.add(() => this.#volumes.stop());
    if (options.cgroupRoot !== undefined)
      try {
        this.#cgroups = await kernelCgroups({
          root: options.cgroupRoot,
          mount: options.cgroupMount ?? '/sys/fs/cgroup',
          v2: this.#machine.cgroupV2,
          log,
        });
      } catch (error) {
        log.warn('Pods run without cgroups of their own: they cannot be made here', { error });
      }
  }

  #resolver(pod: Pod): ResolverSettings {
    return {
      clusterDns: this.#options.clusterDns,
      clusterDomain: this.#options.clusterDomain,
      hostConfig: this.#resolverText,
      warn: (reason, message) => this.#options.events.event(pod, 'Warning', reason, message),
    };
  }

  async #volumeFile(pod: Pod, name: string, file: string): Promise<string> {
    const volume = this.#volumes.mounted(uidOf(pod)).get(name);
    if (!volume?.path) throw new Error(`cannot find the volume "${name}" referenced by FileKeyRef`);
    if (file.split('/').includes('..')) throw new Error(`invalid path "${file}"`);
    return `${volume.path}/${file}`;
  }

  #runningContainers(): { id: string; logPath: string }[] {
    return this.#cache.uids().flatMap((uid) => this.#cache.peek(uid)!.containers.filter(({ state }) => state === 'running'));
  }

  // In-place resize.

  async #resize(pod: Pod, actions: PodActions): Promise<void> {
    try {
      await actuateResize(pod, actions.toResize, this.#resizes, {
        updatePod: (of) => this.#cgroups.update(of),
        updateContainer: (of, container, id) => this.#runtime.update(of, container, id),
        memoryInUse: async (id) => {
          const { stats } = await this.#options.runtime.runtime.containerStats({ containerId: id });
          return stats?.memory?.usageBytes?.value ?? stats?.memory?.workingSetBytes?.value;
        },
      });
      for (const { id } of actions.toResize) await this.#cache.containerChanged(pod, id);
    } catch (error) {
      this.#resizes.failed(pod, (error as Error).message);
      throw error;
    }
  }

  // Statuses.

  #makeStatus(pod: Pod, state: RuntimePod, terminal: boolean): PodStatus {
    const old = this.#statuses.get(uidOf(pod)) ?? pod.status ?? {};
    const status = podStatus({
      pod: this.#resizes.allocated(this.#pods.get(uidOf(pod)) ?? pod),
      runtime: state,
      runtimeName: this.#options.runtime.name,
      reasons: this.#reasons,
      actuated: (uid, container) => this.#resizes.actuated(uid, container),
      resizeConditions: this.#resizes.conditions(uidOf(pod)),
      recursiveReadOnly: this.#node.recursiveReadOnly(''),
      old,
      terminal,
      nodeIps: this.#options.nodeIps,
      applyProbes: (of, next) => this.#probes.apply(of, next, old),
      evict: this.#workers.termination(uidOf(pod))?.evict,
    });
    return status;
  }

  #setStatus(pod: Pod, status: PodStatus): void {
    const current = this.#pods.get(uidOf(pod)) ?? pod;
    this.#statuses.set(current, status);
    this.#probes.observe(current, this.#statuses.get(uidOf(pod)) ?? status);
  }

  /** Makes the status anew at the end of this turn of the loop, however often it was asked for. */
  #refreshSoon(uid: string): void {
    if (this.#dirty.size === 0) queueMicrotask(() => this.#refresh());
    this.#dirty.add(uid);
  }

  #refresh(): void {
    const uids = [...this.#dirty];
    this.#dirty.clear();
    for (const uid of uids) {
      const pod = this.#pods.get(uid);
      const state = this.#cache.peek(uid);
      if (!pod || !state || !this.#workers.couldHaveRunningContainers(uid)) continue;
      try {
        this.#setStatus(pod, this.#makeStatus(pod, state, false));
      } catch (error) {
        this.#context.log.error('Cannot make the status of a pod', { pod: formatPod(pod), error });
      }
    }
  }

  // What the server asks.

  #withStatus(pod: Pod): Pod {
    const status = this.#statuses.get(uidOf(pod));
    return status ? { ...pod, status } : pod;
  }
}
