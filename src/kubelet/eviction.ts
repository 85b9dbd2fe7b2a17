/**
 * Ends pods when the node runs out of memory, disk or processes, and pods that use more local storage than they may.
 * Looks every ten seconds while there are pods. upstream: pkg/kubelet/eviction.
 */
import type { Pod } from '#api';
import type { EventRecorder } from '#client';
import type { Clock, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { quantity, value } from '#machinery/quantity';
import type { EvictionThresholds } from './contract.ts';
import type { Machine } from './node/machine.ts';
import { availableMemory, filesystemUse, processCount } from './node/machine.ts';
import { defaultThresholds, thresholdBytes } from './node/resources.ts';
import type { Pressure } from './node/status.ts';
import { labels } from './pod-runtime/labels.ts';
import { podLimits, podRequests } from './pod-resources.ts';
import { allContainers, formatPod, isCriticalPod, specOf, uidOf } from './pod-spec.ts';
import type { Stats } from './stats.ts';

export interface EvictionOptions {
  clock: Clock;
  log: Log;
  events: EventRecorder;
  machine: Machine;
  thresholds: EvictionThresholds;
  rootDirectory: string;
  stats: Stats;
  /** Pods that have not ended. */
  pods(): Pod[];
  evict(pod: Pod, message: string): void;
  /** Frees disk before pods have to go. */
  reclaimDisk(): Promise<void>;
  changed(pressure: Pressure): void;
}

interface Signal {
  name: 'memory.available' | 'nodefs.available' | 'nodefs.inodesFree' | 'pid.available';
  resource: string;
  condition: keyof Pressure;
  available: number;
  threshold: number;
}

const period = 10_000;
/** A condition stays this long after its reason went. upstream: evictionPressureTransitionPeriod. */
const transitionPeriod = 300_000;

export class EvictionManager {
  readonly #options: EvictionOptions;
  readonly #lastMet = new Map<keyof Pressure, number>();
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  pressure: Pressure = { memory: false, disk: false, pid: false };

  constructor(options: EvictionOptions) {
    this.#options = options;
  }

  /** There are pods: look from now on. */
  poke(): void {
    if (this.#stopped || this.#timer || this.#running) return;
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#synchronize()
        .catch((error: unknown) => this.#options.log.warn('Cannot look for pods to evict', { error }))
        .finally(() => {
          this.#running = undefined;
          if (this.#options.pods().length || Object.values(this.pressure).some(Boolean)) this.poke();
        });
    }, period);
  }

  async #signals(): Promise<Signal[]> {
    const { machine, rootDirectory } = this.#options;
    const thresholds = { ...defaultThresholds, ...this.#options.thresholds };
    const disk = await filesystemUse(rootDirectory);
    const signals: Signal[] = [
      {
        name: 'memory.available',
        resource: 'memory',
        condition: 'memory',
        available: availableMemory(),
        threshold: thresholdBytes(thresholds['memory.available'], machine.memoryBytes),
      },
      {
        name: 'nodefs.available',
        resource: 'ephemeral-storage',
        condition: 'disk',
        available: disk.availableBytes,
        threshold: thresholdBytes(thresholds['nodefs.available'], disk.capacityBytes),
      },
      {
        name: 'nodefs.inodesFree',
        resource: 'inodes',
        condition: 'disk',
        available: disk.inodesFree,
        // Some file systems have no fixed number of inodes and say 0.
        threshold: disk.inodes ? thresholdBytes(thresholds['nodefs.inodesFree'], disk.inodes) : 0,
      },
    ];
    if (thresholds['pid.available'])
      signals.push({
        name: 'pid.available',
        resource: 'pids',
        condition: 'pid',
        available: machine.maxPids - processCount(),
        threshold: thresholdBytes(thresholds['pid.available'], machine.maxPids),
      });
    return signals;
  }

  async #synchronize(): Promise<void> {
    const { clock, log } = this.#options;
    if (await this.#localStorage()) return;
    let met = (await this.#signals()).filter(({ available, threshold }) => threshold > 0 && available < threshold);
    if (met.some(({ condition }) => condition === 'disk')) {
      await this.#options.reclaimDisk();
      met = (await this.#signals()).filter(({ available, threshold }) => threshold > 0 && available < threshold);
    }
    const now = clock.monotonic();
    for (const { condition } of met) this.#lastMet.set(condition, now);
    const holds = (condition: keyof Pressure): boolean => now - (this.#lastMet.get(condition) ?? -Infinity) < transitionPeriod;
    const pressure = { memory: holds('memory'), disk: holds('disk'), pid: holds('pid') };
    if (Object.keys(pressure).some((key) => pressure[key as keyof Pressure] !== this.pressure[key as keyof Pressure])) {
      this.pressure = pressure;
      this.#options.changed(pressure);
    }
    const [signal] = met;
    if (!signal) return;
    log.warn('The node runs out of a resource', { signal: signal.name, available: signal.available, threshold: signal.threshold });
    const [victim] = await this.#ranked(signal);
    if (!victim) return;
    this.#options.evict(
      victim,
      `The node was low on resource: ${signal.resource}. Threshold quantity: ${quantity(signal.threshold, 'BinarySI')}, available: ${Math.trunc(signal.available / 1024)}Ki. `,
    );
  }

  /** Who goes first: those above their requests, then the less important, then the biggest. */
  async #ranked(signal: Signal): Promise<Pod[]> {
    const pods = this.#options.pods().filter((pod) => !isCriticalPod(pod));
    const used = new Map<string, number>();
    if (signal.resource === 'memory')
      for (const { attributes, memory } of await this.#options.stats.containers()) {
        const uid = attributes?.labels?.[labels.uid] ?? '';
        used.set(uid, (used.get(uid) ?? 0) + (memory?.workingSetBytes?.value ?? 0));
      }
    else for (const pod of pods) used.set(uidOf(pod), (await this.#options.stats.ephemeralUse(pod)).total);
    const excess = (pod: Pod): number =>
      (used.get(uidOf(pod)) ?? 0) -
      (podRequests(pod)
        .get(signal.resource === 'memory' ? 'memory' : 'ephemeral-storage')
        ?.value() ?? 0);
    return pods.toSorted(
      (a, b) =>
        Number(excess(b) > 0) - Number(excess(a) > 0) || (specOf(a).priority ?? 0) - (specOf(b).priority ?? 0) || excess(b) - excess(a),
    );
  }

  /** Pods over their own limits of local storage go at once. Answers whether there were any. */
  async #localStorage(): Promise<boolean> {
    let any = false;
    for (const pod of this.#options.pods()) {
      const sized = (specOf(pod).volumes ?? []).filter(({ emptyDir }) => emptyDir?.sizeLimit !== undefined && emptyDir.medium !== 'Memory');
      const whole = podLimits(pod).get('ephemeral-storage')?.value() ?? 0;
      if (!sized.length && !whole) continue;
      const { total, containers, emptyDirs } = await this.#options.stats.ephemeralUse(pod);
      let message = '';
      for (const { name, emptyDir } of sized)
        if ((emptyDirs.get(name) ?? 0) > value(emptyDir!.sizeLimit as string))
          message = `Usage of EmptyDir volume "${name}" exceeds the limit "${emptyDir!.sizeLimit}". `;
      if (!message && whole && total > whole)
        message = `Pod ephemeral local storage usage exceeds the total limit of containers ${podLimits(pod).get('ephemeral-storage')!.toString()}. `;
      for (const container of allContainers(pod)) {
        const limit = (container.resources?.limits as Record<string, string> | undefined)?.['ephemeral-storage'];
        if (!message && limit && (containers.get(container.name) ?? 0) > value(limit))
          message = `Container ${container.name} exceeded its local ephemeral storage limit "${limit}". `;
      }
      if (!message) continue;
      any = true;
      this.#options.log.info('Evicts a pod over its local storage', { pod: formatPod(pod) });
      this.#options.evict(pod, message);
    }
    return any;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }
}
