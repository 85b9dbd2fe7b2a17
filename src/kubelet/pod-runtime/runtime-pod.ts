/** A pod as the runtime sees it, in our words. upstream: pkg/kubelet/container/runtime.go PodStatus. */
import type { ContainerResources, ContainerStatus, ContainerUser, Mount, PodSandboxStatus } from '#runtime';
import { annotations, labels } from './labels.ts';

export type ContainerRunState = 'created' | 'running' | 'exited' | 'unknown';

export interface RuntimeContainer {
  id: string;
  name: string;
  state: ContainerRunState;
  /** Milliseconds since 1970. */
  createdAt: number;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  reason: string;
  message: string;
  image: string;
  imageRef: string;
  imageId: string;
  /** Of the spec it was made from (labels.ts hashContainer). */
  hash: string;
  restartCount: number;
  logPath: string;
  terminationMessagePath: string;
  terminationMessagePolicy: string;
  mounts: Mount[];
  resources?: ContainerResources;
  user?: ContainerUser;
  stopSignal?: string;
}

export interface RuntimePod {
  uid: string;
  name: string;
  namespace: string;
  ips: string[];
  /** Newest first. */
  sandboxes: PodSandboxStatus[];
  /** Newest first; those of former sandboxes included. */
  containers: RuntimeContainer[];
}

const states: Record<string, ContainerRunState> = {
  CONTAINER_CREATED: 'created',
  CONTAINER_RUNNING: 'running',
  CONTAINER_EXITED: 'exited',
  CONTAINER_UNKNOWN: 'unknown',
};

/** Protobuf drops zero values, and the zero state is CONTAINER_CREATED. */
export const containerState = (state: string | undefined): ContainerRunState => states[state ?? 'CONTAINER_CREATED'] ?? 'unknown';

const milliseconds = (nanoseconds: number | undefined): number => (nanoseconds ?? 0) / 1e6;

export function runtimeContainer(status: ContainerStatus): RuntimeContainer {
  const state = containerState(status.state);
  const notes = status.annotations ?? {};
  return {
    id: status.id ?? '',
    name: status.labels?.[labels.container] ?? status.metadata?.name ?? '',
    state,
    createdAt: milliseconds(status.createdAt),
    startedAt: state === 'created' ? 0 : milliseconds(status.startedAt),
    finishedAt: state === 'exited' ? milliseconds(status.finishedAt) : 0,
    exitCode: state === 'exited' ? (status.exitCode ?? 0) : 0,
    reason: state === 'exited' ? (status.reason ?? '') : '',
    message: state === 'exited' ? (status.message ?? '') : '',
    image: status.image?.image ?? '',
    imageRef: status.imageRef ?? '',
    imageId: status.imageId || (status.imageRef ?? ''),
    hash: notes[annotations.hash] ?? '',
    restartCount: Number(notes[annotations.restartCount] ?? 0) || 0,
    logPath: status.logPath ?? '',
    terminationMessagePath: notes[annotations.terminationMessagePath] ?? '',
    terminationMessagePolicy: notes[annotations.terminationMessagePolicy] ?? '',
    mounts: status.mounts ?? [],
    ...(status.resources && { resources: status.resources }),
    ...(status.user && { user: status.user }),
    ...(status.stopSignal && status.stopSignal !== 'RUNTIME_DEFAULT' && { stopSignal: status.stopSignal }),
  };
}

export const emptyRuntimePod = (uid: string, name: string, namespace: string): RuntimePod => ({
  uid,
  name,
  namespace,
  ips: [],
  sandboxes: [],
  containers: [],
});

/** The newest container of that name. */
export const newest = (pod: RuntimePod, name: string): RuntimeContainer | undefined =>
  pod.containers.find((container) => container.name === name);

export const sandboxReady = (sandbox: PodSandboxStatus): boolean => (sandbox.state ?? 'SANDBOX_READY') === 'SANDBOX_READY';

export function sandboxIps(sandbox: PodSandboxStatus | undefined): string[] {
  const network = sandbox?.network;
  if (!network?.ip) return [];
  return [network.ip, ...(network.additionalIps ?? []).flatMap(({ ip }) => (ip ? [ip] : []))];
}
