/** Objects in the API that show what static pods do. upstream: pkg/kubelet/pod/mirror_client.go. */
import type { Pod } from '#api';
import { Pod as PodKind } from '#api';
import type { Client } from '#client';
import type { Log } from '#machinery/log';
import { isAlreadyExists, isNotFound } from '#machinery/status';
import { configHashAnnotation, configMirrorAnnotation, formatPod, isDeleted, nameOf, namespaceOf, uidOf } from './pod-spec.ts';

const keyOf = (pod: Pod): string => `${namespaceOf(pod)}/${nameOf(pod)}`;

export class MirrorPods {
  readonly #client: Client;
  readonly #log: Log;
  readonly #nodeName: string;
  readonly #nodeUid: () => string | undefined;
  readonly #mirrors = new Map<string, Pod>();
  readonly #statics = new Map<string, Pod>();
  readonly #busy = new Set<string>();

  constructor(options: { client: Client; log: Log; nodeName: string; nodeUid: () => string | undefined }) {
    this.#client = options.client;
    this.#log = options.log;
    this.#nodeName = options.nodeName;
    this.#nodeUid = options.nodeUid;
  }

  /** The static pod that a mirror stands for. */
  staticOf(mirror: Pod): Pod | undefined {
    return this.#statics.get(keyOf(mirror));
  }

  mirrorOf(pod: Pod): Pod | undefined {
    return this.#mirrors.get(keyOf(pod));
  }

  observe(mirror: Pod): void {
    this.#mirrors.set(keyOf(mirror), mirror);
    const pod = this.staticOf(mirror);
    if (!pod) void this.#remove(mirror);
    else void this.ensure(pod);
  }

  observeDeleted(mirror: Pod): void {
    if (uidOf(this.#mirrors.get(keyOf(mirror)) ?? mirror) === uidOf(mirror)) this.#mirrors.delete(keyOf(mirror));
    const pod = this.staticOf(mirror);
    if (pod) void this.ensure(pod);
  }

  add(pod: Pod): void {
    this.#statics.set(keyOf(pod), pod);
  }

  async forget(pod: Pod): Promise<void> {
    const key = keyOf(pod);
    if (uidOf(this.#statics.get(key) ?? pod) !== uidOf(pod)) return;
    this.#statics.delete(key);
    const mirror = this.#mirrors.get(key);
    if (mirror) await this.#remove(mirror);
  }

  /** One mirror, of this very version. */
  async ensure(pod: Pod): Promise<void> {
    const key = keyOf(pod);
    if (this.#busy.has(key)) return;
    this.#busy.add(key);
    try {
      const hash = pod.metadata?.annotations?.[configHashAnnotation] ?? '';
      const mirror = this.#mirrors.get(key);
      if (mirror && !isDeleted(mirror) && mirror.metadata?.annotations?.[configMirrorAnnotation] === hash) return;
      if (mirror) await this.#remove(mirror);
      const uid = this.#nodeUid();
      const { uid: _, ...metadata } = pod.metadata ?? {};
      const created = await this.#client.create(PodKind, {
        ...pod,
        metadata: {
          ...metadata,
          annotations: { ...metadata.annotations, [configMirrorAnnotation]: hash },
          ...(uid && { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: this.#nodeName, uid, controller: true }] }),
        },
      });
      this.#mirrors.set(key, created);
    } catch (error) {
      if (!isAlreadyExists(error)) this.#log.warn('Cannot create the mirror of a static pod', { pod: formatPod(pod), error });
    } finally {
      this.#busy.delete(key);
    }
  }

  async #remove(mirror: Pod): Promise<void> {
    try {
      await this.#client.delete(
        PodKind,
        { namespace: namespaceOf(mirror), name: nameOf(mirror) },
        { gracePeriodSeconds: 0, preconditions: { uid: uidOf(mirror) } },
      );
    } catch (error) {
      if (!isNotFound(error)) this.#log.warn('Cannot remove the mirror of a static pod', { pod: formatPod(mirror), error });
    }
  }
}
