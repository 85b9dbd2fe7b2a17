import type { Pod } from '#api';
import type { ContainerStatus, PodSandboxStatus, Runtime } from '#runtime';
import { isHostNetwork, nameOf, namespaceOf, uidOf } from '../pod-spec.ts';
import { isGone } from './kill.ts';
import { labels } from './labels.ts';
import type { RuntimeContainer, RuntimePod } from './runtime-pod.ts';
import { emptyRuntimePod, runtimeContainer, sandboxIps, sandboxReady } from './runtime-pod.ts';
import { withTerminationMessage } from './termination-message.ts';

/** What identifies a pod for the runtime. */
export type PodName = Pick<RuntimePod, 'uid' | 'name' | 'namespace'>;

export const podName = (pod: Pod): PodName => ({ uid: uidOf(pod), name: nameOf(pod), namespace: namespaceOf(pod) });

const order = { created: 0, unknown: 1, running: 2, exited: 3 } as const;

/** Newest first; of two made in one moment the later attempt. */
const byAge = <T extends { createdAt?: number; restartCount?: number; metadata?: { attempt?: number } }>(list: T[]): T[] =>
  list.toSorted(
    (a, b) =>
      (b.createdAt ?? 0) - (a.createdAt ?? 0) ||
      (b.restartCount ?? b.metadata?.attempt ?? 0) - (a.restartCount ?? a.metadata?.attempt ?? 0),
  );

/**
 * What the runtime last said of each pod. Our own changes are taken in with one question each instead of a new look at everything.
 * Invariant: an entry is replaced, never changed, and a look that began before a newer change does not overwrite it.
 * upstream: pkg/kubelet/container/cache.go.
 */
export class PodCache {
  readonly #runtime: Runtime;
  readonly #simulated: boolean;
  readonly #pods = new Map<string, RuntimePod>();
  readonly #versions = new Map<string, number>();
  readonly #busy = new Map<string, number>();
  #version = 0;

  /** Called when nothing is done to a pod any more. */
  idle: ((uid: string) => void) | undefined;

  constructor(runtime: Runtime, simulated = false) {
    this.#runtime = runtime;
    this.#simulated = simulated;
  }

  peek(uid: string): RuntimePod | undefined {
    return this.#pods.get(uid);
  }

  /** The pod's entry; asks the runtime when there is none. */
  async get(pod: Pod): Promise<RuntimePod> {
    return this.#pods.get(uidOf(pod)) ?? this.refresh(pod);
  }

  /** A pod that was never here: nothing needs to be asked. */
  begin(pod: Pod): void {
    if (!this.#pods.has(uidOf(pod))) this.#put(emptyRuntimePod(uidOf(pod), nameOf(pod), namespaceOf(pod)));
  }

  /** While something is done to a pod, what it looks like in between is of no interest. */
  async during<T>(uid: string, work: () => Promise<T>): Promise<T> {
    this.#busy.set(uid, (this.#busy.get(uid) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const left = this.#busy.get(uid)! - 1;
      if (left) this.#busy.set(uid, left);
      else {
        this.#busy.delete(uid);
        this.idle?.(uid);
      }
    }
  }

  isBusy(uid: string): boolean {
    return this.#busy.has(uid);
  }

  /**
   * Takes in what an event of the runtime says, without asking again. Containers and sandboxes only ever go on from created to running
   * to ended, so an event that comes late takes nothing back. Answers whether anything is new.
   */
  async takeEvent(
    name: PodName,
    sandbox: PodSandboxStatus | undefined,
    statuses: readonly ContainerStatus[],
    deleted?: string,
  ): Promise<boolean> {
    const told = await Promise.all(
      statuses.map(runtimeContainer).map(async (container) => {
        const known = this.#pods.get(name.uid)?.containers.find(({ id }) => id === container.id);
        return known && order[known.state] >= order[container.state]
          ? known
          : this.#simulated
            ? container
            : withTerminationMessage(container);
      }),
    );
    const old = this.#pods.get(name.uid) ?? emptyRuntimePod(name.uid, name.name, name.namespace);
    const others = old.containers.filter(({ id }) => id !== deleted && !told.some((container) => container.id === id));
    const containers = byAge([...told.filter(({ id }) => id !== deleted), ...others]);
    const before = old.sandboxes.find(({ id }) => id === sandbox?.id);
    const stale = sandbox === undefined || (before !== undefined && (!sandboxReady(before) || sandboxReady(sandbox)));
    const gone = deleted !== undefined && deleted === sandbox?.id;
    const sandboxes = gone
      ? old.sandboxes.filter(({ id }) => id !== deleted)
      : stale
        ? old.sandboxes
        : [sandbox, ...old.sandboxes.filter(({ id }) => id !== sandbox.id)];
    const same =
      sandboxes === old.sandboxes &&
      containers.length === old.containers.length &&
      containers.every((container) => old.containers.some(({ id, state }) => id === container.id && state === container.state));
    if (same) return false;
    this.#put(this.#assemble(name, sandboxes, containers));
    return true;
  }

  forget(uid: string): void {
    this.#pods.delete(uid);
    this.#versions.delete(uid);
  }

  uids(): string[] {
    return [...this.#pods.keys()];
  }

  #put(state: RuntimePod): RuntimePod {
    this.#pods.set(state.uid, state);
    this.#versions.set(state.uid, ++this.#version);
    return state;
  }

  /** Asks the runtime for everything of one pod. */
  async refresh(pod: Pod | PodName): Promise<RuntimePod> {
    const name = 'uid' in pod ? (pod as PodName) : podName(pod as Pod);
    const before = this.#versions.get(name.uid) ?? 0;
    const labelSelector = { [labels.uid]: name.uid };
    const [sandboxes, containers] = await Promise.all([
      this.#runtime.runtime.listPodSandbox({ filter: { labelSelector } }),
      this.#runtime.runtime.listContainers({ filter: { labelSelector } }),
    ]);
    const statuses = await Promise.all((sandboxes.items ?? []).map(({ id }) => this.#sandbox(id ?? '')));
    const items = await Promise.all((containers.containers ?? []).map(({ id }) => this.#container(id ?? '')));
    const state = this.#assemble(
      name,
      statuses.filter((status) => status !== undefined),
      items.filter((item) => item !== undefined),
    );
    // Someone took in a change meanwhile; what they know is newer in part, so look once more.
    if ((this.#versions.get(name.uid) ?? 0) !== before) return this.refresh(name);
    return this.#put(state);
  }

  #assemble(name: PodName, sandboxes: PodSandboxStatus[], containers: RuntimeContainer[]): RuntimePod {
    const sorted = byAge(sandboxes);
    const old = this.#pods.get(name.uid);
    const hostNetwork = sorted[0]?.linux?.namespaces?.options?.network === 'NODE';
    // Addresses of a sandbox that has ended are still told of: they are the pod's last.
    const ips = hostNetwork ? [] : sorted[0] && sandboxReady(sorted[0]) ? sandboxIps(sorted[0]) : (old?.ips ?? sandboxIps(sorted[0]));
    return { ...name, ips, sandboxes: sorted, containers: byAge(containers) };
  }

  async #sandbox(id: string): Promise<PodSandboxStatus | undefined> {
    try {
      return (await this.#runtime.runtime.podSandboxStatus({ podSandboxId: id })).status;
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  async #container(id: string): Promise<RuntimeContainer | undefined> {
    try {
      const { status } = await this.#runtime.runtime.containerStatus({ containerId: id });
      if (!status) return undefined;
      const container = runtimeContainer(status);
      return this.#simulated ? container : await withTerminationMessage(container);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  async sandboxCreated(pod: Pod, id: string): Promise<RuntimePod> {
    const status = await this.#sandbox(id);
    if (!status) throw new Error(`sandbox ${id} is gone`);
    const name = podName(pod);
    const old = this.#pods.get(name.uid);
    return this.#put({
      ...name,
      ips: isHostNetwork(pod) ? [] : sandboxIps(status),
      sandboxes: byAge([status, ...(old?.sandboxes ?? []).filter((sandbox) => sandbox.id !== id)]),
      containers: old?.containers ?? [],
    });
  }

  /** Asks about one container. */
  async containerChanged(pod: Pod | PodName, id: string): Promise<RuntimePod> {
    const name = 'uid' in pod ? (pod as PodName) : podName(pod as Pod);
    const container = await this.#container(id);
    const old = this.#pods.get(name.uid) ?? emptyRuntimePod(name.uid, name.name, name.namespace);
    const others = old.containers.filter((item) => item.id !== id);
    return this.#put({ ...old, containers: container ? byAge([container, ...others]) : others });
  }

  containerRemoved(pod: Pod | PodName, id: string): void {
    const uid = 'uid' in pod ? (pod as PodName).uid : uidOf(pod as Pod);
    const old = this.#pods.get(uid);
    if (old) this.#put({ ...old, containers: old.containers.filter((item) => item.id !== id) });
  }
}
