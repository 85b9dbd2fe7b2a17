/**
 * A runtime without processes: sandboxes and containers are records that move through CRI's states on the clock.
 * The kubelet above it is the real one, so pods walk the same steps as with containerd.
 */
import { PassThrough } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import type { Clock, Random, Timer } from '#machinery/clock';
import { RuntimeError } from '../contract.ts';
import type {
  Container,
  ContainerConfig,
  ContainerEventResponse,
  ContainerEventType,
  ContainerStatus,
  Image,
  ImageService,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStatus,
  Runtime,
  RuntimeService,
} from '../contract.ts';
import { playCommand } from './exec.ts';
import { behaviourOf } from './stages.ts';

export interface SimulatedOptions {
  clock: Clock;
  random: Random;
  /** Gives the next pod's address; called once a sandbox. */
  allocateAddress(): string;
  releaseAddress?(address: string): void;
  /** Images that cannot be pulled. Default: names that are not valid references only. */
  pullError?(image: string): string | undefined;
}

interface Sandbox {
  id: string;
  config: PodSandboxConfig;
  runtimeHandler: string;
  createdAt: number;
  ready: boolean;
  address: string;
}

interface Entry {
  id: string;
  sandbox: Sandbox;
  config: ContainerConfig;
  status: ContainerStatus;
  timer?: Timer;
}

const matchesLabels = (labels: Record<string, string> | undefined, wanted: Record<string, string> | undefined): boolean =>
  Object.entries(wanted ?? {}).every(([key, value]) => labels?.[key] === value);

export function simulatedRuntime(options: SimulatedOptions): Runtime {
  const { clock, random } = options;
  const sandboxes = new Map<string, Sandbox>();
  const containers = new Map<string, Entry>();
  const images = new Map<string, Image>();
  const listeners = new Set<(event: ContainerEventResponse) => void>();
  const nanoseconds = (): number => clock.now() * 1e6;
  const makeId = (): string => (random.uuid() + random.uuid()).replaceAll('-', '');

  const sandboxOf = (id: string | undefined): Sandbox => {
    const sandbox = sandboxes.get(id ?? '');
    if (!sandbox) throw new RuntimeError('not-found', `an error occurred when try to find sandbox: "${id}": not found`);
    return sandbox;
  };
  const containerOf = (id: string | undefined): Entry => {
    const container = containers.get(id ?? '');
    if (!container) throw new RuntimeError('not-found', `an error occurred when try to find container "${id}": not found`);
    return container;
  };
  const imageOf = (name: string): Image | undefined => images.get(name) ?? [...images.values()].find(({ id }) => id === name);
  const sandboxStatus = (sandbox: Sandbox): PodSandboxStatus => ({
    id: sandbox.id,
    ...(sandbox.config.metadata && { metadata: sandbox.config.metadata }),
    state: sandbox.ready ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
    createdAt: sandbox.createdAt,
    network: { ip: sandbox.address },
    labels: sandbox.config.labels ?? {},
    annotations: sandbox.config.annotations ?? {},
    runtimeHandler: sandbox.runtimeHandler,
    ...(sandbox.config.linux && { linux: { namespaces: { options: sandbox.config.linux.securityContext?.namespaceOptions ?? {} } } }),
  });

  function tell(sandbox: Sandbox, containerId: string, type: ContainerEventType): void {
    if (listeners.size === 0) return;
    const event: ContainerEventResponse = {
      containerId,
      containerEventType: type,
      createdAt: nanoseconds(),
      podSandboxStatus: sandboxStatus(sandbox),
      containersStatuses: [...containers.values()].filter((item) => item.sandbox === sandbox).map((item) => item.status),
    };
    for (const listener of listeners) listener(event);
  }

  function finish(container: Entry, exitCode: number, reason: string): void {
    container.timer?.cancel();
    if (container.status.state !== 'CONTAINER_RUNNING') return;
    container.status = { ...container.status, state: 'CONTAINER_EXITED', finishedAt: nanoseconds(), exitCode, reason };
    tell(container.sandbox, container.id, 'CONTAINER_STOPPED_EVENT');
  }

  const runtime: Partial<RuntimeService> = {
    version: async () => ({ version: '0.1.0', runtimeName: 'simulated', runtimeVersion: '1.0.0', runtimeApiVersion: 'v1' }),
    status: async () => ({
      status: {
        conditions: [
          { type: 'RuntimeReady', status: true },
          { type: 'NetworkReady', status: true },
        ],
      },
      runtimeHandlers: [{ name: '' }],
    }),
    async runPodSandbox({ config = {}, runtimeHandler = '' }) {
      const hostNetwork = config.linux?.securityContext?.namespaceOptions?.network === 'NODE';
      const sandbox: Sandbox = {
        id: makeId(),
        config,
        runtimeHandler,
        createdAt: nanoseconds(),
        ready: true,
        address: hostNetwork ? '' : options.allocateAddress(),
      };
      sandboxes.set(sandbox.id, sandbox);
      tell(sandbox, sandbox.id, 'CONTAINER_STARTED_EVENT');
      return { podSandboxId: sandbox.id };
    },
    async stopPodSandbox({ podSandboxId }) {
      const sandbox = sandboxes.get(podSandboxId ?? '');
      if (!sandbox?.ready) return {};
      for (const container of containers.values()) if (container.sandbox === sandbox) finish(container, 137, 'Error');
      sandbox.ready = false;
      if (sandbox.address) options.releaseAddress?.(sandbox.address);
      tell(sandbox, sandbox.id, 'CONTAINER_STOPPED_EVENT');
      return {};
    },
    async removePodSandbox({ podSandboxId }) {
      const sandbox = sandboxes.get(podSandboxId ?? '');
      if (!sandbox) return {};
      await runtime.stopPodSandbox!({ podSandboxId: sandbox.id });
      for (const container of containers.values()) if (container.sandbox === sandbox) containers.delete(container.id);
      sandboxes.delete(sandbox.id);
      tell(sandbox, sandbox.id, 'CONTAINER_DELETED_EVENT');
      return {};
    },
    podSandboxStatus: async ({ podSandboxId }) => ({ status: sandboxStatus(sandboxOf(podSandboxId)) }),
    listPodSandbox: async ({ filter = {} }) => ({
      items: [...sandboxes.values()]
        .filter(
          (sandbox) =>
            (!filter.id || sandbox.id === filter.id) &&
            (!filter.state?.state || (filter.state.state === 'SANDBOX_READY') === sandbox.ready) &&
            matchesLabels(sandbox.config.labels, filter.labelSelector),
        )
        .map((sandbox): PodSandbox => {
          const { network: _, linux: __, ...item } = sandboxStatus(sandbox);
          return item;
        }),
    }),
    async createContainer({ podSandboxId, config = {} }) {
      const sandbox = sandboxOf(podSandboxId);
      const id = makeId();
      const image = config.image?.image ?? '';
      const found = imageOf(image);
      if (!found) throw new RuntimeError('not-found', `failed to resolve image "${image}": not found`);
      const status: ContainerStatus = {
        id,
        ...(config.metadata && { metadata: config.metadata }),
        state: 'CONTAINER_CREATED',
        createdAt: nanoseconds(),
        image: { image: found.repoTags?.[0] ?? image },
        imageRef: found.id!,
        imageId: found.id!,
        labels: config.labels ?? {},
        annotations: config.annotations ?? {},
        mounts: config.mounts ?? [],
        logPath: `${sandbox.config.logDirectory ?? ''}/${config.logPath ?? ''}`,
        ...(config.linux?.resources && { resources: { linux: config.linux.resources } }),
      };
      containers.set(id, { id, sandbox, config, status });
      tell(sandbox, id, 'CONTAINER_CREATED_EVENT');
      return { containerId: id };
    },
    async startContainer({ containerId }) {
      const container = containerOf(containerId);
      if (container.status.state !== 'CONTAINER_CREATED')
        throw new RuntimeError(
          'unknown',
          `failed to set starting state for container "${containerId}": container is in ${container.status.state} state`,
        );
      const behaviour = behaviourOf(container.sandbox.config, container.config);
      if (behaviour.startError) {
        const time = nanoseconds();
        container.status = {
          ...container.status,
          state: 'CONTAINER_EXITED',
          startedAt: time,
          finishedAt: time,
          exitCode: 128,
          reason: 'StartError',
          message: behaviour.startError,
        };
        tell(container.sandbox, container.id, 'CONTAINER_STOPPED_EVENT');
        throw new RuntimeError('unknown', behaviour.startError);
      }
      container.status = { ...container.status, state: 'CONTAINER_RUNNING', startedAt: nanoseconds() };
      tell(container.sandbox, container.id, 'CONTAINER_STARTED_EVENT');
      const { exitCode } = behaviour;
      if (exitCode !== undefined)
        container.timer = clock.setTimeout(() => finish(container, exitCode, exitCode === 0 ? 'Completed' : 'Error'), behaviour.after);
      return {};
    },
    async stopContainer({ containerId, timeout = 0 }) {
      const container = containers.get(containerId ?? '');
      // Asked, it ends at once and well; without grace it is killed.
      if (container) finish(container, timeout > 0 ? 0 : 137, timeout > 0 ? 'Completed' : 'Error');
      return {};
    },
    async removeContainer({ containerId }) {
      const container = containers.get(containerId ?? '');
      if (!container) return {};
      finish(container, 137, 'Error');
      containers.delete(container.id);
      tell(container.sandbox, container.id, 'CONTAINER_DELETED_EVENT');
      return {};
    },
    listContainers: async ({ filter = {} }) => ({
      containers: [...containers.values()]
        .filter(
          (item) =>
            (!filter.id || item.id === filter.id) &&
            (!filter.podSandboxId || item.sandbox.id === filter.podSandboxId) &&
            (!filter.state?.state || item.status.state === filter.state.state) &&
            matchesLabels(item.config.labels, filter.labelSelector),
        )
        .map(({ id, sandbox, status }): Container => ({
          id,
          podSandboxId: sandbox.id,
          ...(status.metadata && { metadata: status.metadata }),
          ...(status.image && { image: status.image }),
          ...(status.imageRef && { imageRef: status.imageRef }),
          ...(status.state && { state: status.state }),
          ...(status.createdAt && { createdAt: status.createdAt }),
          labels: status.labels ?? {},
          annotations: status.annotations ?? {},
        })),
    }),
    containerStatus: async ({ containerId }) => ({ status: containerOf(containerId).status }),
    updateContainerResources: async ({ containerId, linux }) => {
      const container = containerOf(containerId);
      if (linux) container.status = { ...container.status, resources: { linux } };
      return {};
    },
    updatePodSandboxResources: async () => ({}),
    reopenContainerLog: async () => ({}),
    execSync: async ({ containerId }) => {
      if (containerOf(containerId).status.state !== 'CONTAINER_RUNNING') throw new RuntimeError('unknown', 'container is not running');
      return { stdout: new Uint8Array(0), stderr: new Uint8Array(0), exitCode: 0 };
    },
    exec: async ({ containerId, cmd = [] }) => ({ url: `simulated:exec/${containerOf(containerId).id}/${JSON.stringify(cmd)}` }),
    attach: async ({ containerId }) => ({ url: `simulated:attach/${containerOf(containerId).id}` }),
    portForward: async ({ podSandboxId }) => ({ url: `simulated:forward/${sandboxOf(podSandboxId).id}` }),
    containerStats: async ({ containerId }) => ({ stats: statsOf(containerOf(containerId)) }),
    listContainerStats: async ({ filter = {} }) => ({
      stats: [...containers.values()]
        .filter(
          (item) =>
            (!filter.id || item.id === filter.id) &&
            (!filter.podSandboxId || item.sandbox.id === filter.podSandboxId) &&
            matchesLabels(item.config.labels, filter.labelSelector),
        )
        .map(statsOf),
    }),
    podSandboxStats: async () => ({}),
    listPodSandboxStats: async () => ({ stats: [] }),
    updateRuntimeConfig: async () => ({}),
    async *getContainerEvents(_request, streamOptions) {
      const events = new ReadableStream<ContainerEventResponse>({
        start(controller) {
          const listener = (event: ContainerEventResponse): void => controller.enqueue(event);
          listeners.add(listener);
          const end = (): void => {
            listeners.delete(listener);
            controller.close();
          };
          if (streamOptions?.signal?.aborted) end();
          else streamOptions?.signal?.addEventListener('abort', end, { once: true });
        },
      });
      yield* events;
    },
  };

  const statsOf = (container: Entry): { attributes: object; cpu: object; memory: object } => ({
    attributes: { id: container.id, metadata: container.config.metadata, labels: container.config.labels ?? {} },
    cpu: { timestamp: nanoseconds(), usageCoreNanoSeconds: { value: 0 }, usageNanoCores: { value: 0 } },
    memory: { timestamp: nanoseconds(), workingSetBytes: { value: 0 } },
  });

  const imageService: Partial<ImageService> = {
    listImages: async ({ filter }) => ({
      images: [...images.values()].filter((image) => !filter?.image?.image || image.repoTags?.includes(filter.image.image)),
    }),
    imageStatus: async ({ image }) => {
      const found = imageOf(image?.image ?? '');
      return found ? { image: found } : {};
    },
    async pullImage({ image }) {
      const name = image?.image ?? '';
      const problem = options.pullError?.(name);
      if (problem !== undefined) throw new RuntimeError('unknown', problem);
      const known = images.get(name);
      if (known) return { imageRef: known.id! };
      let hash = 0;
      for (const letter of name) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0;
      const id = `sha256:${hash.toString(16).padStart(8, '0').repeat(8)}`;
      images.set(name, { id, repoTags: [name], repoDigests: [`${name.replace(/[:@][^/]*$/, '')}@${id}`], size: 1 });
      return { imageRef: id };
    },
    async removeImage({ image }) {
      for (const [name, item] of images) if (name === image?.image || item.id === image?.image) images.delete(name);
      return {};
    },
    imageFsInfo: async () => ({ imageFilesystems: [], containerFilesystems: [] }),
  };

  const refuse = (what: string): Promise<never> =>
    Promise.reject(new RuntimeError('unimplemented', `Cannot ${what}: this pod is simulated, it has no process`));
  const close = async (): Promise<void> => {
    for (const container of containers.values()) container.timer?.cancel();
    listeners.clear();
  };
  return {
    name: 'simulated',
    runtime: runtime as RuntimeService,
    images: imageService as ImageService,
    stream: async (url, channels) => {
      const command = /^simulated:exec\/[^/]*\/(.*)$/s.exec(url)?.[1];
      if (command !== undefined) {
        const words = JSON.parse(command) as string[];
        return playCommand(words, channels) ?? refuse(`run ${JSON.stringify(words.join(' '))}`);
      }
      const stdout = new PassThrough();
      stdout.end();
      return {
        stdin: undefined,
        stdout,
        stderr: undefined,
        resize: () => undefined,
        done: Promise.resolve({ metadata: {}, status: 'Success' }),
        close: () => undefined,
      };
    },
    // A session begins; it is each connection that fails, as where nobody listens.
    forward: async () => ({ connect: () => refuse('forward a port'), close: () => undefined }),
    load: () => refuse('load an image archive'),
    close,
    [Symbol.asyncDispose]: close,
  };
}
