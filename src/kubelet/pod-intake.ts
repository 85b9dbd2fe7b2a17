import type { Node, Pod, PodStatus } from '#api';
import type { Context } from '#machinery/lifecycle';
import { equal } from '#machinery/meta';
import type { AdmissionFacts } from './admission.ts';
import { admit, fits } from './admission.ts';
import type { KubeletOptions } from './contract.ts';
import type { Housekeeping } from './housekeeping.ts';
import type { MirrorPods } from './mirror-pods.ts';
import type { NodeStatusReporter } from './node/status.ts';
import type { Pleg } from './pleg.ts';
import { conditionOf, formatPod, isCriticalPod, isMirrorPod, isStaticPod, isTerminalPhase, specOf, uidOf } from './pod-spec.ts';
import type { PodCache } from './pod-runtime/cache.ts';
import type { RuntimePod } from './pod-runtime/runtime-pod.ts';
import type { PodWorkers } from './pod-workers.ts';
import type { Cgroups } from './resources/cgroups.ts';
import type { Resizes } from './resources/resize.ts';
import { StaticPods } from './static-pods.ts';
import { isKubeletCondition } from './status/conditions.ts';
import type { StatusManager } from './status/manager.ts';
import type { VolumeManager } from './volumes/manager.ts';

export interface PodIntakeOptions {
  options: KubeletOptions;
  context: Context;
  /** Every pod of the node by uid, as the API (or its file) says it. */
  pods: Map<string, Pod>;
  cache: PodCache;
  workers: PodWorkers;
  statuses: StatusManager;
  resizes: Resizes;
  mirrors: MirrorPods;
  housekeeping: Housekeeping;
  node: NodeStatusReporter;
  pleg: Pleg;
  volumes: VolumeManager;
  cgroups(): Cgroups;
  allocatable(): Record<string, string>;
  makeStatus(pod: Pod, runtime: RuntimePod, terminal: boolean): PodStatus;
  refreshSoon(uid: string): void;
}

/** Where pods come from: the API, files, and the runtime, which may hold pods that nobody sent. Decides which of them a worker gets. */
export class PodIntake {
  readonly #deps: PodIntakeOptions;
  #static: StaticPods | undefined;
  /** The API's pods are known, so a pod that is not among them is nobody's. */
  synced = false;

  constructor(deps: PodIntakeOptions) {
    this.#deps = deps;
  }

  /** A pod came. */
  added(pod: Pod): void {
    const uid = uidOf(pod);
    if (isMirrorPod(pod)) return this.#mirrorChanged(pod);
    this.#deps.pods.set(uid, pod);
    this.#deps.statuses.observe(pod);
    this.#deps.housekeeping.poke();
    const state = this.#deps.cache.peek(uid);
    if (!state) this.#deps.cache.begin(pod);
    const isNew = !state && !isTerminalPhase(pod.status?.phase) && pod.metadata?.deletionTimestamp === undefined;
    if (isNew && !this.#deps.workers.phase(uid) && !this.#admit(pod)) return;
    this.#deps.resizes.begin(pod);
    this.#deps.workers.update(this.#deps.resizes.allocated(pod));
    this.#deps.pleg.poke();
  }

  /** A pod is another than it was. */
  updated(pod: Pod, old: Pod): void {
    const uid = uidOf(pod);
    if (uid !== uidOf(old)) {
      this.deleted(old);
      this.added(pod);
      return;
    }
    if (isMirrorPod(pod)) return this.#mirrorChanged(pod);
    this.#deps.pods.set(uid, pod);
    this.#deps.statuses.observe(pod);
    const same =
      pod.metadata?.deletionTimestamp === old.metadata?.deletionTimestamp &&
      pod.metadata?.deletionGracePeriodSeconds === old.metadata?.deletionGracePeriodSeconds &&
      equal(pod.spec, old.spec) &&
      equal(pod.metadata?.labels, old.metadata?.labels) &&
      equal(pod.metadata?.annotations, old.metadata?.annotations);
    if (!same) {
      this.#deps.resizes.consider(pod);
      this.#deps.workers.update(this.#deps.resizes.allocated(pod));
      this.#retryResizes();
    } else if (this.#gatesChanged(pod, old)) this.#deps.refreshSoon(uid);
  }

  /** Conditions that others keep may decide whether the pod is ready. */
  #gatesChanged(pod: Pod, old: Pod): boolean {
    return (pod.status?.conditions ?? []).some(
      (condition) =>
        !isKubeletCondition(condition.type) && conditionOf(old.status?.conditions, condition.type)?.status !== condition.status,
    );
  }

  /** A pod went. */
  deleted(pod: Pod): void {
    const uid = uidOf(pod);
    if (isMirrorPod(pod)) return this.#deps.mirrors.observeDeleted(pod);
    this.#deps.pods.delete(uid);
    this.#deps.workers.remove(pod);
  }

  #mirrorChanged(mirror: Pod): void {
    this.#deps.mirrors.observe(mirror);
    const pod = this.#deps.mirrors.staticOf(mirror);
    if (pod) this.#deps.statuses.observe(mirror, uidOf(pod));
  }

  /** Reads the node's own pods; what stops that is undone by `stop`. */
  async startStaticPods(): Promise<void> {
    const { staticPodPath, nodeName } = this.#deps.options;
    if (!staticPodPath) return;
    const { clock, log } = this.#deps.context;
    const source = new StaticPods({ directory: staticPodPath, nodeName, clock, log, changed: (pods) => this.#staticPodsChanged(pods) });
    this.#static = source;
    await source.start();
  }

  /** A changed file is another pod: it has another uid. */
  #staticPodsChanged(pods: Pod[]): void {
    const wanted = new Set(pods.map(uidOf));
    for (const [uid, pod] of this.#deps.pods)
      if (isStaticPod(pod) && !wanted.has(uid)) {
        void this.#deps.mirrors.forget(pod);
        this.deleted(pod);
      }
    for (const pod of pods) {
      this.#deps.mirrors.add(pod);
      if (!this.#deps.pods.has(uidOf(pod))) this.added(pod);
    }
  }

  /** Ends a pod because the node must. */
  evict(pod: Pod, message: string): void {
    this.#deps.options.events.event(pod, 'Warning', 'Evicted', message);
    this.#deps.workers.terminate(uidOf(pod), { gracePeriod: 1, evict: { reason: 'Evicted', message, disruption: true } });
  }

  #admit(pod: Pod): boolean {
    const { log } = this.#deps.context;
    const node: Node = this.#deps.node.node ?? { metadata: { name: this.#deps.options.nodeName } };
    const others = this.#deps.workers.holding().filter((other) => uidOf(other) !== uidOf(pod));
    const facts: AdmissionFacts = {
      node: node.status?.allocatable ? node : { ...node, status: { ...node.status, allocatable: this.#deps.allocatable() } },
      others,
      allowedUnsafeSysctls: this.#deps.options.allowedUnsafeSysctls ?? [],
      pressure: this.#deps.housekeeping.pressure,
      simulated: this.#deps.options.simulated === true,
    };
    let rejection = admit(pod, facts);
    if (rejection?.reason.startsWith('OutOf') && isCriticalPod(pod) && this.#preempt(pod, facts)) rejection = undefined;
    if (!rejection) return true;
    log.info('Refused a pod', { pod: formatPod(pod), ...rejection });
    this.#deps.options.events.event(pod, 'Warning', rejection.reason, rejection.message);
    this.#deps.workers.reject(pod);
    const status: PodStatus = {
      ...this.#deps.makeStatus(pod, this.#deps.cache.peek(uidOf(pod))!, false),
      phase: 'Failed',
      reason: rejection.reason,
      message: `Pod was rejected: ${rejection.message}`,
    };
    delete status.containerStatuses;
    delete status.initContainerStatuses;
    this.#deps.statuses.set(pod, status);
    this.#deps.statuses.terminate(pod);
    return false;
  }

  /** A critical pod takes the place of less important ones, the least important first. upstream: pkg/kubelet/preemption. */
  #preempt(pod: Pod, facts: AdmissionFacts): boolean {
    const priority = (of: Pod): number => specOf(of).priority ?? 0;
    const candidates = facts.others
      .filter((other) => !isCriticalPod(other) && priority(other) < priority(pod))
      .toSorted((a, b) => priority(a) - priority(b));
    const victims: Pod[] = [];
    for (const candidate of candidates) {
      victims.push(candidate);
      const others = facts.others.filter((other) => !victims.includes(other));
      if (admit(pod, { ...facts, others })) continue;
      const message = 'Preempted in order to admit critical pod';
      for (const victim of victims) {
        this.#deps.options.events.event(victim, 'Warning', 'Preempting', message);
        this.#deps.workers.terminate(uidOf(victim), { gracePeriod: 1, evict: { reason: 'Preempting', message, disruption: true } });
      }
      return true;
    }
    return false;
  }

  /** The runtime has a pod that nobody sent. */
  found(state: RuntimePod): void {
    if (!this.synced || this.#deps.pods.has(state.uid)) {
      this.#deps.workers.wake(state.uid);
      return;
    }
    if (!this.#deps.workers.phase(state.uid)) this.#endUnknown(state);
  }

  #endUnknown(state: RuntimePod): void {
    this.#deps.context.log.info('Ends a pod that the API does not know', { pod: `${state.namespace}/${state.name}`, uid: state.uid });
    this.#deps.workers.terminateUnknown(
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: state.name, namespace: state.namespace, uid: state.uid } },
      1,
    );
  }

  /** After a start: what is left of pods that went meanwhile. upstream: HandlePodCleanups. */
  async cleanOrphans(): Promise<void> {
    for (const uid of this.#deps.cache.uids()) {
      const state = this.#deps.cache.peek(uid)!;
      if (!this.#deps.pods.has(uid) && !this.#deps.workers.phase(uid)) this.#endUnknown(state);
    }
    const left = new Set([...(await this.#deps.volumes.onDisk()), ...(await this.#deps.cgroups().pods())]);
    for (const uid of left)
      if (!this.#deps.pods.has(uid) && !this.#deps.workers.phase(uid)) {
        await this.#deps.volumes.tearDown(uid);
        await this.#deps
          .cgroups()
          .remove(uid)
          .catch((error: unknown) => this.#deps.context.log.debug('Cannot remove a cgroup', { uid, error }));
      }
  }

  /** A pod left the node: there may be room for a resize that waited. */
  forgotten(uid: string): void {
    this.#deps.resizes.forget(uid);
    this.#retryResizes();
  }

  /** Why the pod would not fit beside the others; undefined where it does. */
  unfit(pod: Pod): string | undefined {
    const node = this.#deps.node.node;
    const others = this.#deps.workers.holding().filter((other) => uidOf(other) !== uidOf(pod));
    return node && fits(pod, { node, others })?.message;
  }

  #retryResizes(): void {
    for (const uid of this.#deps.resizes.deferred()) {
      const pod = this.#deps.pods.get(uid);
      if (pod && this.#deps.resizes.consider(pod)) this.#deps.workers.update(this.#deps.resizes.allocated(pod));
    }
  }

  async stop(): Promise<void> {
    await this.#static?.stop();
  }
}
