/**
 * What the scheduler believes about nodes and pods: what informers said, plus pods it has placed and not yet heard of again (assumed).
 * A pod is assumed → finished binding → confirmed by its informer; or forgotten when binding fails. Everything derived (columns, counters,
 * term indexes, image spread) changes with the one pod or node that changed. upstream: pkg/scheduler/backend/cache.
 */
import type { Node, Pod } from '#api';
import { equal } from '#machinery/meta';
import { NodeColumns } from './node-columns.ts';
import { NodeInfo } from './node-info.ts';
import type { ImageState } from './node-info.ts';
import { PodCounters } from './pod-counter.ts';
import type { PodCounter } from './pod-counter.ts';
import { PodInfo } from './pod-info.ts';
import type { NamespaceLabels } from './pod-info.ts';
import { AffinityIndexes } from './term-index.ts';
import { topologyOf } from './topology.ts';
import type { Topology } from './topology.ts';

interface Placed {
  info: PodInfo;
  nodeName: string;
  assumed: boolean;
}

const uidOf = (pod: Pod): string => pod.metadata?.uid ?? `${pod.metadata?.namespace}/${pod.metadata?.name}`;

export class Cache {
  readonly columns = new NodeColumns(64);
  readonly terms = new AffinityIndexes();
  /** Grows when a node comes, goes, or changes labels or taints: what was worked out over all nodes is stale then. */
  nodesGeneration = 1;
  /** Grows when images or the number of nodes change. */
  imagesGeneration = 1;
  namespaceLabels: NamespaceLabels = () => undefined;
  readonly #nodes = new Map<string, NodeInfo>();
  readonly #pods = new Map<string, Placed>();
  readonly #counters = new PodCounters();
  readonly #images = new Map<string, ImageState>();
  readonly #claims = new Map<string, Set<string>>();
  #freeSlots: number[] = [];
  #slots = 0;
  #generation = 0;
  #list: NodeInfo[] | undefined;
  #topologies = new Map<string, Topology>();
  #masks = new Map<string, Uint8Array>();
  #derivedFor = 0;

  /** Known nodes, those of different zones by turns. The array is not to be changed, and is stale after the next change of nodes. */
  list(): readonly NodeInfo[] {
    return (this.#list ??= interleave([...this.#nodes.values()].filter((info) => info.node !== undefined)));
  }

  get(name: string): NodeInfo | undefined {
    const info = this.#nodes.get(name);
    return info?.node ? info : undefined;
  }

  get slots(): number {
    return this.#slots;
  }

  addNode(node: Node): void {
    const info = this.#infoFor(node.metadata!.name!);
    const old = info.node;
    info.setNode(node);
    this.#touch(info);
    if (!old || !equal(old.metadata?.labels, node.metadata?.labels) || !equal(old.spec?.taints, node.spec?.taints)) {
      this.nodesGeneration++;
      this.#list = undefined;
    }
    if (!old || !equal(old.status?.images, node.status?.images)) this.#setImages(info, node);
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (!info) return;
    this.#setImages(info, undefined);
    info.node = undefined;
    this.nodesGeneration++;
    this.#list = undefined;
    this.#touch(info);
    this.#release(info);
  }

  /** Takes a pod as placed before its binding is stored. Throws when it is placed already. */
  assume(info: PodInfo, nodeName: string): void {
    if (this.#pods.has(info.uid)) throw new Error(`pod ${info.uid}(${info.namespace}/${info.name}) is in the cache, so can't be assumed`);
    this.#place(info, nodeName, true);
  }

  /** Gives an assumed pod's place back. */
  forget(uid: string): void {
    if (this.#pods.get(uid)?.assumed) this.#take(uid);
  }

  isAssumed(uid: string): boolean {
    return this.#pods.get(uid)?.assumed ?? false;
  }

  isPlaced(uid: string): boolean {
    return this.#pods.has(uid);
  }

  /** The informer knows the pod on a node: a new pod, a changed one, or an assumed one confirmed. */
  setPod(pod: Pod): void {
    const uid = uidOf(pod);
    const known = this.#pods.get(uid);
    const nodeName = pod.spec!.nodeName!;
    if (known?.nodeName === nodeName && sameForScheduling(known.info.pod, pod)) {
      known.assumed = false;
      // Holding on to the one before would keep two of every pod in memory.
      known.info.renew(pod);
      return;
    }
    if (known) this.#take(uid);
    this.#place(new PodInfo(pod), nodeName, false);
  }

  removePod(pod: Pod): void {
    this.#take(uidOf(pod));
  }

  /** Pods that match, by node slot. `key` names what `matches` selects. */
  count(key: string, matches: (info: PodInfo) => boolean): PodCounter {
    return this.#counters.for(key, matches, this.#nodes.values(), this.#slots);
  }

  /** Namespaces changed their labels: counters that look at them are void. */
  forgetCounters(): void {
    this.#counters.clear();
  }

  topology(key: string): Topology {
    this.#refresh();
    let topology = this.#topologies.get(key);
    if (!topology) this.#topologies.set(key, (topology = topologyOf(key, this.list(), this.#slots)));
    return topology;
  }

  /** By slot, 1 where the node meets a condition that depends on its labels, taints and name alone. */
  mask(key: string, meets: (info: NodeInfo) => boolean): Uint8Array {
    this.#refresh();
    let mask = this.#masks.get(key);
    if (!mask) {
      mask = new Uint8Array(this.#slots);
      for (const info of this.list()) if (meets(info)) mask[info.slot] = 1;
      if (this.#masks.size >= 64) this.#masks.clear();
      this.#masks.set(key, mask);
    }
    return mask;
  }

  /** Pods that use a claim ("namespace/name"). */
  usersOfClaim(key: string): ReadonlySet<string> | undefined {
    return this.#claims.get(key);
  }

  placedPod(uid: string): { info: PodInfo; nodeName: string } | undefined {
    return this.#pods.get(uid);
  }

  #refresh(): void {
    if (this.#derivedFor === this.nodesGeneration) return;
    this.#derivedFor = this.nodesGeneration;
    this.#topologies.clear();
    this.#masks.clear();
  }

  #infoFor(name: string): NodeInfo {
    let info = this.#nodes.get(name);
    if (!info) {
      const slot = this.#freeSlots.pop() ?? this.#slots++;
      if (slot >= this.columns.rows) this.columns.grow(this.columns.rows * 2);
      this.columns.clear(slot);
      info = new NodeInfo(name, slot, this.columns);
      this.#nodes.set(name, info);
      this.nodesGeneration++;
    }
    return info;
  }

  #release(info: NodeInfo): void {
    if (info.node !== undefined || info.pods.size > 0) return;
    this.#nodes.delete(info.name);
    this.#freeSlots.push(info.slot);
  }

  #touch(info: NodeInfo): void {
    this.columns.generation[info.slot] = ++this.#generation;
  }

  #place(info: PodInfo, nodeName: string, assumed: boolean): void {
    const node = this.#infoFor(nodeName);
    node.addPod(info);
    this.#pods.set(info.uid, { info, nodeName, assumed });
    this.#account(info, node, 1);
  }

  #take(uid: string): void {
    const placed = this.#pods.get(uid);
    if (!placed) return;
    this.#pods.delete(uid);
    const node = this.#nodes.get(placed.nodeName);
    if (!node?.removePod(uid)) return;
    this.#account(placed.info, node, -1);
    this.#release(node);
  }

  #account(info: PodInfo, node: NodeInfo, by: 1 | -1): void {
    this.#touch(node);
    this.#counters.change(info, node.slot, by);
    if (info.hasAffinity) this.terms.change(info, node.slot, by);
    for (const volume of info.pod.spec?.volumes ?? []) {
      const claim = volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral && `${info.name}-${volume.name}`);
      if (!claim) continue;
      const key = `${info.namespace}/${claim}`;
      const users = this.#claims.get(key) ?? new Set<string>();
      if (by > 0) users.add(info.uid);
      else users.delete(info.uid);
      if (users.size) this.#claims.set(key, users);
      else this.#claims.delete(key);
    }
  }

  #setImages(info: NodeInfo, node: Node | undefined): void {
    this.imagesGeneration++;
    for (const [name, state] of info.images) if (--state.nodes === 0) this.#images.delete(name);
    info.images = new Map();
    for (const image of node?.status?.images ?? [])
      for (const name of image.names ?? []) {
        if (info.images.has(name)) continue;
        let state = this.#images.get(name);
        if (!state) this.#images.set(name, (state = { size: 0, nodes: 0 }));
        state.size = image.sizeBytes ?? 0;
        state.nodes++;
        info.images.set(name, state);
      }
  }
}

/** Whether two states of a pod mean the same to the cache, so that heartbeats of a pod's status cost nothing. */
function sameForScheduling(a: Pod, b: Pod): boolean {
  return (
    a.metadata?.deletionTimestamp === b.metadata?.deletionTimestamp &&
    equal(a.metadata?.labels, b.metadata?.labels) &&
    (a.spec === b.spec || equal(a.spec, b.spec)) &&
    equal(resizeState(a), resizeState(b)) &&
    a.status?.startTime === b.status?.startTime
  );
}

const resizeState = (pod: Pod): unknown[] => [
  ...[...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
    .filter((status) => status.resources?.requests ?? status.allocatedResources)
    .map((status) => [status.name, status.resources?.requests, status.allocatedResources]),
  (pod.status?.conditions ?? []).some((condition) => condition.type === 'PodResizePending' && condition.reason === 'Infeasible'),
];

/** Nodes by turns of their zone, so that a search that stops early has looked everywhere. upstream: backend/cache/node_tree.go. */
function interleave(nodes: NodeInfo[]): NodeInfo[] {
  const zones = new Map<string, NodeInfo[]>();
  for (const info of nodes) {
    const labels = info.labels;
    const zone = `${labels['topology.kubernetes.io/region'] ?? ''}:${labels['topology.kubernetes.io/zone'] ?? ''}`;
    const members = zones.get(zone);
    if (members) members.push(info);
    else zones.set(zone, [info]);
  }
  if (zones.size <= 1) return nodes;
  const result: NodeInfo[] = [];
  for (let turn = 0; result.length < nodes.length; turn++)
    for (const members of zones.values()) {
      const info = members[turn];
      if (info) result.push(info);
    }
  return result;
}
