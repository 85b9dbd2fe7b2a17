/** A node with what its pods take of it. Numbers live in NodeColumns at `row`. upstream: pkg/scheduler/framework NodeInfo. */
import type { Node, Taint } from '#api';
import { quantityValue, resourcesOf } from '../resources.ts';
import type { NodeColumns } from './node-columns.ts';
import type { HostPort, PodInfo } from './pod-info.ts';

export interface ImageState {
  size: number;
  /** On how many nodes the image is. */
  nodes: number;
}

export class NodeInfo {
  readonly name: string;
  /** Its place in every per-node array of the cache; a copy made for a simulation keeps it. */
  readonly slot: number;
  readonly row: number;
  readonly columns: NodeColumns;
  /** Undefined while pods are known on a node that is not. */
  node: Node | undefined;
  readonly pods: Map<string, PodInfo>;
  allocatableScalar: Map<string, number> | undefined;
  requestedScalar: Map<string, number>;
  images: Map<string, ImageState> = new Map();
  /** "protocol/port" → addresses in use. */
  readonly ports: Map<string, string[]>;

  constructor(name: string, slot: number, columns: NodeColumns, row = slot, from?: NodeInfo) {
    this.name = name;
    this.slot = slot;
    this.row = row;
    this.columns = columns;
    this.node = from?.node;
    this.pods = new Map(from?.pods);
    this.allocatableScalar = from?.allocatableScalar;
    this.requestedScalar = new Map(from?.requestedScalar);
    this.ports = new Map(from?.ports);
    if (from) this.images = from.images;
  }

  /** A copy whose pods may be added and removed without the cache noticing. */
  clone(): NodeInfo {
    return new NodeInfo(this.name, this.slot, this.columns.copyRow(this.row), 0, this);
  }

  get taints(): readonly Taint[] | undefined {
    return this.node?.spec?.taints;
  }

  get labels(): Record<string, string> {
    return this.node?.metadata?.labels ?? {};
  }

  setNode(node: Node): void {
    this.node = node;
    const { columns, row } = this;
    const allocatable = resourcesOf(node.status?.allocatable);
    columns.allocatableMilliCpu[row] = allocatable.milliCpu;
    columns.allocatableMemory[row] = allocatable.memory;
    columns.allocatableEphemeralStorage[row] = allocatable.ephemeralStorage;
    columns.allocatablePods[row] = quantityValue(node.status?.allocatable?.['pods'] ?? 0);
    this.allocatableScalar = allocatable.scalar;
  }

  addPod(info: PodInfo): void {
    this.pods.set(info.uid, info);
    this.#count(info, 1);
    for (const port of info.hostPorts) {
      const key = `${port.protocol}/${port.port}`;
      this.ports.set(key, [...(this.ports.get(key) ?? []), port.ip]);
    }
  }

  removePod(uid: string): PodInfo | undefined {
    const info = this.pods.get(uid);
    if (!info) return undefined;
    this.pods.delete(uid);
    this.#count(info, -1);
    for (const port of info.hostPorts) {
      const key = `${port.protocol}/${port.port}`;
      const ips = [...(this.ports.get(key) ?? [])];
      ips.splice(ips.indexOf(port.ip), 1);
      if (ips.length) this.ports.set(key, ips);
      else this.ports.delete(key);
    }
    return info;
  }

  /** Whether a port is taken: 0.0.0.0 conflicts with every address. */
  portConflict(port: HostPort): boolean {
    const ips = this.ports.get(`${port.protocol}/${port.port}`);
    if (!ips) return false;
    return port.ip === '0.0.0.0' || ips.some((ip) => ip === '0.0.0.0' || ip === port.ip);
  }

  #count(info: PodInfo, sign: 1 | -1): void {
    const { columns, row } = this;
    columns.requestedMilliCpu[row]! += sign * info.requests.milliCpu;
    columns.requestedMemory[row]! += sign * info.requests.memory;
    columns.requestedEphemeralStorage[row]! += sign * info.requests.ephemeralStorage;
    columns.nonZeroMilliCpu[row]! += sign * info.nonZero.milliCpu;
    columns.nonZeroMemory[row]! += sign * info.nonZero.memory;
    columns.pods[row]! += sign;
    for (const [name, value] of info.requests.scalar ?? [])
      this.requestedScalar.set(name, (this.requestedScalar.get(name) ?? 0) + sign * value);
  }
}
