import { mkdir, readdir } from 'node:fs/promises';
import type { Container, EphemeralContainer, Pod, Secret } from '#api';
import type { EventRecorder } from '#client';
import type { Clock, Random } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { ImageSpec, PodSandboxConfig, Runtime, UserNamespace } from '#runtime';
import { BackOff, goDuration } from '../back-off.ts';
import {
  fieldPathOf,
  formatPod,
  initContainersOf,
  isDeleted,
  isHostNetwork,
  isSidecar,
  nameOf,
  namespaceOf,
  specOf,
  uidOf,
} from '../pod-spec.ts';
import type { MountedVolume } from '../volumes/contract.ts';
import type { Mounter } from '../volumes/mounter.ts';
import type { ActionFacts, PodActions } from './actions.ts';
import { computePodActions } from './actions.ts';
import type { PodCache } from './cache.ts';
import { containerConfig } from './container-config.ts';
import type { ResolverSettings } from './dns.ts';
import type { EnvironmentSource } from './environment.ts';
import { environment } from './environment.ts';
import type { ImageManager } from './images.ts';
import { isGone, killContainer, killPod } from './kill.ts';
import { runHook } from './lifecycle-hooks.ts';
import type { MachineFacts } from './linux-resources.ts';
import { linuxResources } from './linux-resources.ts';
import { containerDevices, containerMounts } from './mounts.ts';
import { containerLogDirectory, podLogDirectory } from './paths.ts';
import type { RuntimePod } from './runtime-pod.ts';
import { newest } from './runtime-pod.ts';
import { sandboxConfig } from './sandbox-config.ts';
import type { ImageUser } from './security-context.ts';
import { StartError } from './start-error.ts';

export interface PodRuntimeOptions {
  runtime: Runtime;
  clock: Clock;
  random: Random;
  log: Log;
  events: EventRecorder;
  cache: PodCache;
  images: ImageManager;
  mounter: Mounter;
  facts: ActionFacts;
  machine: MachineFacts;
  rootDirectory: string;
  podLogsDirectory: string;
  clusterDomain: string;
  resolver(pod: Pod): ResolverSettings;
  cgroupParent(pod: Pod): string;
  runtimeHandler(pod: Pod): Promise<string>;
  recursiveReadOnly(handler: string): boolean;
  /** The pod's own user namespace; undefined where it shares the host's. */
  users(pod: Pod, handler: string): Promise<UserNamespace | undefined>;
  environment(pod: Pod, podIps: readonly string[]): EnvironmentSource;
  maxContainerRestartPeriod: number;
  simulated: boolean;
  /** Why a container waits; undefined once it started. */
  setReason(pod: Pod, container: string, reason: { reason: string; message: string } | undefined): void;
  /** A container got its resources. */
  actuated?(pod: Pod, container: Container): void;
  /** The pod is to end: failures to start it are of no interest. */
  isTerminating(uid: string): boolean;
  /** Changes resources in place; part of a sync. */
  resize?(pod: Pod, actions: PodActions): Promise<void>;
}

export interface SyncInput {
  pod: Pod;
  volumes: ReadonlyMap<string, MountedVolume>;
  pullSecrets: readonly Secret[];
  /** The pod is to end: pulls and hooks are given up. */
  signal: AbortSignal;
}

/** What went wrong; empty when nothing did. */
export type SyncFailure = { container?: string; error: StartError };

/** Brings a pod's sandbox and containers to what the spec asks. upstream: kuberuntime_manager.go SyncPod. */
export class PodRuntime {
  readonly #options: PodRuntimeOptions;
  readonly #backOff: BackOff;

  constructor(options: PodRuntimeOptions) {
    this.#options = options;
    this.#backOff = new BackOff(options.clock, 10_000, options.maxContainerRestartPeriod, 600_000);
  }

  /** Forgets what is remembered of a pod. */
  forget(uid: string): void {
    this.#backOff.resetPrefix(`${uid}/`);
    this.#options.images.forget(uid);
  }

  async sync(input: SyncInput): Promise<SyncFailure[]> {
    const { pod } = input;
    const { cache, events, log, runtime } = this.#options;
    const uid = uidOf(pod);
    let state = await cache.get(pod);
    const actions = computePodActions(pod, state, this.#options.facts);
    if (actions.createSandbox && actions.sandboxId)
      events.event(pod, 'Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');

    if (actions.killPod && (state.sandboxes.length || state.containers.length)) {
      await killPod(pod, state, {}, this.#options);
      if (actions.createSandbox) await this.#removeInit(pod, state, 0);
      state = await cache.refresh(pod);
      if (!actions.createSandbox) return [];
    } else
      for (const { id, container, message, reason } of actions.toKill) {
        await killContainer({ pod, containerId: id, name: container.name, podIp: state.ips[0] ?? '', message, reason }, this.#options);
        state = await cache.refresh(pod);
      }
    await this.#removeInit(pod, state, 1);

    let sandboxId = actions.sandboxId;
    const handler = await this.#options.runtimeHandler(pod).catch((error: unknown) => {
      throw this.#sandboxFailure(pod, error);
    });
    let config: PodSandboxConfig;
    let users: UserNamespace | undefined;
    try {
      users = await this.#options.users(pod, handler);
      config = sandboxConfig(pod, actions.attempt, {
        resolver: this.#options.resolver(pod),
        podLogsDirectory: this.#options.podLogsDirectory,
        cgroupParent: this.#options.cgroupParent(pod),
        extraGroups: this.#groups(input),
        users,
      });
    } catch (error) {
      throw this.#sandboxFailure(pod, error);
    }
    if (actions.createSandbox) {
      try {
        if (!this.#options.simulated) await mkdir(config.logDirectory!, { recursive: true, mode: 0o755 });
        sandboxId = await cache.during(uid, async () => {
          const answer = await runtime.runtime.runPodSandbox({ config, runtimeHandler: handler });
          return answer.podSandboxId ?? '';
        });
      } catch (error) {
        if (this.#options.isTerminating(uid)) return [];
        log.warn('Cannot create a sandbox', { pod: formatPod(pod), error });
        throw this.#sandboxFailure(pod, error);
      }
      try {
        state = await cache.sandboxCreated(pod, sandboxId);
      } catch (error) {
        if (this.#options.isTerminating(uid)) return [];
        events.event(pod, 'Warning', 'FailedPodSandBoxStatus', `Unable to get pod sandbox status: ${(error as Error).message}`);
        throw error;
      }
    }

    const failures: SyncFailure[] = [];
    const start = async (container: Container): Promise<boolean> => {
      input.signal.throwIfAborted();
      try {
        await this.#start(input, container, { sandboxId, config, handler, users });
        this.#options.setReason(pod, container.name, undefined);
        return true;
      } catch (error) {
        input.signal.throwIfAborted();
        const failure =
          error instanceof StartError ? error : new StartError('RunContainerError', (error as Error).message, { cause: error });
        log.debug('Cannot start a container', { pod: formatPod(pod), container: container.name, reason: failure.reason, error });
        this.#options.setReason(pod, container.name, { reason: failure.reason, message: failure.message });
        failures.push({ container: container.name, error: failure });
        return false;
      }
    };
    for (const container of actions.ephemeralToStart) await start(container);
    for (const container of actions.initToStart) if (!(await start(container)) && !isSidecar(container)) return failures;
    if (failures.length === 0 && actions.initToStart.some((container) => isSidecar(container) && !container.startupProbe)) {
      // A sidecar that has started lets the next container start, and nothing else would look again: its state is as it was expected.
      await cache.refresh(pod);
      return this.sync(input);
    }
    if (actions.toResize.length || actions.resizePod) await this.#options.resize?.(pod, actions);
    for (const container of actions.toStart) await start(container);
    await this.#prune(pod);
    return failures;
  }

  #sandboxFailure(pod: Pod, error: unknown): Error {
    const text = `Failed to create pod sandbox: ${(error as Error).message}`;
    this.#options.events.event(pod, 'Warning', 'FailedCreatePodSandBox', text);
    return new Error(`failed to "CreatePodSandbox" for "${formatPod(pod)}": ${(error as Error).message}`, { cause: error });
  }

  #groups(input: SyncInput): number[] {
    return [...new Set([...input.volumes.values()].flatMap(({ groups }) => groups ?? []))];
  }

  async #start(
    input: SyncInput,
    container: Container,
    {
      sandboxId,
      config,
      handler,
      users,
    }: { sandboxId: string; config: PodSandboxConfig; handler: string; users: UserNamespace | undefined },
  ): Promise<void> {
    const { pod, pullSecrets, signal, volumes } = input;
    const { cache, clock, events, images, machine, random, runtime, rootDirectory } = this.#options;
    const uid = uidOf(pod);
    const tell = (type: 'Normal' | 'Warning', reason: string, message: string): void =>
      events.event(pod, type, reason, message, fieldPathOf(pod, container.name));
    let state = await cache.get(pod);

    const last = state.containers.find(({ name, state: now }) => name === container.name && now === 'exited');
    if (last) {
      // Other resources are another attempt.
      const key = `${uid}/${container.name}/${JSON.stringify(container.resources ?? {})}`;
      const wait = this.#backOff.remainingSince(key, last.finishedAt);
      if (wait > 0) {
        tell('Warning', 'BackOff', `Back-off restarting failed container ${container.name} in pod ${formatPod(pod)}`);
        const pause = goDuration(this.#backOff.get(key));
        throw new StartError('CrashLoopBackOff', `back-off ${pause} restarting failed container=${container.name} pod=${formatPod(pod)}`, {
          retryAfter: wait,
        });
      }
      this.#backOff.next(key, last.finishedAt);
    }

    const failed = (reason: string, error: unknown): StartError => {
      const message = (error as Error).message;
      tell('Warning', 'Failed', `Error: ${message}`);
      return new StartError(reason, message, { cause: error });
    };
    const pull = { pod, secrets: pullSecrets, sandbox: config, runtimeHandler: handler, signal };
    const imageVolumes = new Map<string, ImageSpec>();
    for (const volume of specOf(pod).volumes ?? []) {
      if (!volume.image || !container.volumeMounts?.some(({ name }) => name === volume.name)) continue;
      const { reference = '', pullPolicy = /:latest$|^[^:@]*$/.test(reference) ? 'Always' : 'IfNotPresent' } = volume.image;
      const present = await images.ensure({ ...pull, image: reference, policy: pullPolicy }).catch((error: unknown) => {
        tell('Warning', 'Failed', `Error: ${(error as StartError).reason}`);
        throw error;
      });
      imageVolumes.set(volume.name, { image: present.ref, userSpecifiedImage: reference, ...(handler && { runtimeHandler: handler }) });
    }
    const present = await images
      .ensure({ ...pull, container: container.name, image: container.image ?? '', policy: container.imagePullPolicy ?? 'IfNotPresent' })
      .catch((error: unknown) => {
        tell('Warning', 'Failed', `Error: ${(error as StartError).reason}`);
        throw error;
      });
    state = await cache.get(pod);
    const before = newest(state, container.name);
    const restartCount = before ? before.restartCount + 1 : await this.#restartsByLogs(pod, container);

    let created;
    try {
      const target = (container as EphemeralContainer).targetContainerName;
      const targetId = target ? newest(state, target)?.id : undefined;
      if (target && targetId === undefined) throw new Error(`unable to find target container ${target}`);
      const podIps = isHostNetwork(pod) && state.ips.length === 0 ? this.#options.environment(pod, []).addresses.nodeIps : state.ips;
      const variables = await environment(pod, container, this.#options.environment(pod, podIps));
      const mounted = new Map(volumes);
      for (const [name, image] of imageVolumes) mounted.set(name, { path: '', readOnly: true, image });
      const mounts = await containerMounts(pod, container, {
        rootDirectory,
        clusterDomain: this.#options.clusterDomain,
        mounter: this.#options.mounter,
        random,
        podIps: state.ips,
        volumes: mounted,
        environment: variables,
        recursiveReadOnly: this.#options.recursiveReadOnly(handler),
        simulated: this.#options.simulated,
      });
      if (!this.#options.simulated)
        await mkdir(containerLogDirectory(this.#options.podLogsDirectory, pod, container.name), { recursive: true, mode: 0o755 });
      const user: ImageUser = present.image?.uid
        ? { uid: present.image.uid.value ?? 0 }
        : present.image?.username
          ? { username: present.image.username }
          : { uid: 0 };
      created = containerConfig(pod, container, {
        environment: variables,
        mounts,
        devices: containerDevices(container, mounted),
        imageRef: present.ref,
        restartCount,
        machine,
        runtimeHandler: handler,
        user,
        rootDirectory,
        extraGroups: this.#groups(input),
        users,
        ...(targetId !== undefined && { targetId }),
      });
    } catch (error) {
      throw failed('CreateContainerConfigError', error);
    }
    this.#options.actuated?.(pod, container);

    const id = await cache.during(uid, async () => {
      let made: string;
      try {
        const answer = await runtime.runtime.createContainer({ podSandboxId: sandboxId, config: created, sandboxConfig: config });
        made = answer.containerId ?? '';
      } catch (error) {
        throw failed('CreateContainerError', error);
      }
      tell('Normal', 'Created', 'Container created');
      try {
        await runtime.runtime.startContainer({ containerId: made });
      } catch (error) {
        await cache.containerChanged(pod, made);
        throw failed('RunContainerError', error);
      }
      tell('Normal', 'Started', 'Container started');
      await cache.containerChanged(pod, made);
      return made;
    });
    const hook = container.lifecycle?.postStart;
    if (!hook) return;
    try {
      await runHook(
        hook,
        { pod, container, containerId: id, podIp: state.ips[0] ?? '' },
        {
          runtime,
          clock,
          events,
          signal,
          simulated: this.#options.simulated,
        },
      );
    } catch (error) {
      // The pod's own end ends the container.
      signal.throwIfAborted();
      tell('Warning', 'FailedPostStartHook', 'PostStartHook failed');
      await killContainer(
        {
          pod,
          containerId: id,
          name: container.name,
          podIp: state.ips[0] ?? '',
          message: 'FailedPostStartHook',
          reason: 'FailedPostStartHook',
        },
        this.#options,
      );
      await cache.containerChanged(pod, id);
      throw new StartError('PostStartHookError', (error as Error).message, { cause: error });
    }
  }

  /** Where the runtime has forgotten its containers, the logs still count them. */
  async #restartsByLogs(pod: Pod, container: Container): Promise<number> {
    if (this.#options.simulated) return 0;
    const files = await readdir(containerLogDirectory(this.#options.podLogsDirectory, pod, container.name)).catch(() => []);
    return files.reduce((count, file) => {
      const match = /^(\d+)\.log(\..*)?/.exec(file);
      return match ? Math.max(count, Number(match[1]) + 1) : count;
    }, 0);
  }

  /** Removes ended init containers beyond the newest `keep` of each. */
  async #removeInit(pod: Pod, state: RuntimePod, keep: number): Promise<void> {
    for (const { name } of initContainersOf(pod)) {
      const ended = state.containers.filter(
        (item) => item.name === name && (keep === 0 || item.state === 'exited' || item.state === 'unknown'),
      );
      for (const item of ended.slice(keep)) await this.#remove(pod, item.id);
    }
  }

  async #remove(pod: Pod, id: string): Promise<void> {
    try {
      await this.#options.runtime.runtime.removeContainer({ containerId: id });
    } catch (error) {
      if (!isGone(error)) {
        this.#options.log.warn('Cannot remove a container', { pod: formatPod(pod), container: id, error });
        return;
      }
    }
    this.#options.cache.containerRemoved(pod, id);
  }

  /** Of each container keeps the present one and the one before it, of sandboxes those with containers. upstream: kuberuntime_gc.go. */
  async #prune(pod: Pod): Promise<void> {
    if (isDeleted(pod)) return;
    const state = await this.#options.cache.get(pod);
    const seen = new Map<string, number>();
    for (const container of state.containers) {
      const count = (seen.get(container.name) ?? 0) + 1;
      seen.set(container.name, count);
      if (count > 2 && container.state === 'exited') await this.#remove(pod, container.id);
    }
  }

  /** Ends the pod's containers and sandboxes. */
  async kill(pod: Pod | undefined, state: RuntimePod, options: { gracePeriod?: number | undefined; signal?: AbortSignal }): Promise<void> {
    await killPod(pod, state, options, this.#options);
  }

  /** Removes all that the runtime holds of an ended pod. */
  async remove(state: RuntimePod): Promise<void> {
    for (const sandbox of state.sandboxes)
      try {
        await this.#options.runtime.runtime.removePodSandbox({ podSandboxId: sandbox.id ?? '' });
      } catch (error) {
        if (!isGone(error)) throw error;
      }
  }

  /** Gives a running container the resources of its spec. */
  async update(pod: Pod, container: Container, id: string): Promise<void> {
    await this.#options.runtime.runtime.updateContainerResources({
      containerId: id,
      linux: linuxResources(pod, container, this.#options.machine),
    });
    this.#options.actuated?.(pod, container);
  }

  logDirectory(pod: Pod): string {
    return podLogDirectory(this.#options.podLogsDirectory, pod);
  }

  describe(pod: Pod): string {
    return `${namespaceOf(pod)}/${nameOf(pod)}`;
  }
}
