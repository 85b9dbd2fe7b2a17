/** Pods described by files on the node, which run with or without an API. upstream: pkg/kubelet/config/{file,common}.go. */
import { createHash } from 'node:crypto';
import type { FSWatcher } from 'node:fs';
import { watch } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KindRules, Pod } from '#api';
import { Pod as PodKind } from '#api';
import type { Clock, Timer } from '#machinery/clock';
import { timestamp } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { configHashAnnotation, configSeenAnnotation, configSourceAnnotation } from './pod-spec.ts';

export interface StaticPodOptions {
  directory: string;
  nodeName: string;
  clock: Clock;
  log: Log;
  /** Called with all of them whenever any changed. */
  changed(pods: Pod[]): void;
}

/** Editors write a file in several steps. */
const settleTime = 50;

export class StaticPods {
  readonly #options: StaticPodOptions;
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  #reading: Promise<void> | undefined;
  #rules: KindRules<Pod> | undefined;

  constructor(options: StaticPodOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { directory, clock, log } = this.#options;
    try {
      this.#watcher = watch(directory, () => {
        this.#timer ??= clock.setTimeout(() => {
          this.#timer = undefined;
          this.#reading = this.#read();
        }, settleTime);
      });
    } catch (error) {
      log.warn('Cannot watch the directory of static pods', { path: directory, error });
    }
    await this.#read();
  }

  async #read(): Promise<void> {
    const { directory, log } = this.#options;
    const pods: Pod[] = [];
    // Nodes without static pods need not know the API's defaults.
    this.#rules ??= (await import('#api/rules')).rulesFor(PodKind) as KindRules<Pod>;
    for (const name of (await readdir(directory).catch((): string[] => [])).toSorted()) {
      if (name.startsWith('.')) continue;
      const file = path.join(directory, name);
      try {
        const text = await readFile(file, 'utf8');
        for (const document of parseAllDocuments(text)) {
          const value = document.toJS() as Pod | null;
          if (value?.kind === 'Pod') pods.push(this.#complete(value, file));
        }
      } catch (error) {
        log.error('Cannot read a static pod', { path: file, error });
      }
    }
    this.#options.changed(pods);
  }

  #complete(pod: Pod, file: string): Pod {
    const { clock, nodeName } = this.#options;
    const hash = createHash('md5').update(`host:${nodeName}`).update(`file:${file}`).update(JSON.stringify(pod)).digest('hex');
    const whole: Pod = {
      ...pod,
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        ...pod.metadata,
        name: `${pod.metadata?.name ?? ''}-${nodeName.toLowerCase()}`,
        namespace: pod.metadata?.namespace || 'default',
        uid: pod.metadata?.uid || hash,
        annotations: {
          ...pod.metadata?.annotations,
          [configHashAnnotation]: hash,
          [configSourceAnnotation]: 'file',
          [configSeenAnnotation]: timestamp(clock),
        },
      },
      spec: {
        ...pod.spec,
        containers: pod.spec?.containers ?? [],
        nodeName,
        // Taints end pods through the API; a static pod's file says whether it runs.
        tolerations: [...(pod.spec?.tolerations ?? []), { operator: 'Exists', effect: 'NoExecute' }],
      },
      status: { phase: 'Pending' },
    };
    this.#rules?.applyDefaults?.(whole);
    return whole;
  }

  async stop(): Promise<void> {
    this.#watcher?.close();
    this.#timer?.cancel();
    await this.#reading;
  }
}
