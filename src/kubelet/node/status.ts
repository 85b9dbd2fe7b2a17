import type { ContainerImage, Node, NodeAddress, NodeCondition, NodeStatus } from '#api';
import { Node as NodeKind } from '#api';
import type { Clock, Timer } from '#machinery/clock';
import { timestamp } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { draft, equal } from '#machinery/meta';
import { isAlreadyExists } from '#machinery/status';
import type { KubeletOptions } from '../contract.ts';
import type { Machine } from './machine.ts';
import type { NodeResources } from './resources.ts';

export interface Pressure {
  memory: boolean;
  disk: boolean;
  pid: boolean;
}

export interface NodeStatusSource {
  options: KubeletOptions;
  clock: Clock;
  log: Log;
  machine: Machine;
  resources(): NodeResources;
  pressure(): Pressure;
  /** Told when the runtime's own conditions are known anew: whether pods can run, and whether they get a network. */
  runtimeState(state: { ready: boolean; network: boolean; message: string }): void;
}

/** Upstream's kubelet reports this many images. */
const imagesReported = 50;
const imageNames = 5;
/** Until the node is ready for the first time it is looked at often. */
const impatience = 100;

const verdict = (is: boolean, yes: [string, string], no: [string, string]): Pick<NodeCondition, 'status' | 'reason' | 'message'> => {
  const [reason, message] = is ? yes : no;
  return { status: is ? 'True' : 'False', reason, message };
};

/** Keeps the Node object: registers it, and writes its status when it changes, or every five minutes. upstream: kubelet_node_status.go. */
export class NodeStatusReporter {
  readonly #source: NodeStatusSource;
  #node: Node | undefined;
  #runtimeVersion = '';
  #handlers: NodeStatus['runtimeHandlers'];
  #features: NodeStatus['features'];
  #lastReport = -Infinity;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #imagesChanged = true;
  #images: ContainerImage[] = [];
  #ready = false;
  #wasReady: string | undefined;

  constructor(source: NodeStatusSource) {
    this.#source = source;
  }

  get uid(): string | undefined {
    return this.#node?.metadata?.uid;
  }

  get node(): Node | undefined {
    return this.#node;
  }

  conditions(): NodeCondition[] {
    return this.#node?.status?.conditions ?? [];
  }

  /** Images were pulled or removed. */
  imagesChanged(): void {
    this.#imagesChanged = true;
  }

  /** The API's newest view. */
  observe(node: Node): void {
    this.#node = node;
  }

  /** Resolves once the Node exists. */
  async register(): Promise<void> {
    const { options, log } = this.#source;
    for (let failures = 0; !this.#stopped; failures++)
      try {
        await this.#register();
        break;
      } catch (error) {
        log.warn('Cannot register the node', { node: options.nodeName, error });
        await new Promise<void>((resolve) => {
          this.#timer = this.#source.clock.setTimeout(resolve, Math.min(7000, 200 * 2 ** failures));
        });
      }
    this.#schedule();
  }

  async #register(): Promise<void> {
    const { options } = this.#source;
    const { client, nodeName } = options;
    const labels = this.#labels();
    const status = await this.#status(undefined);
    const wanted: Node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: nodeName,
        labels: { ...labels, ...options.nodeLabels },
        annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true', ...options.nodeAnnotations },
      },
      spec: {
        ...(options.registerWithTaints?.length && { taints: options.registerWithTaints }),
        ...(options.providerId && { providerID: options.providerId }),
        ...(options.podCidrs?.[0] && { podCIDR: options.podCidrs[0], podCIDRs: options.podCidrs }),
      },
      status,
    };
    try {
      if (options.registerNode === false) this.#node = await client.get(NodeKind, { name: nodeName });
      else this.#node = await client.create(NodeKind, wanted);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      this.#node = await client.get(NodeKind, { name: nodeName });
      this.#wasReady = this.#node.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
      const missing = Object.entries({ ...labels, ...options.nodeLabels }).filter(
        ([key, value]) => this.#node!.metadata?.labels?.[key] !== value,
      );
      if (missing.length)
        this.#node = await client.patch(NodeKind, { name: nodeName }, 'merge', { metadata: { labels: Object.fromEntries(missing) } });
    }
    this.#lastReport = -Infinity;
    await this.#write();
  }

  #labels(): Record<string, string> {
    const { options, machine } = this.#source;
    return {
      'beta.kubernetes.io/arch': machine.architecture,
      'beta.kubernetes.io/os': machine.operatingSystem,
      'kubernetes.io/arch': machine.architecture,
      'kubernetes.io/hostname': options.hostname ?? options.nodeName,
      'kubernetes.io/os': machine.operatingSystem,
    };
  }

  /** Looks at the node now and writes what changed. */
  poke(): void {
    if (this.#stopped || !this.#node) return;
    if (this.#writing) {
      this.#again = true;
      return;
    }
    this.#writing = this.#write()
      .catch((error: unknown) => {
        if (!this.#stopped) this.#source.log.warn('Cannot write the status of the node', { node: this.#source.options.nodeName, error });
      })
      .finally(() => {
        this.#writing = undefined;
        if (this.#again) {
          this.#again = false;
          this.poke();
        }
      });
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = this.#source.clock.setTimeout(
      () => {
        this.poke();
        this.#schedule();
      },
      this.#ready ? (this.#source.options.nodeStatusUpdateFrequency ?? 10_000) : impatience,
    );
  }

  async #write(): Promise<void> {
    const { options, clock } = this.#source;
    const node = this.#node!;
    const old = node.status ?? {};
    const next = await this.#status(old);
    const due = clock.monotonic() - this.#lastReport >= (options.nodeStatusReportFrequency ?? 300_000);
    const patch: Record<string, unknown> = {};
    const withoutHeartbeat = (conditions: NodeCondition[] | undefined): NodeCondition[] =>
      (conditions ?? []).map(({ lastHeartbeatTime: _, ...rest }) => rest);
    const own = next.conditions ?? [];
    const changed = own.filter((condition) => {
      const was = old.conditions?.find(({ type }) => type === condition.type);
      return !was || !equal(withoutHeartbeat([was]), withoutHeartbeat([condition]));
    });
    if (changed.length || due) patch['conditions'] = due ? own : changed;
    for (const field of ['capacity', 'allocatable', 'nodeInfo', 'daemonEndpoints', 'images', 'runtimeHandlers', 'features'] as const) {
      const value = next[field];
      if (value === undefined || equal(old[field], value)) continue;
      patch[field] = Array.isArray(value) || !old[field] ? value : { $patch: 'replace', ...(value as object) };
    }
    if (!equal(old.addresses, next.addresses)) patch['addresses'] = [{ $patch: 'replace' }, ...(next.addresses ?? [])];
    const wasReady = this.#ready;
    const ready = own.find(({ type }) => type === 'Ready')?.status;
    this.#ready = ready === 'True';
    if (Object.keys(patch).length) {
      this.#node = await options.client.patch(
        NodeKind,
        { name: options.nodeName },
        'strategic',
        { status: patch },
        { subresource: 'status' },
      );
      this.#lastReport = clock.monotonic();
    }
    if (ready !== this.#wasReady) {
      this.#wasReady = ready;
      options.events.event(
        this.#node!,
        'Normal',
        ready === 'True' ? 'NodeReady' : 'NodeNotReady',
        `Node ${options.nodeName} status is now: ${ready === 'True' ? 'NodeReady' : 'NodeNotReady'}`,
      );
    }
    if (wasReady !== this.#ready) this.#schedule();
  }

  async #status(old: NodeStatus | undefined): Promise<NodeStatus> {
    const { options, machine } = this.#source;
    const runtime = await this.#runtime();
    const own = this.#source.resources();
    await this.#readImages();
    // Extended resources are whoever's put them into the capacity; all of them may be allocated. upstream: pkg/kubelet/nodestatus MachineInfo.
    const extended = Object.fromEntries(
      Object.entries(old?.capacity ?? {}).filter(([name]) => name.includes('/') && !(name in own.capacity)),
    );
    return {
      addresses: this.#addresses(),
      capacity: { ...extended, ...own.capacity },
      allocatable: { ...extended, ...own.allocatable },
      conditions: this.#conditions(old, runtime),
      daemonEndpoints: { kubeletEndpoint: { Port: options.port ?? 10_250 } },
      nodeInfo: {
        machineID: machine.machineId,
        systemUUID: machine.systemUuid,
        bootID: machine.bootId,
        kernelVersion: machine.kernelVersion,
        osImage: machine.osImage,
        containerRuntimeVersion: this.#runtimeVersion,
        kubeletVersion: options.kubeletVersion ?? 'v1.35.4',
        kubeProxyVersion: '',
        operatingSystem: machine.operatingSystem,
        architecture: machine.architecture,
      },
      images: this.#images,
      ...(this.#handlers?.length && { runtimeHandlers: this.#handlers }),
      ...(this.#features && { features: this.#features }),
    };
  }

  #addresses(): NodeAddress[] {
    const { options } = this.#source;
    return [
      ...options.nodeIps.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: options.hostname ?? options.nodeName },
    ];
  }

  async #runtime(): Promise<{ ready: boolean; network: boolean; message: string }> {
    const { options, runtimeState } = this.#source;
    const { runtime } = options;
    let state = { ready: true, network: true, message: '' };
    try {
      if (!this.#runtimeVersion) {
        const version = await runtime.runtime.version({});
        this.#runtimeVersion = `${version.runtimeName ?? runtime.name}://${version.runtimeVersion ?? ''}`;
      }
      const answer = await runtime.runtime.status({});
      const problems: string[] = [];
      for (const { type, status, reason, message } of answer.status?.conditions ?? []) {
        if (status) continue;
        const text = `${type}=false reason:${reason ?? ''} message:${message ?? ''}`;
        if (type === 'NetworkReady') {
          state = { ...state, network: false };
          problems.push(`container runtime network not ready: ${text}`);
        } else if (type === 'RuntimeReady') {
          state = { ...state, ready: false };
          problems.push(`container runtime not ready: ${text}`);
        }
      }
      state = { ...state, message: problems.join(', ') };
      this.#handlers = (answer.runtimeHandlers ?? []).map(({ name, features }) => ({
        name: name ?? '',
        features: {
          recursiveReadOnlyMounts: features?.recursiveReadOnlyMounts ?? false,
          userNamespaces: features?.userNamespaces ?? false,
        },
      }));
      if (answer.features) this.#features = { supplementalGroupsPolicy: answer.features.supplementalGroupsPolicy ?? false };
    } catch (error) {
      state = { ready: false, network: false, message: `container runtime is down: ${(error as Error).message}` };
    }
    runtimeState(state);
    return state;
  }

  async #readImages(): Promise<void> {
    if (!this.#imagesChanged) return;
    try {
      const answer = await this.#source.options.runtime.images.listImages({});
      this.#imagesChanged = false;
      this.#images = (answer.images ?? [])
        .map(({ repoTags = [], repoDigests = [], size = 0 }) => ({
          names: [...repoDigests, ...repoTags].slice(0, imageNames),
          sizeBytes: size,
        }))
        .filter(({ names }) => names.length)
        .toSorted((a, b) => b.sizeBytes - a.sizeBytes)
        .slice(0, imagesReported);
    } catch (error) {
      this.#source.log.debug('Cannot list the images', { error });
    }
  }

  #conditions(old: NodeStatus | undefined, runtime: { message: string }): NodeCondition[] {
    const now = timestamp(this.#source.clock);
    const { memory, disk, pid } = this.#source.pressure();
    const make = (type: string, parts: Pick<NodeCondition, 'status' | 'reason' | 'message'>): NodeCondition => {
      const was = old?.conditions?.find((condition) => condition.type === type);
      return {
        type,
        ...parts,
        lastHeartbeatTime: now,
        lastTransitionTime: was?.status === parts.status ? (was.lastTransitionTime ?? now) : now,
      };
    };
    return [
      make(
        'MemoryPressure',
        verdict(
          memory,
          ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
          ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
        ),
      ),
      make(
        'DiskPressure',
        verdict(
          disk,
          ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
          ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
        ),
      ),
      make(
        'PIDPressure',
        verdict(
          pid,
          ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
          ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
        ),
      ),
      make(
        'Ready',
        verdict(runtime.message === '', ['KubeletReady', 'kubelet is posting ready status'], ['KubeletNotReady', runtime.message]),
      ),
    ];
  }

  recursiveReadOnly(handler: string): boolean {
    return this.#handlers?.find(({ name }) => (name ?? '') === handler)?.features?.recursiveReadOnlyMounts ?? false;
  }

  userNamespaces(handler: string): boolean {
    return this.#handlers?.find(({ name }) => (name ?? '') === handler)?.features?.userNamespaces ?? false;
  }

  /** For admission: the node as last known. */
  current(): Node | undefined {
    return this.#node && draft(this.#node);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#writing;
  }
}
