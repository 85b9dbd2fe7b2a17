/** An API server small enough for tests of the kubelet: objects by kind, patches, watches, graceful deletion of pods. */
import { resourceFact } from '#api/facts';
import type { ApiCall, Transport, WatchEvent, WatchHandle } from '#client';
import type { Clock } from '#machinery/clock';
import { microTimestamp, timestamp } from '#machinery/clock';
import type { KubeObject } from '#machinery/meta';
import { deepFreeze, draft } from '#machinery/meta';
import { mergePatch, strategicMerge } from '#machinery/patch';
import { alreadyExists, conflict, notFound } from '#machinery/status';

interface Watcher {
  resource: string;
  namespace: string | undefined;
  matches(object: KubeObject): boolean;
  sink(event: WatchEvent): void;
}

type Loose = KubeObject & { spec?: Record<string, any>; status?: Record<string, any> } & Record<string, unknown>;

export class FakeApi implements Transport {
  readonly objects = new Map<string, KubeObject>();
  readonly calls: ApiCall[] = [];
  readonly #clock: Clock;
  readonly #watchers = new Set<Watcher>();
  #revision = 0;
  #uids = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  #key(resource: string, namespace: string | undefined, name: string | undefined): string {
    return `${resource}/${namespace ?? ''}/${name ?? ''}`;
  }

  #selector(query: Record<string, string> | undefined): (object: KubeObject) => boolean {
    const terms = (query?.['fieldSelector'] ?? '').split(',').filter(Boolean);
    return (object) =>
      terms.every((term) => {
        const [path = '', wanted] = term.split('=');
        let value: unknown = object;
        for (const step of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[step];
        return value === wanted;
      });
  }

  put(resource: string, object: KubeObject): KubeObject {
    const { namespace, name } = object.metadata ?? {};
    const key = this.#key(resource, namespace, name);
    const old = this.objects.get(key);
    const stored = draft(object);
    stored.metadata = {
      uid: old?.metadata?.uid ?? `uid-${++this.#uids}`,
      creationTimestamp: timestamp(this.#clock),
      ...stored.metadata,
      resourceVersion: String(++this.#revision),
    };
    deepFreeze(stored);
    this.objects.set(key, stored);
    this.#tell(resource, stored, old);
    return stored;
  }

  #tell(resource: string, object: KubeObject, old: KubeObject | undefined): void {
    for (const watcher of this.#watchers) {
      if (watcher.resource !== resource || (watcher.namespace && watcher.namespace !== object.metadata?.namespace)) continue;
      const now = watcher.matches(object);
      const before = old !== undefined && watcher.matches(old);
      if (now) watcher.sink({ type: before ? 'MODIFIED' : 'ADDED', object });
      else if (before) watcher.sink({ type: 'DELETED', object });
    }
  }

  remove(resource: string, namespace: string | undefined, name: string): void {
    const key = this.#key(resource, namespace, name);
    const object = this.objects.get(key);
    if (!object) return;
    this.objects.delete(key);
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#revision) } };
    for (const watcher of this.#watchers)
      if (watcher.resource === resource && watcher.matches(object)) watcher.sink({ type: 'DELETED', object: last });
  }

  object<T extends KubeObject>(resource: string, namespace: string | undefined, name: string): T | undefined {
    return this.objects.get(this.#key(resource, namespace, name)) as T | undefined;
  }

  /** What users do: the pod stays until the kubelet has ended it. */
  deletePod(namespace: string, name: string, gracePeriodSeconds = 30): void {
    const pod = draft(this.object<Loose>('pods', namespace, name)!);
    pod.metadata!.deletionTimestamp = timestamp(this.#clock);
    pod.metadata!.deletionGracePeriodSeconds = gracePeriodSeconds;
    this.put('pods', pod);
  }

  async call(call: ApiCall): Promise<unknown> {
    this.calls.push(call);
    await Promise.resolve();
    const { kind, namespace, name = '', verb } = call;
    const { resource } = kind;
    const body = call.body as Loose | undefined;
    const qualified = { group: kind.group, resource };
    const current = this.object<Loose>(resource, namespace, name);
    if (verb === 'list') {
      const matches = this.#selector(call.query);
      const items = [...this.objects].flatMap(([key, object]) =>
        key.startsWith(`${resource}/`) && (!namespace || object.metadata?.namespace === namespace) && matches(object) ? [object] : [],
      );
      return { items, metadata: { resourceVersion: String(this.#revision) } };
    }
    if (verb === 'create' && call.subresource === 'token')
      return {
        ...body,
        status: {
          token: `token-for-${namespace}-${name}-${microTimestamp(this.#clock)}`,
          expirationTimestamp: new Date(this.#clock.now() + (body?.spec?.['expirationSeconds'] ?? 3600) * 1000).toISOString(),
        },
      };
    if (verb === 'create') {
      const called = body!.metadata?.name ?? `${body!.metadata?.generateName ?? ''}${++this.#uids}`;
      if (this.object(resource, namespace, called)) throw alreadyExists(qualified, called);
      return this.put(resource, { ...body!, metadata: { ...body!.metadata, name: called, ...(namespace && { namespace }) } });
    }
    if (!current) throw notFound(qualified, name);
    if (verb === 'get') return current;
    if (verb === 'update') {
      const asked = body!.metadata?.resourceVersion;
      if (asked && asked !== current.metadata?.resourceVersion) throw conflict(qualified, name, 'the object has been modified');
      return this.put(resource, call.subresource === 'status' ? ({ ...current, status: body!.status! } as KubeObject) : body!);
    }
    if (verb === 'patch') {
      const uid = (body!.metadata as { uid?: string } | undefined)?.uid;
      if (uid && uid !== current.metadata?.uid) throw conflict(qualified, name, `Precondition failed: UID in precondition: ${uid}`);
      const type = resourceFact(kind.group, kind.version, resource)!.type;
      const next =
        call.patchType === 'strategic' ? strategicMerge(current, body as never, type) : mergePatch(current as never, body as never);
      return this.put(resource, next as KubeObject);
    }
    if (verb === 'delete') {
      this.remove(resource, namespace, name);
      return {};
    }
    throw new Error(`Cannot ${verb} in a test`);
  }

  watch(call: Omit<ApiCall, 'verb' | 'body' | 'patchType'>, sink: (event: WatchEvent) => void): Promise<WatchHandle> {
    const matches = this.#selector(call.query);
    const { resource, kind, apiVersion } = { resource: call.kind.resource, kind: call.kind.kind, apiVersion: call.kind.apiVersion };
    const watcher: Watcher = { resource, namespace: call.namespace, matches, sink };
    let end!: () => void;
    const done = new Promise<void>((resolve) => (end = resolve));
    const stop = (): void => {
      this.#watchers.delete(watcher);
      end();
    };
    queueMicrotask(() => {
      if (call.query?.['sendInitialEvents'] === 'true') {
        for (const [key, object] of this.objects)
          if (key.startsWith(`${resource}/`) && (!call.namespace || object.metadata?.namespace === call.namespace) && matches(object))
            sink({ type: 'ADDED', object: { apiVersion, kind, ...object } });
        sink({
          type: 'BOOKMARK',
          object: { metadata: { resourceVersion: String(this.#revision), annotations: { 'k8s.io/initial-events-end': 'true' } } },
        });
      }
      this.#watchers.add(watcher);
    });
    call.signal?.addEventListener('abort', stop, { once: true });
    return Promise.resolve({ done, stop });
  }
}
