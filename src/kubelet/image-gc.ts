/** Removes images that nothing uses when the disk fills up. upstream: pkg/kubelet/images/image_gc_manager.go. */
import type { EventRecorder } from '#client';
import type { Clock, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { KubeObject } from '#machinery/meta';
import type { Runtime } from '#runtime';
import { filesystemUse } from './node/machine.ts';

export interface ImageGcOptions {
  runtime: Runtime;
  clock: Clock;
  log: Log;
  events: EventRecorder;
  node(): KubeObject | undefined;
  rootDirectory: string;
  highPercent: number;
  lowPercent: number;
  minimumAge: number;
  /** When an image was last wanted, in milliseconds since 1970. */
  lastUsed: ReadonlyMap<string, number>;
  removed(): void;
}

const period = 300_000;

export class ImageGc {
  readonly #options: ImageGcOptions;
  readonly #firstSeen = new Map<string, number>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: ImageGcOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimeout(() => {
      void this.collect(false)
        .catch((error: unknown) => this.#options.log.warn('Cannot remove unused images', { error }))
        .finally(() => this.start());
    }, period);
  }

  /** `all`: remove every unused image, because the disk is needed. */
  async collect(all: boolean): Promise<void> {
    const { clock, events, highPercent, log, lowPercent, minimumAge, runtime, rootDirectory } = this.#options;
    const [{ images = [] }, { containers = [] }] = await Promise.all([runtime.images.listImages({}), runtime.runtime.listContainers({})]);
    const now = clock.now();
    for (const { id = '' } of images) if (!this.#firstSeen.has(id)) this.#firstSeen.set(id, now);
    const { capacityBytes, availableBytes } = await filesystemUse(rootDirectory);
    const usedPercent = 100 - Math.trunc((availableBytes * 100) / capacityBytes);
    if (!all && (highPercent >= 100 || usedPercent < highPercent)) return;
    const wanted = all ? Infinity : (capacityBytes * (100 - lowPercent)) / 100 - availableBytes;
    const inUse = new Set(containers.flatMap(({ imageRef, imageId, image }) => [imageRef, imageId, image?.image]));
    const age = (id: string): number => this.#options.lastUsed.get(id) ?? this.#firstSeen.get(id) ?? now;
    const candidates = images
      .filter(
        ({ id = '', pinned, repoTags = [] }) =>
          !pinned && !inUse.has(id) && !repoTags.some((tag) => inUse.has(tag) || /\/pause[:@]/.test(tag)),
      )
      .filter(({ id = '' }) => all || now - (this.#firstSeen.get(id) ?? now) >= minimumAge)
      .toSorted((a, b) => age(a.id ?? '') - age(b.id ?? ''));
    let freed = 0;
    for (const { id = '', size = 0 } of candidates) {
      if (freed >= wanted) break;
      log.info('Removes an image that nothing uses', { image: id, bytes: size });
      await runtime.images.removeImage({ image: { image: id } });
      this.#firstSeen.delete(id);
      freed += size;
    }
    if (freed) this.#options.removed();
    const node = this.#options.node();
    if (!all && freed < wanted && node)
      events.event(
        node,
        'Warning',
        'FreeDiskSpaceFailed',
        `Failed to garbage collect required amount of images. Attempted to free ${Math.trunc(wanted)} bytes, but only found ${freed} bytes eligible to free.`,
      );
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}
