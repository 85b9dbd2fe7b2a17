/** One scheduling cycle: from a pod to the node it goes to, or why to none. Synchronous. upstream: pkg/scheduler/schedule_one.go. */
import type { Random } from '#machinery/clock';
import type { Cache } from './cache/cache.ts';
import type { NodeInfo } from './cache/node-info.ts';
import type { PodInfo } from './cache/pod-info.ts';
import { CycleState } from './framework/cycle-state.ts';
import { NodeStatuses } from './framework/node-statuses.ts';
import type { Profile } from './framework/profile.ts';
import type { Shape } from './framework/shape-cache.ts';
import { messageOf } from './framework/status.ts';
import type { Status } from './framework/status.ts';

/** A search may stop with so many nodes found. upstream: minFeasibleNodesToFind, minFeasibleNodesPercentageToFind. */
const fewestNodesToFind = 100;
const lowestPercentage = 5;

export interface Chosen {
  nodeName: string;
  /** How many nodes fit, and how many were looked at. */
  feasible: number;
  evaluated: number;
  /** The chosen node's weighted scores, by plugin. Empty when there was no choice. */
  scores: { plugin: string; score: number }[];
  statuses: NodeStatuses;
}

export interface Rejected {
  statuses: NodeStatuses;
  preFilterMessage: string;
  unschedulablePlugins: Set<string>;
  nodes: number;
}

export interface Broken {
  status: Status;
}

export type Outcome = { chosen: Chosen } | { rejected: Rejected } | { broken: Broken } | { noNodes: true };

export class ScheduleOne {
  readonly #cache: Cache;
  readonly #random: Random;
  readonly #percentage: number;
  /** Where the next search starts, so that all nodes get their turn. */
  #start = 0;
  #feasible: NodeInfo[] = [];
  #scores = new Float64Array(0);
  #totals = new Float64Array(0);
  /** Weighted scores, one array a scorer: kept to tell the decision. */
  #perPlugin: Float64Array[] = [];

  constructor(cache: Cache, random: Random, percentageOfNodesToScore = 0) {
    this.#cache = cache;
    this.#random = random;
    this.#percentage = percentageOfNodesToScore;
  }

  run(profile: Profile, state: CycleState, pod: PodInfo): Outcome {
    const all = this.#cache.list();
    if (all.length === 0) return { noNodes: true };
    const statuses = new NodeStatuses();
    const before = profile.preFilter(state, pod, all);
    if (before.status) {
      if (before.status.code === 'error') return { broken: { status: before.status } };
      statuses.absent = before.status;
      return {
        rejected: {
          statuses,
          preFilterMessage: messageOf(before.status),
          unschedulablePlugins: new Set([...before.plugins, ...(before.status.plugin ? [before.status.plugin] : [])]),
          nodes: all.length,
        },
      };
    }
    const rejectedBy = before.plugins;
    const shape = before.nodeNames ? undefined : this.#shapeOf(profile, pod);
    let feasible: NodeInfo[] | undefined;
    const nominated = pod.pod.status?.nominatedNodeName;
    if (nominated) {
      const info = this.#cache.get(nominated);
      const status = info && profile.filterWithNominated(state, pod, info);
      if (info && !status) feasible = [info];
    }
    if (!feasible) {
      let nodes = all;
      if (before.nodeNames) {
        nodes = [...before.nodeNames].map((name) => this.#cache.get(name)).filter((info) => info !== undefined);
        statuses.absent = {
          code: 'unresolvable',
          reasons: [`node(s) didn't satisfy plugin(s) [${[...before.plugins].sort().join(' ')}]`],
        };
      }
      const found = this.#search(profile, state, pod, nodes, statuses, rejectedBy, shape);
      if (found.broken) return { broken: { status: found.broken } };
      feasible = found.feasible;
      this.#start = (this.#start + feasible.length + statuses.size) % all.length;
    }
    const evaluated = feasible.length + statuses.size;
    if (feasible.length === 0) return { rejected: { statuses, preFilterMessage: '', unschedulablePlugins: rejectedBy, nodes: all.length } };
    if (feasible.length === 1) return { chosen: { nodeName: feasible[0]!.name, feasible: 1, evaluated, scores: [], statuses } };
    return this.#prioritize(profile, state, pod, feasible, shape, statuses, evaluated);
  }

  #shapeOf(profile: Profile, pod: PodInfo): Shape {
    return profile.shapes.for(pod.shape, this.#cache.slots, profile.localScorers.length, this.#cache.imagesGeneration);
  }

  #search(
    profile: Profile,
    state: CycleState,
    pod: PodInfo,
    nodes: readonly NodeInfo[],
    statuses: NodeStatuses,
    rejectedBy: Set<string>,
    shape: Shape | undefined,
  ): { feasible: NodeInfo[]; broken?: Status } {
    const wanted = profile.scorers.length === 0 ? 1 : this.#nodesToFind(profile, nodes.length);
    const generations = this.#cache.columns.generation;
    const feasible = this.#feasible;
    feasible.length = 0;
    const others = profile.otherFilters.filter((plugin) => !state.skipFilter.has(plugin.name));
    for (let turn = 0, place = nodes.length ? this.#start % nodes.length : 0; turn < nodes.length; turn++, place++) {
      if (place === nodes.length) place = 0;
      const node = nodes[place]!;
      let status: Status | undefined;
      if (profile.hasNominated(node.name)) status = profile.filterWithNominated(state, pod, node);
      else {
        if (!shape) status = profile.runFilters(profile.localFilters, state, pod, node);
        else if (shape.filteredAt[node.slot] === generations[node.slot]) status = shape.statuses[node.slot];
        else {
          status = profile.runFilters(profile.localFilters, state, pod, node);
          shape.statuses[node.slot] = status;
          shape.filteredAt[node.slot] = generations[node.slot]!;
        }
        if (!status && others.length > 0) status = profile.runFilters(others, state, pod, node);
      }
      if (!status) {
        feasible.push(node);
        if (feasible.length >= wanted) break;
        continue;
      }
      if (status.code === 'error') return { feasible, broken: status };
      statuses.set(node.name, status);
      if (status.plugin) rejectedBy.add(status.plugin);
    }
    return { feasible };
  }

  #nodesToFind(profile: Profile, nodes: number): number {
    if (nodes < fewestNodesToFind) return nodes;
    const percentage = (profile.percentageOfNodesToScore ?? this.#percentage) || Math.max(lowestPercentage, 50 - Math.trunc(nodes / 125));
    return Math.max(fewestNodesToFind, Math.trunc((nodes * percentage) / 100));
  }

  #prioritize(
    profile: Profile,
    state: CycleState,
    pod: PodInfo,
    feasible: NodeInfo[],
    shape: Shape | undefined,
    statuses: NodeStatuses,
    evaluated: number,
  ): Outcome {
    const count = feasible.length;
    if (this.#totals.length < count) {
      this.#totals = new Float64Array(count * 2);
      this.#scores = new Float64Array(count * 2);
      this.#perPlugin = [];
    }
    while (this.#perPlugin.length < profile.scorers.length) this.#perPlugin.push(new Float64Array(this.#totals.length));
    for (const plugin of profile.preScores) {
      const status = plugin.preScore(state, pod, feasible);
      if (status?.code === 'skip') state.skipScore.add(plugin.name);
      else if (status) return { broken: { status } };
    }
    if (shape) this.#scoreLocally(profile, state, pod, feasible, shape);
    const totals = this.#totals;
    totals.fill(0, 0, count);
    for (const [place, { plugin, weight, column }] of profile.scorers.entries()) {
      const kept = this.#perPlugin[place]!;
      if (state.skipScore.has(plugin.name)) {
        kept.fill(0, 0, count);
        continue;
      }
      const scores = this.#scores;
      if (shape && column >= 0) {
        const raw = shape.scores[column]!;
        for (let index = 0; index < count; index++) scores[index] = raw[feasible[index]!.slot]!;
      } else for (let index = 0; index < count; index++) scores[index] = plugin.score(state, pod, feasible[index]!);
      plugin.normalizeScore?.(state, pod, scores.subarray(0, count), feasible);
      for (let index = 0; index < count; index++) {
        kept[index] = scores[index]! * weight;
        totals[index]! += kept[index]!;
      }
    }
    let best = 0;
    let equals = 1;
    for (let index = 1; index < count; index++) {
      if (totals[index]! > totals[best]!) {
        best = index;
        equals = 1;
      } else if (totals[index] === totals[best] && this.#random.next() * ++equals < 1) best = index;
    }
    return {
      chosen: {
        nodeName: feasible[best]!.name,
        feasible: count,
        evaluated,
        scores: profile.scorers.map(({ plugin }, place) => ({ plugin: plugin.name, score: this.#perPlugin[place]![best]! })),
        statuses,
      },
    };
  }

  /** Fills in what the shape does not know yet. A plugin that skips this pod skips all of its shape, so its column stays unread. */
  #scoreLocally(profile: Profile, state: CycleState, pod: PodInfo, feasible: readonly NodeInfo[], shape: Shape): void {
    const generations = this.#cache.columns.generation;
    for (const node of feasible) {
      if (shape.scoredAt[node.slot] === generations[node.slot]) continue;
      for (const { plugin, column } of profile.localScorers)
        if (!state.skipScore.has(plugin.name)) shape.scores[column]![node.slot] = plugin.score(state, pod, node);
      shape.scoredAt[node.slot] = generations[node.slot]!;
    }
  }
}
