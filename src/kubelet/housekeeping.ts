import type { Node, Pod } from '#api';
import type { Context } from '#machinery/lifecycle';
import type { KubeletOptions } from './contract.ts';
import { EvictionManager } from './eviction.ts';
import { ImageGc } from './image-gc.ts';
import { LogRotation } from './log-rotation.ts';
import type { Machine } from './node/machine.ts';
import type { Pressure } from './node/status.ts';
import type { ImageManager } from './pod-runtime/images.ts';
import type { Stats } from './stats.ts';

export interface HousekeepingOptions {
  options: KubeletOptions;
  context: Context;
  machine: Machine;
  stats: Stats;
  images: ImageManager;
  pods(): Pod[];
  running(): { id: string; logPath: string }[];
  evict(pod: Pod, message: string): void;
  node(): Node | undefined;
  imagesChanged(): void;
  pressureChanged(): void;
}

/** What keeps the machine from filling up: eviction, image removal, log rotation. A simulated node has no machine. */
export class Housekeeping {
  readonly #simulated: boolean;
  readonly #eviction: EvictionManager;
  readonly #images: ImageGc;
  readonly #logs: LogRotation;

  constructor({ options, context, machine, stats, images, ...rest }: HousekeepingOptions) {
    const { clock, log } = context;
    const { events, runtime, rootDirectory } = options;
    this.#simulated = options.simulated === true;
    this.#images = new ImageGc({
      runtime,
      clock,
      log,
      events,
      node: rest.node,
      rootDirectory,
      highPercent: options.imageGcHighThresholdPercent ?? 85,
      lowPercent: options.imageGcLowThresholdPercent ?? 80,
      minimumAge: options.imageMinimumGcAge ?? 120_000,
      lastUsed: images.lastUsed,
      removed: rest.imagesChanged,
    });
    this.#eviction = new EvictionManager({
      clock,
      log,
      events,
      machine,
      thresholds: options.evictionHard ?? {},
      rootDirectory,
      stats,
      pods: rest.pods,
      evict: rest.evict,
      reclaimDisk: () => this.#images.collect(true),
      changed: rest.pressureChanged,
    });
    this.#logs = new LogRotation({ runtime, clock, log, running: rest.running });
  }

  get pressure(): Pressure {
    return this.#eviction.pressure;
  }

  start(): void {
    if (this.#simulated) return;
    this.#images.start();
    this.poke();
  }

  /** There are pods. */
  poke(): void {
    if (this.#simulated) return;
    this.#eviction.poke();
    this.#logs.poke();
  }

  async stop(): Promise<void> {
    this.#images.stop();
    await this.#eviction.stop();
    await this.#logs.stop();
  }
}
