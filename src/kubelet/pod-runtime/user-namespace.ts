/**
 * Ids of the host for pods with a user namespace of their own: 65536 a pod, no two pods the same.
 * What a pod got is kept beside its volumes, so that a restarted kubelet gives it to nobody else. upstream: pkg/kubelet/userns.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Pod } from '#api';
import type { UserNamespace } from '#runtime';
import { formatPod, specOf, uidOf } from '../pod-spec.ts';
import { podDirectory } from './paths.ts';

const length = 65_536;
/** As many as a node has pods; the first ids are the host's own. */
const places = 1024;

export class UserNamespaces {
  readonly #rootDirectory: string;
  readonly #taken = new Map<string, number>();

  constructor(rootDirectory: string) {
    this.#rootDirectory = rootDirectory;
  }

  #file(uid: string): string {
    return path.join(podDirectory(this.#rootDirectory, uid), 'userns');
  }

  /** Takes in what pods of before a restart have. */
  async restore(uids: readonly string[]): Promise<void> {
    for (const uid of uids) {
      const text = await readFile(this.#file(uid), 'utf8').catch(() => '');
      const first = Number(/"hostId":\s*(\d+)/.exec(text)?.[1]);
      if (first) this.#taken.set(uid, first / length);
    }
  }

  /** Undefined for pods in the host's user namespace. Rejects where the runtime has none to give. */
  async of(pod: Pod, supported: boolean): Promise<UserNamespace | undefined> {
    if (specOf(pod).hostUsers !== false) return undefined;
    if (!supported) throw new Error(`can't set \`spec.hostUsers: false\`, runtime does not support user namespaces`);
    const uid = uidOf(pod);
    let place = this.#taken.get(uid);
    if (place === undefined) {
      const used = new Set(this.#taken.values());
      place = 1;
      while (used.has(place)) place++;
      if (place > places) throw new Error(`could not find a free user namespace for pod ${formatPod(pod)}`);
      this.#taken.set(uid, place);
    }
    const mapping = { hostId: place * length, containerId: 0, length };
    await mkdir(podDirectory(this.#rootDirectory, uid), { recursive: true, mode: 0o750 });
    await writeFile(this.#file(uid), JSON.stringify({ uidMappings: [mapping], gidMappings: [mapping] }), { mode: 0o600 });
    return { mode: 'POD', uids: [mapping], gids: [mapping] };
  }

  release(uid: string): void {
    this.#taken.delete(uid);
  }
}
