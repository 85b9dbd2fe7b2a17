import type { NodeCondition, Pod, Taint } from '#api';
import type { Client, EventRecorder, Informers } from '#client';
import type { Component, Context, Running } from '#machinery/lifecycle';
import type { Runtime } from '#runtime';

/** Thresholds below which the node sheds pods. Quantities, or a percentage of the capacity. upstream: kubelet/eviction. */
export interface EvictionThresholds {
  /** Default "100Mi". */
  'memory.available'?: string;
  /** Default "10%". */
  'nodefs.available'?: string;
  /** Default "5%". */
  'nodefs.inodesFree'?: string;
  /** Default "15%". */
  'imagefs.available'?: string;
  /** No default. */
  'pid.available'?: string;
}

/** What a kubelet is told. Durations in milliseconds. Defaults are upstream's (kubelet/config/v1beta1) where not said otherwise. */
export interface KubeletOptions {
  nodeName: string;
  client: Client;
  /** Shared informers for what every node reads (Services, RuntimeClasses). Who made them stops them. */
  informers: Informers;
  events: EventRecorder;
  runtime: Runtime;
  /** Holds pods/<uid> with volumes, termination messages and hosts files. */
  rootDirectory: string;
  /** Where container logs lie: <dir>/<namespace>_<name>_<uid>/<container>/<restart>.log. */
  podLogsDirectory: string;
  clusterDns: string[];
  clusterDomain: string;
  /** The node's own resolver file, for pods with dnsPolicy Default. Default /etc/resolv.conf; '' for none. */
  resolverConfig?: string;
  /** The node's addresses, the primary one first. */
  nodeIps: string[];
  hostname?: string;
  nodeLabels?: Record<string, string>;
  nodeAnnotations?: Record<string, string>;
  registerWithTaints?: Taint[];
  registerNode?: boolean;
  providerId?: string;
  podCidrs?: string[];
  /** The cgroup under which kubepods is made ("/" for the top). Absent: pods get no cgroups of their own. */
  cgroupRoot?: string;
  /** Where cgroup file systems are mounted. Default /sys/fs/cgroup. */
  cgroupMount?: string;
  /** Capacity to announce instead of what the machine has. */
  capacity?: Record<string, string>;
  systemReserved?: Record<string, string>;
  kubeReserved?: Record<string, string>;
  maxPods?: number;
  serializeImagePulls?: boolean;
  maxParallelImagePulls?: number;
  imageGcHighThresholdPercent?: number;
  imageGcLowThresholdPercent?: number;
  imageMinimumGcAge?: number;
  maxPerPodContainerCount?: number;
  evictionHard?: EvictionThresholds;
  allowedUnsafeSysctls?: string[];
  nodeStatusReportFrequency?: number;
  nodeStatusUpdateFrequency?: number;
  nodeLeaseDurationSeconds?: number;
  /** The longest pause between restarts of a failing container. */
  maxContainerRestartPeriod?: number;
  /** Pods described by files in this directory run without the API. */
  staticPodPath?: string;
  /** No mounts, files or cgroups are made on this machine: pods are played by the simulated runtime. */
  simulated?: boolean;
  /** `informers` may list every ConfigMap and Secret, which a node's own identity may not: they serve what pods refer to, too. */
  sharesObjects?: boolean;
  /** The port of the kubelet's own server, announced in the node's status. */
  port?: number;
  /** Starts the kubelet's server (logs, exec, stats, …) once the kubelet is up. */
  server?: (api: KubeletApi, context: Context) => Promise<Running>;
  kubeletVersion?: string;
}

/** A container as the runtime knows it. */
export interface FoundContainer {
  pod: Pod;
  name: string;
  /** The runtime's id, without the runtime's name. */
  id: string;
  state: 'created' | 'running' | 'exited' | 'unknown';
  logPath: string;
}

/** What the kubelet's server asks of it. */
export interface KubeletApi {
  readonly nodeName: string;
  readonly runtime: Runtime;
  readonly podLogsDirectory: string;
  /** The pods of this node, with the status the kubelet last made. */
  pods(): Pod[];
  pod(namespace: string, name: string, uid?: string): Pod | undefined;
  /** The newest container of that name; the one before it with `previous`. Rejects with a StatusError when there is none. */
  findContainer(namespace: string, pod: string, container: string, options?: { uid?: string; previous?: boolean }): Promise<FoundContainer>;
  /** The ready sandbox of a pod, for port-forward. */
  findSandbox(namespace: string, pod: string, uid?: string): Promise<string>;
  /** The directory of a container's log files. */
  logDirectory(pod: Pod, container: string): string;
  /** stats/summary as upstream's kubelet answers it. */
  statsSummary(): Promise<Record<string, unknown>>;
  conditions(): NodeCondition[];
  /** True once the kubelet has synchronised with the API and the runtime answers. */
  healthy(): boolean;
}

export interface Kubelet extends Component {
  /** Answers once the component has started. */
  readonly api: KubeletApi;
}
