/** Pods that preemption meant for a node and that are not placed yet. upstream: pkg/scheduler/backend/queue/nominator.go. */
import type { PodInfo } from '../cache/pod-info.ts';

const none: readonly PodInfo[] = [];

export class Nominator {
  readonly #byNode = new Map<string, PodInfo[]>();
  readonly #nodeOf = new Map<string, string>();

  add(info: PodInfo, nodeName: string): void {
    this.delete(info.uid);
    if (!nodeName) return;
    this.#nodeOf.set(info.uid, nodeName);
    const pods = this.#byNode.get(nodeName);
    if (pods) pods.push(info);
    else this.#byNode.set(nodeName, [info]);
  }

  delete(uid: string): void {
    const nodeName = this.#nodeOf.get(uid);
    if (nodeName === undefined) return;
    this.#nodeOf.delete(uid);
    const left = this.#byNode.get(nodeName)!.filter((info) => info.uid !== uid);
    if (left.length) this.#byNode.set(nodeName, left);
    else this.#byNode.delete(nodeName);
  }

  nodeOf(uid: string): string | undefined {
    return this.#nodeOf.get(uid);
  }

  pods(nodeName: string): readonly PodInfo[] {
    return this.#byNode.get(nodeName) ?? none;
  }

  get size(): number {
    return this.#nodeOf.size;
  }
}
