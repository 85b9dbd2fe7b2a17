/**
 * The scheduling framework: what a plugin can do, step by step. upstream: kube-scheduler/framework.
 *
 * The way of one pod through a profile:
 *   preEnqueue → (queue, ordered by less) → preFilter → filter → [postFilter when nothing fits] → preScore → score → normalizeScore
 *   → reserve → permit  — up to here synchronous, one pod at a time: the scheduling cycle —
 *   → preBind → bind → postBind  — asynchronous, beside the next pods' scheduling cycles: the binding cycle.
 *
 * A plugin is one object with a name and the steps it takes part in, all optional. No answer (undefined) means success; everything else is
 * a Status. Plugins never change pods or nodes; between steps of one cycle they remember in the CycleState under their own name.
 */
import type { Pod } from '#api';
import type { ActionRecorder, Client, Informers } from '#client';
import type { Clock, Random } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { Cache } from './cache/cache.ts';
import type { NodeInfo } from './cache/node-info.ts';
import type { PodInfo } from './cache/pod-info.ts';
import type { CycleState } from './framework/cycle-state.ts';
import type { ClusterEvent } from './framework/events.ts';
import type { NodeStatuses } from './framework/node-statuses.ts';
import type { Status } from './framework/status.ts';

export type { Cache, ClusterEvent, CycleState, NodeInfo, NodeStatuses, PodInfo, Status };

export const maxNodeScore = 100;

type Answer = Status | undefined;

export interface PreFilterAnswer {
  status?: Status;
  /** Only these nodes can fit. Absent: all may. */
  nodeNames?: ReadonlySet<string>;
}

/**
 * Whether an event may make a pod schedulable that this plugin rejected. Errs on the side of 'queue'. Must be fast: asked for each waiting pod.
 * `old` is undefined for additions, `now` for deletions.
 */
export type QueueingHint = (pod: Pod, old: any, now: any) => 'queue' | 'skip'; // oxlint-disable-line typescript/no-explicit-any -- the type follows the event's resource

export interface EventRegistration {
  event: ClusterEvent;
  /** Absent: always 'queue'. */
  hint?: QueueingHint;
}

export interface PostFilterAnswer {
  status?: Status;
  /** The node the pod is now meant for; '' takes such a mark away; undefined leaves it as it is. */
  nominatedNodeName?: string;
}

export interface Plugin {
  readonly name: string;
  /**
   * True when filter and score depend on nothing but the pod's shape (PodInfo.shape) and that one node: their answers are then kept and
   * reused until the node changes.
   */
  readonly local?: boolean;
  /** Which events can help a pod that this plugin rejected. Absent: every event. */
  events?(): EventRegistration[];
  /** Whether the pod may enter the queue at all. */
  preEnqueue?(pod: Pod): Answer;
  /** The queue's order; exactly one plugin of a profile has it. */
  less?(a: QueuedPod, b: QueuedPod): boolean;
  /** Once a cycle, before nodes are looked at. 'skip' leaves this plugin's filter out. */
  preFilter?(state: CycleState, pod: PodInfo, nodes: readonly NodeInfo[]): PreFilterAnswer | undefined;
  /** What-if: brings the preFilter state up to date as if `other` were on (or gone from) `node`. */
  addPod?(state: CycleState, pod: PodInfo, other: PodInfo, node: NodeInfo): void;
  removePod?(state: CycleState, pod: PodInfo, other: PodInfo, node: NodeInfo): void;
  filter?(state: CycleState, pod: PodInfo, node: NodeInfo): Answer;
  /** Called when no node fits. The first answer that is not 'unschedulable' ends the round. */
  postFilter?(state: CycleState, pod: PodInfo, statuses: NodeStatuses): PostFilterAnswer;
  preScore?(state: CycleState, pod: PodInfo, nodes: readonly NodeInfo[]): Answer;
  /** Any non-negative number where there is a normalizeScore, else 0 to 100. */
  score?(state: CycleState, pod: PodInfo, node: NodeInfo): number;
  /** Brings `scores[0..count)` (one for each of `nodes`) to 0..100, in place. */
  normalizeScore?(state: CycleState, pod: PodInfo, scores: Float64Array, nodes: readonly NodeInfo[]): void;
  reserve?(state: CycleState, pod: PodInfo, nodeName: string): Answer;
  /** Undoes reserve; must be idempotent. */
  unreserve?(state: CycleState, pod: PodInfo, nodeName: string): void;
  /** 'wait' holds the pod in its binding cycle until `Handle.waitingPod(uid)` is allowed or rejected. */
  permit?(state: CycleState, pod: PodInfo, nodeName: string): { status?: Status; timeoutMilliseconds?: number } | undefined;
  preBind?(state: CycleState, pod: PodInfo, nodeName: string, signal: AbortSignal): Promise<Answer>;
  /** Binds the pod, or answers 'skip' to leave it to the next. */
  bind?(state: CycleState, pod: PodInfo, nodeName: string): Promise<Answer>;
  postBind?(state: CycleState, pod: PodInfo, nodeName: string): void;
}

/** A pod on its way through the queue. */
export interface QueuedPod {
  info: PodInfo;
  /** When it entered the queue last, and first; milliseconds since 1970. */
  timestamp: number;
  initialTimestamp: number;
  attempts: number;
  /** How often in a row it was rejected; and how often in a row something broke. They set the back-off. */
  unschedulableCount: number;
  errorCount: number;
  /** Plugins that rejected it in its last cycle. */
  unschedulablePlugins: Set<string>;
  /** The plugin whose preEnqueue keeps it out. */
  gatedBy?: string;
}

/** A pod that a permit plugin holds. */
export interface WaitingPod {
  readonly info: PodInfo;
  allow(plugin: string): void;
  reject(plugin: string, message: string): void;
}

/** What plugins are made from. */
export interface Handle {
  readonly profileName: string;
  readonly cache: Cache;
  readonly client: Client;
  readonly informers: Informers;
  readonly events: ActionRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Pods that preemption has marked for this node and that are not placed yet. */
  nominatedPods(nodeName: string): readonly PodInfo[];
  /** Filters `node` as if the pods nominated for it were there. */
  filterWithNominated(state: CycleState, pod: PodInfo, node: NodeInfo): Answer;
  addPod(state: CycleState, pod: PodInfo, other: PodInfo, node: NodeInfo): void;
  removePod(state: CycleState, pod: PodInfo, other: PodInfo, node: NodeInfo): void;
  waitingPod(uid: string): WaitingPod | undefined;
  /** Puts waiting pods into the active queue at once. */
  activate(pods: readonly Pod[]): void;
}

export type PluginFactory = (handle: Handle, args: Record<string, unknown>) => Plugin;
