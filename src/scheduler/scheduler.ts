/**
 * The scheduler as a component: informers feed cache and queue; a loop takes pods from the queue, decides synchronously, and lets the
 * bindings run beside it. upstream: pkg/scheduler/scheduler.go, schedule_one.go.
 */
import { Namespace, Pod } from '#api';
import type { ActionRecorder, Client, Informers, RecordedAction } from '#client';
import type { Clock, Random } from '#machinery/clock';
import { runningPart } from '#machinery/lifecycle';
import type { Component, Running } from '#machinery/lifecycle';
import type { Log } from '#machinery/log';
import { Cache } from './cache/cache.ts';
import type { PodInfo } from './cache/pod-info.ts';
import { defaultSchedulerName, profilePlugins } from './config.ts';
import type { SchedulerConfiguration } from './config.ts';
import type { Handle, PluginFactory, QueuedPod } from './contract.ts';
import { connectInformers } from './event-handlers.ts';
import { CycleState } from './framework/cycle-state.ts';
import { assignedPodDeleted, action } from './framework/events.ts';
import { fitErrorMessage, NodeStatuses } from './framework/node-statuses.ts';
import { Profile } from './framework/profile.ts';
import { failed, isRejected, messageOf } from './framework/status.ts';
import type { Status } from './framework/status.ts';
import { PodStatusWriter } from './pod-status.ts';
import { SchedulingQueue } from './queue/scheduling-queue.ts';
import { ScheduleOne } from './schedule-one.ts';

/** What was decided about one pod in one cycle, for tracing. */
export interface SchedulingDecision {
  pod: Pod;
  /** Absent when the pod was not placed. */
  nodeName?: string;
  /** The chosen node's weighted scores; empty when only one node fitted. */
  scores: { plugin: string; score: number }[];
  feasibleNodes: number;
  evaluatedNodes: number;
  /** Why nodes were not taken → how many. */
  rejections: Record<string, number>;
  /** The whole message of a failure. */
  message?: string;
  attempts: number;
  /** Milliseconds since 1970: into the queue first, and when the cycle began; how long the cycle took. */
  queuedAt: number;
  startedAt: number;
  tookMilliseconds: number;
}

export interface SchedulerOptions {
  client: Client;
  informers: Informers;
  events: ActionRecorder;
  /** The recorder of another profile, which reports under its own name. Default: `events`. */
  eventsFor?(schedulerName: string): ActionRecorder;
  config?: SchedulerConfiguration;
  /** Plugins beyond the built-in ones, by name; a profile enables them. */
  plugins?: Readonly<Record<string, PluginFactory>>;
  clock?: Clock;
  random?: Random;
  log?: Log;
  onDecision?(decision: SchedulingDecision): void;
}

/** Bindings on their way at most: beyond, the loop waits for the API server. */
const mostBindings = 512;
/** How long the loop may hold the thread. Milliseconds. */
const slice = 4;

const keyOfPod = ({ namespace, name }: PodInfo): string => `${namespace}/${name}`;

export function createScheduler(options: SchedulerOptions): Component {
  return {
    name: 'kube-scheduler',
    async start(context): Promise<Running> {
      const scheduler = new Scheduler({
        ...options,
        clock: options.clock ?? context.clock,
        random: options.random ?? context.random,
        log: options.log ?? context.log,
      });
      return runningPart(scheduler, context.signal);
    },
  };
}

type Options = SchedulerOptions & Required<Pick<SchedulerOptions, 'clock' | 'random' | 'log'>>;

class Scheduler {
  readonly cache = new Cache();
  readonly profiles = new Map<string, Profile>();
  readonly queue: SchedulingQueue;
  readonly #options: Options;
  readonly #recorders = new Map<string, ActionRecorder>();
  readonly #cycle: ScheduleOne;
  readonly #status: PodStatusWriter;
  readonly #stopped = new AbortController();
  readonly #bindings = new Set<Promise<void>>();
  #subscriptions: Disposable[] = [];
  #looping: Promise<void> | undefined;
  #ready = false;

  constructor(options: Options) {
    this.#options = options;
    const { clock, random, log, client, config = {} } = options;
    this.#cycle = new ScheduleOne(this.cache, random, config.percentageOfNodesToScore);
    this.#status = new PodStatusWriter(client, clock, log);
    this.queue = new SchedulingQueue({
      clock,
      less: (a, b) => this.#anyProfile.less(a, b),
      preEnqueue: (pod) => this.profiles.get(schedulerOf(pod))?.preEnqueue(pod),
      registrations: (pod, plugin) =>
        plugin === '' ? [{ event: { resource: 'Node', actions: action.add } }] : this.profiles.get(schedulerOf(pod))?.registrations(plugin),
      wake: () => this.#wake(),
      initialBackoff: (config.podInitialBackoffSeconds ?? 1) * 1000,
      maxBackoff: (config.podMaxBackoffSeconds ?? 10) * 1000,
    });
    for (const entry of config.profiles?.length ? config.profiles : [{}]) {
      const name = entry.schedulerName ?? defaultSchedulerName;
      const recorder = options.eventsFor?.(name) ?? options.events;
      this.#recorders.set(name, recorder);
      const plugins = profilePlugins(entry, this.#handle(name, recorder), options.plugins);
      const profile = new Profile(name, plugins, {
        clock,
        nominated: (nodeName) => this.queue.nominator.pods(nodeName),
        ...(entry.percentageOfNodesToScore !== undefined && { percentageOfNodesToScore: entry.percentageOfNodesToScore }),
      });
      this.profiles.set(name, profile);
    }
  }

  async start(signal: AbortSignal): Promise<void> {
    const { informers } = this.#options;
    const namespaces = informers.for(Namespace);
    this.cache.namespaceLabels = (namespace) => namespaces.get(namespace)?.metadata?.labels;
    this.#subscriptions = connectInformers(this, informers);
    await informers.synced();
    signal.throwIfAborted();
    this.#ready = true;
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.queue.close();
    for (const subscription of this.#subscriptions.splice(0)) subscription[Symbol.dispose]();
    for (const profile of this.profiles.values()) profile.close();
    await this.#looping;
    await Promise.all([...this.#bindings, this.#status.flushed()]);
  }

  responsibleFor(pod: Pod): boolean {
    return this.profiles.has(schedulerOf(pod));
  }

  /** A pod that was assumed is being deleted before it was bound. */
  assumedPodDeleted(pod: Pod): void {
    const uid = pod.metadata?.uid ?? '';
    const waiting = this.profiles.get(schedulerOf(pod))?.waitingPod(uid);
    if (waiting) waiting.reject('', 'the pod is deleted');
    else this.cache.forget(uid);
    this.queue.move(assignedPodDeleted, { ...pod, spec: { ...pod.spec!, nodeName: pod.spec?.nodeName ?? '-' } }, undefined);
  }

  get #anyProfile(): Profile {
    return this.profiles.values().next().value!;
  }

  #handle(profileName: string, events: ActionRecorder): Handle {
    const { client, informers, clock, random, log } = this.#options;
    const profile = (): Profile => this.profiles.get(profileName)!;
    return {
      profileName,
      cache: this.cache,
      client,
      informers,
      events,
      clock,
      random,
      log,
      nominatedPods: (nodeName) => this.queue.nominator.pods(nodeName),
      filterWithNominated: (state, pod, node) => profile().filterWithNominated(state, pod, node),
      addPod: (state, pod, other, node) => profile().addPod(state, pod, other, node),
      removePod: (state, pod, other, node) => profile().removePod(state, pod, other, node),
      waitingPod(uid) {
        return profile().waitingPod(uid);
      },
      activate: (pods) => this.queue.activate(pods),
    };
  }

  #wake(): void {
    if (!this.#ready || this.#stopped.signal.aborted || this.#looping) return;
    this.#looping = this.#loop().finally(() => {
      this.#looping = undefined;
      const { active } = this.queue.lengths;
      if (active > 0) this.#wake();
    });
  }

  /** Runs until the queue is empty, giving way to everything else every few milliseconds. */
  async #loop(): Promise<void> {
    // Events of one turn of the loop arrive together; sorting by priority wants them all.
    await turn();
    let until = this.#options.clock.monotonic() + slice;
    while (!this.#stopped.signal.aborted) {
      const queued = this.queue.pop();
      if (!queued) return;
      this.#scheduleOne(queued);
      if (this.#bindings.size >= mostBindings) await Promise.race(this.#bindings);
      if (this.#options.clock.monotonic() >= until) {
        await turn();
        until = this.#options.clock.monotonic() + slice;
      }
    }
  }

  #scheduleOne(queued: QueuedPod): void {
    const { info } = queued;
    const profile = this.profiles.get(schedulerOf(info.pod));
    if (!profile || this.#skips(info)) return this.queue.done(info.uid);
    const { clock } = this.#options;
    const startedAt = clock.now();
    const began = clock.monotonic();
    const state = new CycleState();
    try {
      const outcome = this.#cycle.run(profile, state, info);
      const told = {
        pod: info.pod,
        attempts: queued.attempts,
        queuedAt: queued.initialTimestamp,
        startedAt,
        tookMilliseconds: clock.monotonic() - began,
      };
      if ('noNodes' in outcome) {
        queued.unschedulablePlugins = new Set(['']);
        this.#failed(profile, queued, { rejected: true, message: 'no nodes available to schedule pods', nominatedNodeName: '' }, told);
      } else if ('broken' in outcome) {
        queued.unschedulablePlugins = new Set();
        this.#failed(profile, queued, { rejected: false, message: messageOf(outcome.broken.status), nominatedNodeName: '' }, told);
      } else if ('rejected' in outcome) {
        const { statuses, preFilterMessage, unschedulablePlugins, nodes } = outcome.rejected;
        queued.unschedulablePlugins = unschedulablePlugins;
        const post = profile.postFilters.length ? profile.postFilter(state, info, statuses) : {};
        const message = fitErrorMessage(nodes, statuses, preFilterMessage, messageOf(post.status));
        const nominated = profile.postFilters.length ? post.nominatedNodeName : '';
        this.#failed(
          profile,
          queued,
          { rejected: true, message, nominatedNodeName: nominated },
          { ...told, ...rejections(statuses, nodes) },
        );
      } else this.#place(profile, state, queued, outcome.chosen, told);
    } catch (error) {
      this.#options.log.error('Error selecting node for pod', { pod: keyOfPod(info), error });
      queued.unschedulablePlugins = new Set();
      this.#failed(profile, queued, { rejected: false, message: messageOf(failed(error)), nominatedNodeName: '' });
    }
  }

  /** Deleted, or placed already (it was changed while it was being assumed). */
  #skips(info: PodInfo): boolean {
    if (info.pod.metadata?.deletionTimestamp) {
      const recorder = this.#recorders.get(schedulerOf(info.pod));
      recorder?.record(failedScheduling(info, `skip schedule deleting pod: ${keyOfPod(info)}`));
      return true;
    }
    return this.cache.isPlaced(info.uid);
  }

  #place(
    profile: Profile,
    state: CycleState,
    queued: QueuedPod,
    chosen: { nodeName: string; scores: { plugin: string; score: number }[]; feasible: number; evaluated: number; statuses: NodeStatuses },
    told: Told,
  ): void {
    const { nodeName } = chosen;
    const info = queued.info.boundTo(nodeName);
    this.cache.assume(info, nodeName);
    this.queue.nominator.delete(info.uid);
    let status = profile.reserve(state, info, nodeName);
    let permission: Status | Promise<Status | undefined> | undefined;
    if (!status) {
      permission = profile.permit(state, info, nodeName);
      if (permission && !(permission instanceof Promise)) status = permission;
    }
    if (status) {
      profile.unreserve(state, info, nodeName);
      this.cache.forget(info.uid);
      return this.#failedOn(profile, queued, nodeName, status, told);
    }
    this.#options.onDecision?.({
      ...told,
      nodeName,
      scores: chosen.scores,
      feasibleNodes: chosen.feasible,
      evaluatedNodes: chosen.evaluated,
      rejections: rejections(chosen.statuses, chosen.statuses.size).rejections,
    });
    const binding = this.#bind(profile, state, queued, info, nodeName, permission as Promise<Status | undefined> | undefined).finally(() =>
      this.#bindings.delete(binding),
    );
    this.#bindings.add(binding);
  }

  async #bind(
    profile: Profile,
    state: CycleState,
    queued: QueuedPod,
    info: PodInfo,
    nodeName: string,
    permission: Promise<Status | undefined> | undefined,
  ): Promise<void> {
    let status: Status | undefined;
    try {
      status = permission && (await permission);
      if (!status) {
        this.queue.done(info.uid);
        if (profile.preBinds.length) status = await profile.preBind(state, info, nodeName, this.#stopped.signal);
        status ??= await profile.bind(state, info, nodeName);
      }
    } catch (error) {
      status = failed(error);
    }
    if (!status) {
      this.#recorders.get(profile.name)!.record({
        regarding: info.pod,
        type: 'Normal',
        reason: 'Scheduled',
        action: 'Binding',
        note: `Successfully assigned ${keyOfPod(info)} to ${nodeName}`,
      });
      profile.postBind(state, info, nodeName);
      return;
    }
    profile.unreserve(state, info, nodeName);
    this.cache.forget(info.uid);
    if (this.#stopped.signal.aborted) return;
    this.queue.move(assignedPodDeleted, info.pod, undefined, isRejected(status) ? (pod) => pod.metadata?.uid !== info.uid : undefined);
    this.#failedOn(profile, queued, nodeName, status);
  }

  /** A plugin refused the chosen node after the search. */
  #failedOn(profile: Profile, queued: QueuedPod, nodeName: string, status: Status, told?: Told): void {
    const rejected = isRejected(status);
    queued.unschedulablePlugins = new Set(rejected && status.plugin ? [status.plugin] : []);
    const statuses = new NodeStatuses();
    statuses.set(nodeName, status);
    const message = rejected ? fitErrorMessage(1, statuses) : messageOf(status);
    if (!rejected)
      this.#options.log.warn('Cannot bind pod', { pod: keyOfPod(queued.info), node: nodeName, error: status.error ?? message });
    this.#failed(profile, queued, { rejected, message, nominatedNodeName: '' }, told && { ...told, ...rejections(statuses, 1) });
  }

  #failed(
    profile: Profile,
    queued: QueuedPod,
    { rejected, message, nominatedNodeName }: { rejected: boolean; message: string; nominatedNodeName: string | undefined },
    told?: Told,
  ): void {
    const { informers, onDecision } = this.#options;
    const { info } = queued;
    const current = informers.for(Pod).get(keyOfPod(info));
    // Gone, replaced by another of the same name, or bound after all: nothing to wait for.
    if (!current || current.metadata?.uid !== info.pod.metadata?.uid || current.spec?.nodeName) {
      this.queue.done(info.uid);
      this.queue.nominator.delete(info.uid);
      return;
    }
    this.queue.addUnschedulable(queued, rejected);
    this.queue.nominator.add(queued.info, nominatedNodeName ?? current.status?.nominatedNodeName ?? '');
    this.#recorders.get(profile.name)!.record(failedScheduling(info, truncated(message)));
    this.#status.rejected(current, rejected ? 'Unschedulable' : 'SchedulerError', message, nominatedNodeName);
    if (told) onDecision?.({ scores: [], feasibleNodes: 0, evaluatedNodes: 0, rejections: {}, ...told, message });
  }
}

type Told = Pick<SchedulingDecision, 'pod' | 'attempts' | 'queuedAt' | 'startedAt' | 'tookMilliseconds'> & Partial<SchedulingDecision>;

const failedScheduling = ({ pod }: PodInfo, note: string): RecordedAction => ({
  regarding: pod,
  type: 'Warning',
  reason: 'FailedScheduling',
  action: 'Scheduling',
  note,
});

const schedulerOf = (pod: Pod): string => pod.spec?.schedulerName || defaultSchedulerName;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** upstream: core validation NoteLengthLimit. */
const truncated = (message: string): string => (message.length <= 1024 ? message : `${message.slice(0, 1020)} ...`);

function rejections(statuses: NodeStatuses, nodes: number): { rejections: Record<string, number>; evaluatedNodes: number } {
  return { rejections: Object.fromEntries(statuses.reasons(nodes)), evaluatedNodes: statuses.size };
}

export type { Scheduler };
