/** One profile: its plugins, step by step in order. upstream: pkg/scheduler/framework/runtime. */
import type { Pod } from '#api';
import type { NodeInfo } from '../cache/node-info.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import type { EventRegistration, Plugin, PostFilterAnswer, WaitingPod } from '../contract.ts';
import type { Clock } from '#machinery/clock';
import { CycleState } from './cycle-state.ts';
import type { NodeStatuses } from './node-statuses.ts';
import { ShapeCache } from './shape-cache.ts';
import { failed, isRejected, unschedulable } from './status.ts';
import type { Status } from './status.ts';

type With<K extends keyof Plugin> = Plugin & Required<Pick<Plugin, K>>;
const having = <K extends keyof Plugin>(plugins: readonly Plugin[], step: K): readonly With<K>[] =>
  plugins.filter((plugin): plugin is With<K> => plugin[step] !== undefined);

export interface WeightedPlugin {
  plugin: Plugin;
  /** Of its scores; absent 1. */
  weight?: number;
  /** Steps this plugin is left out of, though it could take part. */
  without?: ReadonlySet<string>;
}

export interface Scorer {
  plugin: With<'score'>;
  weight: number;
  /** Its place among the scores kept by shape; -1 for those that look beyond one node. */
  column: number;
}

interface Waiting extends WaitingPod {
  pending: Set<string>;
  settle(status: Status | undefined): void;
}

/** upstream: framework/runtime maxTimeout. */
const longestPermitWait = 15 * 60_000;

export class Profile {
  readonly name: string;
  readonly percentageOfNodesToScore: number | undefined;
  readonly preEnqueues: readonly With<'preEnqueue'>[];
  readonly preFilters: readonly With<'preFilter'>[];
  readonly localFilters: readonly With<'filter'>[];
  readonly otherFilters: readonly With<'filter'>[];
  readonly postFilters: readonly With<'postFilter'>[];
  readonly preScores: readonly With<'preScore'>[];
  readonly scorers: readonly Scorer[];
  readonly localScorers: readonly Scorer[];
  readonly reserves: readonly Plugin[];
  readonly permits: readonly With<'permit'>[];
  readonly preBinds: readonly With<'preBind'>[];
  readonly binds: readonly With<'bind'>[];
  readonly postBinds: readonly With<'postBind'>[];
  readonly less: NonNullable<Plugin['less']>;
  readonly shapes = new ShapeCache();
  readonly #registrations = new Map<string, EventRegistration[] | undefined>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #clock: Clock;
  readonly #nominated: (nodeName: string) => readonly PodInfo[];

  constructor(
    name: string,
    plugins: readonly WeightedPlugin[],
    options: { clock: Clock; nominated(nodeName: string): readonly PodInfo[]; percentageOfNodesToScore?: number },
  ) {
    this.name = name;
    this.#clock = options.clock;
    this.#nominated = options.nominated;
    this.percentageOfNodesToScore = options.percentageOfNodesToScore;
    const at = (step: string): Plugin[] => plugins.filter((entry) => !entry.without?.has(step)).map((entry) => entry.plugin);
    this.preEnqueues = having(at('preEnqueue'), 'preEnqueue');
    this.preFilters = having(at('preFilter'), 'preFilter');
    const filters = having(at('filter'), 'filter');
    this.localFilters = filters.filter((plugin) => plugin.local);
    this.otherFilters = filters.filter((plugin) => !plugin.local);
    this.postFilters = having(at('postFilter'), 'postFilter');
    this.preScores = having(at('preScore'), 'preScore');
    let column = 0;
    this.scorers = having(at('score'), 'score').map((plugin) => ({
      plugin,
      weight: plugins.find((entry) => entry.plugin === plugin)?.weight ?? 1,
      column: plugin.local ? column++ : -1,
    }));
    this.localScorers = this.scorers.filter((scorer) => scorer.column >= 0);
    this.reserves = at('reserve').filter((plugin) => plugin.reserve ?? plugin.unreserve);
    this.permits = having(at('permit'), 'permit');
    this.preBinds = having(at('preBind'), 'preBind');
    this.binds = having(at('bind'), 'bind');
    this.postBinds = having(at('postBind'), 'postBind');
    const orders = having(at('queueSort'), 'less');
    if (orders.length !== 1) throw new Error(`profile ${name} needs one plugin that sorts the queue, has ${orders.length}`);
    this.less = (a, b) => orders[0]!.less(a, b);
    for (const { plugin } of plugins) this.#registrations.set(plugin.name, plugin.events?.());
  }

  registrations(plugin: string): readonly EventRegistration[] | undefined {
    return this.#registrations.get(plugin);
  }

  preEnqueue(pod: Pod): Status | undefined {
    for (const plugin of this.preEnqueues) {
      const status = plugin.preEnqueue(pod);
      if (status) return named(status, plugin);
    }
    return undefined;
  }

  /** Runs preFilter. `plugins`: which ones narrowed the nodes down. */
  preFilter(
    state: CycleState,
    pod: PodInfo,
    nodes: readonly NodeInfo[],
  ): { status?: Status; nodeNames?: ReadonlySet<string>; plugins: Set<string> } {
    let nodeNames: ReadonlySet<string> | undefined;
    const plugins = new Set<string>();
    for (const plugin of this.preFilters) {
      const answer = plugin.preFilter(state, pod, nodes);
      if (!answer) continue;
      if (answer.status?.code === 'skip') {
        state.skipFilter.add(plugin.name);
        continue;
      }
      if (answer.status) return { status: named(answer.status, plugin), plugins };
      if (answer.nodeNames) {
        plugins.add(plugin.name);
        nodeNames = nodeNames === undefined ? answer.nodeNames : new Set([...nodeNames].filter((name) => answer.nodeNames!.has(name)));
        if (nodeNames.size === 0) {
          const reason =
            plugins.size === 1
              ? "node(s) didn't satisfy plugin " + plugin.name
              : `node(s) didn't satisfy plugin(s) [${[...plugins].sort().join(' ')}] simultaneously`;
          return { status: { code: 'unresolvable', reasons: [reason] }, plugins };
        }
      }
    }
    return nodeNames ? { nodeNames, plugins } : { plugins };
  }

  /** Filters without memory. */
  filter(state: CycleState, pod: PodInfo, node: NodeInfo): Status | undefined {
    return this.runFilters(this.localFilters, state, pod, node) ?? this.runFilters(this.otherFilters, state, pod, node);
  }

  runFilters(plugins: readonly With<'filter'>[], state: CycleState, pod: PodInfo, node: NodeInfo): Status | undefined {
    for (const plugin of plugins) {
      if (state.skipFilter.has(plugin.name)) continue;
      const status = plugin.filter(state, pod, node);
      if (status) return named(status, plugin);
    }
    return undefined;
  }

  /** Filters with the pods nominated for the node that matter as much or more, and then without: the pod must fit both ways. */
  filterWithNominated(state: CycleState, pod: PodInfo, node: NodeInfo): Status | undefined {
    const nominated = this.#nominated(node.name).filter((other) => other.priority >= pod.priority && other.uid !== pod.uid);
    if (nominated.length > 0) {
      const what = node.clone();
      const stateCopy = state.clone();
      for (const other of nominated) {
        what.addPod(other);
        this.addPod(stateCopy, pod, other, what);
      }
      const status = this.filter(stateCopy, pod, what);
      if (status) return status;
    }
    return this.filter(state, pod, node);
  }

  hasNominated(nodeName: string): boolean {
    return this.#nominated(nodeName).length > 0;
  }

  addPod(state: CycleState, pod: PodInfo, other: PodInfo, node: NodeInfo): void {
    for (const plugin of this.preFilters) if (!state.skipFilter.has(plugin.name)) plugin.addPod?.(state, pod, other, node);
  }

  removePod(state: CycleState, pod: PodInfo, other: PodInfo, node: NodeInfo): void {
    for (const plugin of this.preFilters) if (!state.skipFilter.has(plugin.name)) plugin.removePod?.(state, pod, other, node);
  }

  postFilter(state: CycleState, pod: PodInfo, statuses: NodeStatuses): PostFilterAnswer {
    const reasons: string[] = [];
    let last: PostFilterAnswer = {};
    for (const plugin of this.postFilters) {
      const answer = plugin.postFilter(state, pod, statuses);
      if (!answer.status) return answer;
      if (!isRejected(answer.status)) return { ...answer, status: named(answer.status, plugin) };
      reasons.push(...answer.status.reasons);
      last = answer;
    }
    return { ...last, status: unschedulable(...reasons) };
  }

  reserve(state: CycleState, pod: PodInfo, nodeName: string): Status | undefined {
    for (const plugin of this.reserves) {
      const status = plugin.reserve?.(state, pod, nodeName);
      if (status) return named(status, plugin);
    }
    return undefined;
  }

  unreserve(state: CycleState, pod: PodInfo, nodeName: string): void {
    for (const plugin of this.reserves.toReversed()) plugin.unreserve?.(state, pod, nodeName);
  }

  /** Undefined: go on. A promise: some plugin waits, and it resolves with the outcome. */
  permit(state: CycleState, pod: PodInfo, nodeName: string): Status | Promise<Status | undefined> | undefined {
    const pending = new Map<string, number>();
    for (const plugin of this.permits) {
      const answer = plugin.permit(state, pod, nodeName);
      if (!answer?.status) continue;
      if (answer.status.code === 'wait') pending.set(plugin.name, Math.min(answer.timeoutMilliseconds ?? 0, longestPermitWait));
      else return named(answer.status, plugin);
    }
    if (pending.size === 0) return undefined;
    return this.#hold(pod, pending);
  }

  waitingPod(uid: string): WaitingPod | undefined {
    return this.#waiting.get(uid);
  }

  async preBind(state: CycleState, pod: PodInfo, nodeName: string, signal: AbortSignal): Promise<Status | undefined> {
    for (const plugin of this.preBinds) {
      const status = await plugin.preBind(state, pod, nodeName, signal);
      if (status && status.code !== 'skip') return named(status, plugin);
    }
    return undefined;
  }

  async bind(state: CycleState, pod: PodInfo, nodeName: string): Promise<Status | undefined> {
    for (const plugin of this.binds) {
      const status = await plugin.bind(state, pod, nodeName);
      if (status?.code === 'skip') continue;
      return status && named(status, plugin);
    }
    return failed(new Error('no plugin binds this pod'));
  }

  postBind(state: CycleState, pod: PodInfo, nodeName: string): void {
    for (const plugin of this.postBinds) plugin.postBind(state, pod, nodeName);
  }

  #hold(info: PodInfo, pending: Map<string, number>): Promise<Status | undefined> {
    return new Promise((resolve) => {
      const timers = [...pending].map(([plugin, timeout]) =>
        this.#clock.setTimeout(
          () => waiting.reject(plugin, `rejected due to timeout after waiting ${timeout / 1000}s at plugin ${plugin}`),
          timeout,
        ),
      );
      const waiting: Waiting = {
        info,
        pending: new Set(pending.keys()),
        settle: (status) => {
          if (!this.#waiting.delete(info.uid)) return;
          for (const timer of timers) timer.cancel();
          resolve(status);
        },
        allow: (plugin) => {
          waiting.pending.delete(plugin);
          if (waiting.pending.size === 0) waiting.settle(undefined);
        },
        reject: (plugin, message) => waiting.settle({ code: 'unschedulable', reasons: [message], plugin }),
      };
      this.#waiting.set(info.uid, waiting);
    });
  }

  /** Rejects every pod that waits; for stopping. */
  close(): void {
    for (const waiting of this.#waiting.values()) waiting.settle(failed(new Error('the scheduler stops')));
  }
}

function named(status: Status, plugin: Plugin): Status {
  if (status.plugin !== undefined) return status;
  if (Object.isFrozen(status)) return { ...status, plugin: plugin.name };
  status.plugin = plugin.name;
  return status;
}
