import { readFile } from 'node:fs/promises';
import type { Node, Pod, PodStatus, ResourceRequirements } from '#api';
import { Node as NodeKind, Pod as PodKind, RuntimeClass, Service } from '#api';
import { informersOver } from '#client';
import type { Context, Running } from '#machinery/lifecycle';
import { Disposables, running } from '#machinery/lifecycle';
import { equal } from '#machinery/meta';
import { milliValue, value } from '#machinery/quantity';
import { failure, notFound } from '#machinery/status';
import { admit } from './admission.ts';
import type { FoundContainer, Kubelet, KubeletApi, KubeletOptions } from './contract.ts';
import { NodeLease } from './node/lease.ts';
import type { Machine } from './node/machine.ts';
import { filesystemUse, readMachine } from './node/machine.ts';
import type { NodeResources } from './node/resources.ts';
import { nodeResources } from './node/resources.ts';
import { NodeStatusReporter } from './node/status.ts';
import { Pleg } from './pleg.ts';
import { PodCache } from './pod-runtime/cache.ts';
import type { ResolverSettings } from './pod-runtime/dns.ts';
import { ImageManager } from './pod-runtime/images.ts';
import { PodRuntime } from './pod-runtime/manager.ts';
import { containerLogDirectory } from './pod-runtime/paths.ts';
import type { RuntimePod } from './pod-runtime/runtime-pod.ts';
import { sandboxReady } from './pod-runtime/runtime-pod.ts';
import { PodSync } from './pod-sync.ts';
import { PodWorkers } from './pod-workers.ts';
import { conditionOf, formatPod, isTerminalPhase, nameOf, namespaceOf, specOf, uidOf } from './pod-spec.ts';
import { ProbeManager } from './prober/manager.ts';
import type { Cgroups } from './resources/cgroups.ts';
import { kernelCgroups, noCgroups } from './resources/cgroups.ts';
import { isKubeletCondition } from './status/conditions.ts';
import { StatusManager } from './status/manager.ts';
import { podStatus } from './status/pod-status.ts';
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
  readonly #actuated = new Map<string, ResourceRequirements>();
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
  readonly #stopping = new AbortController();
  #cgroups: Cgroups = noCgroups;
  #resources: NodeResources = { capacity: {}, allocatable: {} };
  #resolverText: string | undefined;
  #network = 'container runtime status has not been read yet';
  #synced = false;
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
      apiPod: (uid) => this.#pods.get(uid),
    });
    this.#probes = new ProbeManager({ runtime, clock, random, log, events, startedAt: clock.now() }, (uid, type, result) => {
      this.#refreshSoon(uid);
      if (type !== 'readiness' && result !== 'unknown') this.#workers.wake(uid);
    });
    this.#objects = new ReferencedObjects({ client, clock, random, log }, (uid) => this.#workers.wake(uid));
    const allocatable = (): { cpuMilli: number; memoryBytes: number; ephemeralStorageBytes: number } => ({
      cpuMilli: milliValue(this.#resources.allocatable['cpu']),
      memoryBytes: value(this.#resources.allocatable['memory']),
      ephemeralStorageBytes: value(this.#resources.allocatable['ephemeral-storage']),
    });
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
      actuated: (pod, container) => this.#actuated.set(`${uidOf(pod)}/${container.name}`, container.resources ?? {}),
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
        ensure: (pod) => this.#cgroups.ensure(pod),
        remove: (uid) => this.#cgroups.remove(uid),
      },
      simulated,
      makeStatus: (pod, state, terminal) => this.#makeStatus(pod, state, terminal),
      setStatus: (pod, status) => this.#setStatus(pod, status),
      networkProblem: () => this.#network,
      isKnown: (uid) => this.#pods.has(uid),
      forgotten: (pod) => this.#forgotten(uidOf(pod)),
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
      found: (state) => this.#found(state),
      busy: () => this.#workers.busy(),
    });
    this.#node = new NodeStatusReporter({
      options,
      clock,
      log,
      machine: this.#machine,
      resources: () => this.#resources,
      pressure: () => ({ memory: false, disk: false, pid: false }),
      runtimeState: ({ network, message }) => {
        this.#network = network ? '' : message;
      },
    });
    this.api = this.#makeApi();
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
        added: (pod) => this.#added(pod),
        updated: (pod, old) => this.#updated(pod, old),
        deleted: (pod) => this.#deleted(pod),
      });
      this.#synced = true;
      await this.#cleanOrphans();
      this.#pleg.start();
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

  // Pods: from the API, from the runtime.

  #added(pod: Pod): void {
    const uid = uidOf(pod);
    this.#pods.set(uid, pod);
    this.#statuses.observe(pod);
    const state = this.#cache.peek(uid);
    if (!state) this.#cache.begin(pod);
    const isNew = !state && !isTerminalPhase(pod.status?.phase) && pod.metadata?.deletionTimestamp === undefined;
    if (isNew && !this.#workers.phase(uid) && !this.#admit(pod)) return;
    this.#workers.update(pod);
    this.#pleg.poke();
  }

  #updated(pod: Pod, old: Pod): void {
    const uid = uidOf(pod);
    if (uid !== uidOf(old)) {
      this.#deleted(old);
      this.#added(pod);
      return;
    }
    this.#pods.set(uid, pod);
    this.#statuses.observe(pod);
    const same =
      pod.metadata?.deletionTimestamp === old.metadata?.deletionTimestamp &&
      pod.metadata?.deletionGracePeriodSeconds === old.metadata?.deletionGracePeriodSeconds &&
      equal(pod.spec, old.spec) &&
      equal(pod.metadata?.labels, old.metadata?.labels) &&
      equal(pod.metadata?.annotations, old.metadata?.annotations);
    if (!same) this.#workers.update(pod);
    else if (this.#gatesChanged(pod, old)) this.#refreshSoon(uid);
  }

  /** Conditions that others keep may decide whether the pod is ready. */
  #gatesChanged(pod: Pod, old: Pod): boolean {
    return (pod.status?.conditions ?? []).some(
      (condition) =>
        !isKubeletCondition(condition.type) && conditionOf(old.status?.conditions, condition.type)?.status !== condition.status,
    );
  }

  #deleted(pod: Pod): void {
    const uid = uidOf(pod);
    this.#pods.delete(uid);
    this.#workers.remove(pod);
  }

  #admit(pod: Pod): boolean {
    const { log } = this.#context;
    const node: Node = this.#node.node ?? { metadata: { name: this.#options.nodeName } };
    const others = this.#workers.active().filter((other) => uidOf(other) !== uidOf(pod));
    const rejection = admit(pod, {
      node: node.status?.allocatable ? node : { ...node, status: { ...node.status, allocatable: this.#resources.allocatable } },
      others,
      allowedUnsafeSysctls: this.#options.allowedUnsafeSysctls ?? [],
      pressure: { memory: false, disk: false, pid: false },
      simulated: this.#simulated,
    });
    if (!rejection) return true;
    log.info('Refused a pod', { pod: formatPod(pod), ...rejection });
    this.#options.events.event(pod, 'Warning', rejection.reason, rejection.message);
    this.#workers.reject(pod);
    const status: PodStatus = {
      ...this.#makeStatus(pod, this.#cache.peek(uidOf(pod))!, false),
      phase: 'Failed',
      reason: rejection.reason,
      message: `Pod was rejected: ${rejection.message}`,
    };
    delete status.containerStatuses;
    delete status.initContainerStatuses;
    this.#statuses.set(pod, status);
    return false;
  }

  /** The runtime has a pod that nobody sent. */
  #found(state: RuntimePod): void {
    if (!this.#synced || this.#pods.has(state.uid)) {
      this.#workers.wake(state.uid);
      return;
    }
    if (!this.#workers.phase(state.uid)) this.#endUnknown(state);
  }

  #endUnknown(state: RuntimePod): void {
    this.#context.log.info('Ends a pod that the API does not know', { pod: `${state.namespace}/${state.name}`, uid: state.uid });
    this.#workers.terminateUnknown(
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: state.name, namespace: state.namespace, uid: state.uid } },
      1,
    );
  }

  /** After a start: what is left of pods that went meanwhile. upstream: HandlePodCleanups. */
  async #cleanOrphans(): Promise<void> {
    for (const uid of this.#cache.uids()) {
      const state = this.#cache.peek(uid)!;
      if (!this.#pods.has(uid) && !this.#workers.phase(uid)) this.#endUnknown(state);
    }
    const left = new Set([...(await this.#volumes.onDisk()), ...(await this.#cgroups.pods())]);
    for (const uid of left)
      if (!this.#pods.has(uid) && !this.#workers.phase(uid)) {
        await this.#volumes.tearDown(uid);
        await this.#cgroups.remove(uid).catch((error: unknown) => this.#context.log.debug('Cannot remove a cgroup', { uid, error }));
      }
  }

  #forgotten(uid: string): void {
    for (const map of [this.#reasons, this.#actuated]) for (const key of map.keys()) if (key.startsWith(`${uid}/`)) map.delete(key);
  }

  // Statuses.

  #makeStatus(pod: Pod, state: RuntimePod, terminal: boolean): PodStatus {
    const old = this.#statuses.get(uidOf(pod)) ?? pod.status ?? {};
    const status = podStatus({
      pod: this.#pods.get(uidOf(pod)) ?? pod,
      runtime: state,
      runtimeName: this.#options.runtime.name,
      reasons: this.#reasons,
      actuated: (uid, container) => this.#actuated.get(`${uid}/${container}`),
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
      if (pod && state && this.#workers.couldHaveRunningContainers(uid)) this.#setStatus(pod, this.#makeStatus(pod, state, false));
    }
  }

  // What the server asks.

  #makeApi(): KubeletApi {
    const options = this.#options;
    const find = (namespace: string, name: string, uid?: string): Pod => {
      for (const pod of this.#pods.values())
        if (nameOf(pod) === name && namespaceOf(pod) === namespace && (!uid || uidOf(pod) === uid)) return this.#withStatus(pod);
      throw notFound({ group: '', resource: 'pods' }, name);
    };
    return {
      nodeName: options.nodeName,
      runtime: options.runtime,
      podLogsDirectory: options.podLogsDirectory,
      pods: () => [...this.#pods.values()].map((pod) => this.#withStatus(pod)),
      pod: (namespace, name, uid) => {
        try {
          return find(namespace, name, uid);
        } catch {
          return undefined;
        }
      },
      findContainer: async (namespace, name, container, { uid, previous = false } = {}): Promise<FoundContainer> => {
        const pod = find(namespace, name, uid);
        const state = await this.#cache.get(pod);
        const found = state.containers.filter((item) => item.name === container)[previous ? 1 : 0];
        if (!found) throw failure(404, 'NotFound', `container not found ("${container}")`);
        return { pod, name: container, id: found.id, state: found.state, logPath: found.logPath };
      },
      findSandbox: async (namespace, name, uid) => {
        const state = await this.#cache.get(find(namespace, name, uid));
        const sandbox = state.sandboxes.find(sandboxReady);
        if (!sandbox?.id) throw failure(404, 'NotFound', `pod not found ("${name}_${namespace}")`);
        return sandbox.id;
      },
      logDirectory: (pod, container) => containerLogDirectory(options.podLogsDirectory, pod, container),
      statsSummary: () => Promise.resolve({}),
      conditions: () => this.#node.conditions(),
      healthy: () => this.#synced && this.#pleg.healthy,
    };
  }

  #withStatus(pod: Pod): Pod {
    const status = this.#statuses.get(uidOf(pod));
    return status ? { ...pod, status } : pod;
  }
}
