import type { ContainerStatus, Pod, PodStatus } from '#api';
import { Pod as PodKind } from '#api';
import type { Client } from '#client';
import type { Clock, Timer } from '#machinery/clock';
import { timestamp } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { draft, equal } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import {
  conditionOf,
  initContainersOf,
  isMirrorPod,
  isSidecar,
  isStaticPod,
  isTerminalPhase,
  nameOf,
  namespaceOf,
  uidOf,
} from '../pod-spec.ts';
import { isKubeletCondition, makeCondition } from './conditions.ts';
import { keepTransitionTimes, statusPatch } from './patch.ts';

interface Entry {
  pod: Pod;
  status: PodStatus;
  /** Nothing of the pod is left on the node. */
  finished: boolean;
  /** What the API holds, as far as known. */
  api: Pod;
  dirty: boolean;
  writing: boolean;
  failures: number;
  timer?: Timer;
}

export interface StatusManagerOptions {
  client: Client;
  clock: Clock;
  log: Log;
  /** Containers of the pod may still run, so the API must not hear of a final phase yet. */
  couldHaveRunningContainers(uid: string): boolean;
  /** The API object that stands for the pod: the pod itself, or a static pod's mirror. */
  apiPod(uid: string): Pod | undefined;
}

const retryDelays = [100, 500, 2000, 5000, 10_000];
const lost: ContainerStatus['state'] = {
  terminated: {
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was terminated',
    exitCode: 137,
  },
};
const revision = (pod: Pod): number => Number(pod.metadata?.resourceVersion ?? 0) || 0;

/**
 * Brings the status of every pod of the node to the API, newest only, one write a pod at a time, and removes the API object
 * when a deleted pod is over. upstream: pkg/kubelet/status/status_manager.go.
 */
export class StatusManager {
  readonly #options: StatusManagerOptions;
  readonly #entries = new Map<string, Entry>();
  #stopped = false;

  constructor(options: StatusManagerOptions) {
    this.#options = options;
  }

  get(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.status;
  }

  /** What the API last answered to a write of ours, where that is newer than `pod`. */
  newest(pod: Pod): Pod {
    const entry = this.#entries.get(uidOf(pod));
    return entry && revision(entry.api) > revision(pod) ? entry.api : pod;
  }

  set(pod: Pod, status: PodStatus): void {
    this.#update(pod, draft(status), false);
  }

  /** The pod's end: every container that is not known to have ended counts as lost, and the phase is final. */
  terminate(pod: Pod): void {
    const status = draft(this.get(uidOf(pod)) ?? pod.status ?? {});
    if (this.#wasInitialized(pod))
      for (const container of status.containerStatuses ?? []) if (!container.state?.terminated) container.state = lost!;
    const init = status.initContainerStatuses ?? [];
    let last = init.findLastIndex((container) => !container.state?.waiting || container.lastState?.terminated);
    if (last < 0 && init.length) last = 0;
    for (const container of init.slice(0, last + 1)) if (!container.state?.terminated) container.state = lost!;
    if (!isStaticPod(pod) && !isTerminalPhase(status.phase)) status.phase = 'Failed';
    this.#update(pod, status, true);
  }

  #wasInitialized(pod: Pod): boolean {
    const containers = initContainersOf(pod);
    if (containers.length === 0) return true;
    const main = pod.status?.containerStatuses ?? [];
    if (main.some((status) => status.lastState?.terminated || !status.state?.waiting)) return true;
    const statuses = pod.status?.initContainerStatuses ?? [];
    const last = statuses.at(-1);
    const spec = containers[statuses.length - 1];
    if (!last || !spec) return false;
    if (isSidecar(spec)) return last.state?.running !== undefined && last.started === true;
    return (last.lastState?.terminated ?? last.state?.terminated)?.exitCode === 0;
  }

  #update(pod: Pod, status: PodStatus, finished: boolean): void {
    const uid = uidOf(pod);
    const known = this.#entries.get(uid);
    const old = known?.status ?? this.#options.apiPod(uid)?.status ?? pod.status ?? {};
    const now = timestamp(this.#options.clock);
    keepTransitionTimes(status.conditions ?? [], old.conditions, now);
    status.startTime = old.startTime ?? status.startTime ?? now;
    if ((old.observedGeneration ?? 0) > (status.observedGeneration ?? 0)) status.observedGeneration = old.observedGeneration!;
    shorten(status);
    if (known && !finished && !known.finished && equal(known.status, status)) {
      known.pod = pod;
      return;
    }
    const entry: Entry = known ?? {
      pod,
      status,
      finished,
      api: this.#options.apiPod(uid) ?? pod,
      dirty: true,
      writing: false,
      failures: 0,
    };
    entry.pod = pod;
    entry.status = status;
    entry.finished ||= finished;
    entry.dirty = true;
    this.#entries.set(uid, entry);
    this.#flush(uid, entry);
  }

  /** The API's view of a pod changed: write again where it no longer says what we said. upstream: needsReconcile. */
  observe(pod: Pod, uid = uidOf(pod)): void {
    const entry = this.#entries.get(uid);
    if (!entry) return;
    if (revision(pod) >= revision(entry.api)) entry.api = pod;
    if (entry.writing || entry.dirty) return;
    const merged = this.#merge(entry);
    if (this.#deletable(entry) || statusPatch(uid, entry.api.status ?? {}, merged)) {
      entry.dirty = true;
      this.#flush(uid, entry);
    }
  }

  forget(uid: string): void {
    const entry = this.#entries.get(uid);
    entry?.timer?.cancel();
    this.#entries.delete(uid);
  }

  stop(): void {
    this.#stopped = true;
    for (const entry of this.#entries.values()) entry.timer?.cancel();
  }

  #merge(entry: Entry): PodStatus {
    const old = entry.api.status ?? {};
    const next: PodStatus = { ...entry.status };
    const uid = uidOf(entry.pod);
    const running = this.#options.couldHaveRunningContainers(uid) && !entry.finished;
    const final = !isTerminalPhase(old.phase) && isTerminalPhase(next.phase);
    const conditions = (old.conditions ?? []).filter(({ type }) => !isKubeletCondition(type));
    for (const condition of entry.status.conditions ?? [])
      if (isKubeletCondition(condition.type)) conditions.push(condition);
      else if (condition.type === 'DisruptionTarget' && final && !running) {
        const index = conditions.findIndex(({ type }) => type === 'DisruptionTarget');
        if (index < 0) conditions.push(condition);
        else conditions[index] = condition;
      }
    next.conditions = conditions;
    if (old.resourceClaimStatuses) next.resourceClaimStatuses = old.resourceClaimStatuses;
    if (old.extendedResourceClaimStatus) next.extendedResourceClaimStatus = old.extendedResourceClaimStatus;
    if (old.nominatedNodeName) next.nominatedNodeName = old.nominatedNodeName;
    if (final && running) {
      // Final phases are promises that nothing runs any more.
      for (const field of ['phase', 'reason', 'message'] as const)
        if (old[field] === undefined) delete next[field];
        else next[field] = old[field];
    }
    if (isTerminalPhase(next.phase))
      for (const type of ['ContainersReady', 'Ready']) {
        const index = conditions.findIndex((condition) => condition.type === type);
        if (conditions[index]?.status !== 'True') continue;
        const reason = next.phase === 'Failed' ? 'PodFailed' : 'PodCompleted';
        conditions[index] = {
          ...makeCondition(entry.pod, type, { status: 'False', reason }),
          lastTransitionTime: timestamp(this.#options.clock),
        };
      }
    return next;
  }

  #deletable(entry: Entry): boolean {
    const { api } = entry;
    return entry.finished && api.metadata?.deletionTimestamp !== undefined && !isMirrorPod(api) && isTerminalPhase(api.status?.phase);
  }

  #flush(uid: string, entry: Entry): void {
    if (entry.writing || this.#stopped || entry.timer) return;
    entry.writing = true;
    void this.#write(uid, entry).finally(() => {
      entry.writing = false;
      if (entry.dirty && !entry.timer && this.#entries.get(uid) === entry) this.#flush(uid, entry);
    });
  }

  async #write(uid: string, entry: Entry): Promise<void> {
    const { client, clock, log } = this.#options;
    while (entry.dirty && !this.#stopped) {
      entry.dirty = false;
      const known = this.#options.apiPod(uid);
      if (known && revision(known) > revision(entry.api)) entry.api = known;
      const { api } = entry;
      const ref = { namespace: namespaceOf(api), name: nameOf(api) };
      try {
        const patch = statusPatch(uidOf(api), api.status ?? {}, this.#merge(entry));
        if (patch) entry.api = await client.patch(PodKind, ref, 'strategic', patch, { subresource: 'status' });
        if (this.#deletable(entry)) {
          await client.delete(PodKind, ref, { gracePeriodSeconds: 0, preconditions: { uid: uidOf(api) } });
          this.forget(uid);
        }
        entry.failures = 0;
      } catch (error) {
        if (isNotFound(error)) return;
        if (this.#stopped) return;
        // A conflict says that the pod was replaced by one of the same name; the informer tells.
        log.warn('Cannot write the status of a pod', { pod: `${ref.namespace}/${ref.name}`, error });
        entry.dirty = true;
        const delay = retryDelays[Math.min(entry.failures++, retryDelays.length - 1)]!;
        entry.timer = clock.setTimeout(() => {
          delete entry.timer;
          if (this.#entries.get(uid) === entry) this.#flush(uid, entry);
        }, delay);
        return;
      }
    }
  }

  /** Whether the last written status says so: tests and shutdown wait for it. */
  settled(uid: string): boolean {
    const entry = this.#entries.get(uid);
    return !entry || (!entry.dirty && !entry.writing);
  }

  isReady(uid: string): boolean {
    return conditionOf(this.get(uid)?.conditions, 'Ready')?.status === 'True';
  }
}

const bytesOfAllMessages = 12 * 1024;

/** Termination messages of one pod share 12 KiB. Changes `status`. upstream: normalizeStatus. */
function shorten(status: PodStatus): void {
  const all = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? []), ...(status.ephemeralContainerStatuses ?? [])];
  const limit = all.length ? Math.floor(bytesOfAllMessages / all.length) : bytesOfAllMessages;
  for (const container of all)
    for (const state of [container.state, container.lastState]) {
      const terminated = state?.terminated;
      if (terminated?.message && Buffer.byteLength(terminated.message) > limit)
        terminated.message = Buffer.from(terminated.message).subarray(0, limit).toString('utf8');
    }
}
