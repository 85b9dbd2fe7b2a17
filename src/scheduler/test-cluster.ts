/** A make-believe cluster for the scheduler's tests: informers that a test feeds, and a client that stores bindings, patches and deletions in them. */
import { Binding, Node, Pod } from '#api';
import type { Kind } from '#api';
import type { ActionRecorder, Client, Informer, InformerHandler, Informers } from '#client';
import { seededRandom, virtualClock } from '#machinery/clock';
import type { VirtualClock } from '#machinery/clock';
import type { Running } from '#machinery/lifecycle';
import { silentLog } from '#machinery/log';
import { deepFreeze, draft, keyOf } from '#machinery/meta';
import type { KubeObject, ObjectRef } from '#machinery/meta';
import { notFound } from '#machinery/status';
import { createScheduler } from './scheduler.ts';
import type { SchedulerOptions, SchedulingDecision } from './scheduler.ts';

class FakeInformer<T extends KubeObject> implements Informer<T> {
  readonly kind: Kind<T>;
  readonly synced = Promise.resolve();
  readonly hasSynced = true;
  readonly objects = new Map<string, T>();
  readonly handlers = new Set<InformerHandler<T>>();

  constructor(kind: Kind<T>) {
    this.kind = kind;
  }

  get(key: string): T | undefined {
    return this.objects.get(key);
  }

  list(namespace?: string): T[] {
    return [...this.objects.values()].filter((object) => namespace === undefined || object.metadata?.namespace === namespace);
  }

  byIndex(): T[] {
    return [];
  }

  addIndex(): void {
    // No test of the scheduler asks for one.
  }

  on(handler: InformerHandler<T>): Disposable {
    this.handlers.add(handler);
    for (const object of this.objects.values()) handler.added?.(object);
    return { [Symbol.dispose]: () => void this.handlers.delete(handler) };
  }

  set(object: T): void {
    const key = keyOf(object);
    const old = this.objects.get(key);
    this.objects.set(key, object);
    for (const handler of this.handlers) {
      if (old) handler.updated?.(object, old);
      else handler.added?.(object);
    }
  }

  remove(key: string): void {
    const old = this.objects.get(key);
    if (!old) return;
    this.objects.delete(key);
    for (const handler of this.handlers) handler.deleted?.(old);
  }
}

export interface TestCluster {
  clock: VirtualClock;
  events: { object: string; reason: string; message: string }[];
  decisions: SchedulingDecision[];
  /** Calls before a binding is stored; what it throws fails the binding. */
  beforeBinding: (pod: string, node: string) => Promise<void> | void;
  set(kind: Kind, ...objects: KubeObject[]): void;
  remove(kind: Kind, key: string): void;
  pod(key: string): Pod | undefined;
  get<T extends KubeObject>(kind: Kind<T>, key: string): T | undefined;
  /** Lets the scheduler do everything that is due, moving the clock by so many milliseconds first. */
  settle(milliseconds?: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a scheduler on an empty cluster. */
export async function testCluster(options: Partial<SchedulerOptions> = {}): Promise<TestCluster> {
  const clock = virtualClock(Date.UTC(2025, 0, 1));
  const informersByKind = new Map<string, FakeInformer<KubeObject>>();
  const informerFor = <T extends KubeObject>(kind: Kind<T>): FakeInformer<T> => {
    const name = `${kind.group}/${kind.kind}`;
    let informer = informersByKind.get(name);
    if (!informer) informersByKind.set(name, (informer = new FakeInformer<KubeObject>(kind as Kind)));
    return informer as unknown as FakeInformer<T>;
  };
  const informers: Informers = {
    for: informerFor,
    synced: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  let version = 1;
  const store = (kind: Kind, object: KubeObject): void => {
    const copy = draft(object);
    copy.metadata = { uid: `uid-${keyOf(object)}`, ...copy.metadata, resourceVersion: String(++version) };
    informerFor(kind).set(deepFreeze(copy));
  };
  const pods = informerFor(Pod);
  const mustGet = (ref: ObjectRef): Pod => {
    const pod = pods.get(`${ref.namespace}/${ref.name}`);
    if (!pod) throw notFound({ group: '', resource: 'pods' }, ref.name);
    return draft(pod);
  };
  const client = {
    async createSubresource(_kind: Kind, ref: ObjectRef, _subresource: string, body: unknown) {
      const target = (body as Binding).target.name!;
      await cluster.beforeBinding(`${ref.namespace}/${ref.name}`, target);
      const pod = mustGet(ref);
      pod.spec!.nodeName = target;
      store(Pod, pod);
    },
    async patch(kind: Kind, ref: ObjectRef, _type: string, body: unknown) {
      await Promise.resolve();
      if (kind.kind !== 'Pod') {
        const object = draft(informerFor(kind).get(keyOf({ metadata: ref })) ?? {});
        store(kind, Object.assign(object, mergeInto(object, body)));
        return object;
      }
      const pod = mustGet(ref);
      const { conditions = [], nominatedNodeName } = (body as Pod).status ?? {};
      pod.status ??= {};
      const types = new Set(conditions.map((condition) => condition.type));
      pod.status.conditions = [...(pod.status.conditions ?? []).filter((condition) => !types.has(condition.type)), ...conditions];
      if (nominatedNodeName === null) delete pod.status.nominatedNodeName;
      else if (nominatedNodeName !== undefined) pod.status.nominatedNodeName = nominatedNodeName;
      store(Pod, pod);
      return pod;
    },
    async update(kind: Kind, object: KubeObject) {
      await Promise.resolve();
      store(kind, object);
      return object;
    },
    async delete(_kind: Kind, ref: ObjectRef) {
      await Promise.resolve();
      mustGet(ref);
      pods.remove(`${ref.namespace}/${ref.name}`);
    },
  } as unknown as Client;
  const recorder: ActionRecorder = {
    record: ({ regarding, reason, note }) => void cluster.events.push({ object: keyOf(regarding), reason, message: note }),
  };
  const cluster: TestCluster = {
    clock,
    events: [],
    decisions: [],
    beforeBinding: () => undefined,
    set: (kind, ...objects) => {
      for (const object of objects) store(kind, object);
    },
    remove: (kind, key) => informerFor(kind).remove(key),
    pod: (key) => pods.get(key),
    get: (kind, key) => informerFor(kind).get(key),
    async settle(milliseconds = 0) {
      await clock.advance(milliseconds);
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
    stop: () => scheduler.stop(),
  };
  const controller = new AbortController();
  const scheduler: Running = await createScheduler({
    client,
    informers,
    events: recorder,
    onDecision: (decision) => void cluster.decisions.push(decision),
    ...options,
  }).start({ clock, random: seededRandom(1), log: silentLog, signal: controller.signal });
  return cluster;
}

function mergeInto(target: unknown, patch: unknown): Record<string, unknown> {
  const result = { ...(target as Record<string, unknown>) };
  for (const [key, value] of Object.entries(patch as Record<string, unknown>))
    result[key] = typeof value === 'object' && value !== null && !Array.isArray(value) ? mergeInto(result[key] ?? {}, value) : value;
  return result;
}

export interface NodeShape {
  cpu?: string;
  memory?: string;
  pods?: number;
  labels?: Record<string, string>;
  taints?: { key: string; value?: string; effect: string }[];
  unschedulable?: boolean;
  images?: { names: string[]; sizeBytes: number }[];
  extra?: Record<string, string>;
}

export function testNode(name: string, shape: NodeShape = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...shape.labels } },
    spec: { ...(shape.taints && { taints: shape.taints }), ...(shape.unschedulable && { unschedulable: true }) },
    status: {
      allocatable: { cpu: shape.cpu ?? '4', memory: shape.memory ?? '16Gi', pods: String(shape.pods ?? 110), ...shape.extra },
      ...(shape.images && { images: shape.images }),
    },
  };
}

export interface PodShape {
  namespace?: string;
  requests?: Record<string, string>;
  labels?: Record<string, string>;
  spec?: Partial<NonNullable<Pod['spec']>>;
  status?: Pod['status'];
}

export function testPod(name: string, shape: PodShape = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: shape.namespace ?? 'default', ...(shape.labels && { labels: shape.labels }) },
    spec: {
      containers: [{ name: 'main', image: 'app', ...(shape.requests && { resources: { requests: shape.requests } }) }],
      ...shape.spec,
    },
    ...(shape.status && { status: shape.status }),
  };
}
