import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Pod, Volume } from '#api';
import type { EventRecorder } from '#client';
import { BackOff } from '../back-off.ts';
import { allContainers, specOf, uidOf } from '../pod-spec.ts';
import { podDirectory, podVolumesDirectory, volumeDirectory } from '../pod-runtime/paths.ts';
import type { MountedVolume, VolumeDependencies, VolumePlugin } from './contract.ts';
import { volumePlugins } from './index.ts';
import { forgetProjection } from './projection.ts';

/** Volumes are not ready yet; trying again makes sense after so many milliseconds, or when an object that they name changes. */
export class VolumeError extends Error {
  readonly retryAfter: number;

  constructor(message: string, retryAfter: number, options?: ErrorOptions) {
    super(message, options);
    this.name = 'VolumeError';
    this.retryAfter = retryAfter;
  }
}

/** Sets up and takes down the volumes of the node's pods. upstream: pkg/kubelet/volumemanager. */
export class VolumeManager {
  readonly #deps: VolumeDependencies;
  readonly #events: EventRecorder;
  readonly #backOff: BackOff;
  readonly #mounted = new Map<string, Map<string, MountedVolume>>();
  readonly #memory: string;
  #memoryMounted = false;

  constructor(deps: VolumeDependencies, events: EventRecorder) {
    this.#deps = deps;
    this.#events = events;
    this.#backOff = new BackOff(deps.clock, 500, 122_000);
    this.#memory = path.join(deps.rootDirectory, 'memory');
  }

  /** One file system in memory holds the secrets of all pods: a mount for each volume of each pod would cost every start its time. */
  async start(): Promise<void> {
    if (this.#deps.simulated) return;
    await mkdir(this.#memory, { recursive: true, mode: 0o711 });
    if (!(await this.#deps.mounter.below(this.#memory)).includes(this.#memory))
      try {
        await this.#deps.mounter.tmpfs(this.#memory);
      } catch (error) {
        this.#deps.log.warn('Secrets of pods are kept on the disk: no file system in memory can be mounted', { error });
        return;
      }
    this.#memoryMounted = true;
  }

  /** Unmounts what start mounted, if no pod is left that uses it. */
  async stop(): Promise<void> {
    if (!this.#memoryMounted) return;
    if ((await readdir(this.#memory)).length === 0) await this.#deps.mounter.unmount(this.#memory);
  }

  mounted(uid: string): ReadonlyMap<string, MountedVolume> {
    return this.#mounted.get(uid) ?? new Map();
  }

  #directory(uid: string, plugin: VolumePlugin, name: string): string {
    return plugin.memory
      ? path.join(this.#memory, uid, plugin.name.replaceAll('/', '~'), name)
      : volumeDirectory(this.#deps.rootDirectory, uid, plugin.name, name);
  }

  /** Only volumes that a container mounts are set up. */
  #wanted(pod: Pod): Volume[] {
    const used = new Set<string>();
    for (const container of allContainers(pod)) {
      for (const { name } of container.volumeMounts ?? []) used.add(name);
      for (const { name } of container.volumeDevices ?? []) used.add(name);
      for (const { valueFrom } of container.env ?? []) if (valueFrom?.fileKeyRef) used.add(valueFrom.fileKeyRef.volumeName);
    }
    return (specOf(pod).volumes ?? []).filter(({ name }) => used.has(name));
  }

  /** Every volume set up and current. Rejects with a VolumeError, after telling the pod's events. */
  async ensure(pod: Pod): Promise<ReadonlyMap<string, MountedVolume>> {
    const uid = uidOf(pod);
    const mounted = this.#mounted.get(uid) ?? new Map<string, MountedVolume>();
    this.#mounted.set(uid, mounted);
    const problems: string[] = [];
    let retryAfter = Infinity;
    await Promise.all(
      this.#wanted(pod).map(async (volume) => {
        const known = mounted.get(volume.name);
        if (known && !known.update) return;
        const plugin = volumePlugins.find((candidate) => candidate.handles(volume));
        const key = `${uid}/${volume.name}`;
        try {
          if (!plugin) throw new Error('no volume plugin matched');
          mounted.set(volume.name, await plugin.setUp(pod, volume, this.#directory(uid, plugin, volume.name), this.#deps));
          this.#backOff.reset(key);
        } catch (error) {
          const message = (error as Error).message;
          this.#events.event(pod, 'Warning', 'FailedMount', `MountVolume.SetUp failed for volume "${volume.name}" : ${message}`);
          // Files that are there already stay as they are when their source is gone.
          if (known) return;
          problems.push(`${volume.name}: ${message}`);
          this.#backOff.next(key, this.#deps.clock.now());
          retryAfter = Math.min(retryAfter, this.#backOff.get(key));
        }
      }),
    );
    if (problems.length) throw new VolumeError(`Unable to attach or mount volumes: ${problems.join(', ')}`, retryAfter);
    return mounted;
  }

  /** Takes down all of a pod, also of one that is only known by its directory. */
  async tearDown(uid: string): Promise<void> {
    this.#mounted.delete(uid);
    this.#backOff.resetPrefix(`${uid}/`);
    this.#deps.tokens.forget(uid);
    if (this.#deps.simulated) return;
    const directories = [podDirectory(this.#deps.rootDirectory, uid), path.join(this.#memory, uid)];
    const volumes = podVolumesDirectory(this.#deps.rootDirectory, uid);
    for (const point of await this.#deps.mounter.below(directories[0]!)) await this.#deps.mounter.unmount(point);
    // Removing what is still mounted would remove what it shows.
    const left = await this.#deps.mounter.below(directories[0]!);
    if (left.length) throw new Error(`Cannot remove the volumes of pod ${uid}: ${left[0]} is still mounted`);
    for (const directory of [volumes, directories[1]!])
      for (const plugin of await readdir(directory).catch(() => []))
        for (const name of await readdir(path.join(directory, plugin)).catch(() => []))
          forgetProjection(path.join(directory, plugin, name));
    await Promise.all(directories.map((directory) => rm(directory, { recursive: true, force: true })));
  }

  /** Pods that have something on this node's disk. */
  async onDisk(): Promise<string[]> {
    if (this.#deps.simulated) return [];
    const lists = await Promise.all(
      [path.join(this.#deps.rootDirectory, 'pods'), this.#memory].map((directory) => readdir(directory).catch(() => [])),
    );
    return [...new Set(lists.flat())];
  }

  /** Milliseconds since 1970 when a volume of the pod must be renewed though nothing changed. */
  nextRenewal(uid: string): number | undefined {
    return this.#deps.tokens.nextRenewal(uid);
  }
}
