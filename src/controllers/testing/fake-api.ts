import type { Kind } from '#api';
import * as kinds from '#api';
import type { ApiCall, Transport, WatchEvent, WatchHandle } from '#client';
import type { Clock, Random } from '#machinery/clock';
import { timestamp } from '#machinery/clock';
import type { KubeObject } from '#machinery/meta';
import { deepFreeze, draft, equal } from '#machinery/meta';
import { parseLabelSelector } from '#machinery/selectors';
import { alreadyExists, badRequest, conflict, modified, notFound } from '#machinery/status';

type Json = Record<string, unknown>;
type Stored = KubeObject & { spec?: Json; status?: Json } & Json;

interface Watcher {
  kind: string;
  matches(object: Stored): boolean;
  sink(event: WatchEvent): void;
  stop(): void;
}

/** Thrown back for calls that a test wants to fail; undefined lets the call through. */
export type Reaction = (call: ApiCall, user: string) => Error | undefined | void;

const byKind = new Map<string, Kind>();
for (const each of Object.values(kinds) as unknown[])
  if (typeof each === 'object' && each !== null && 'resource' in each) {
    const kind = each as Kind;
    byKind.set(`${kind.apiVersion}/${kind.kind}`, kind);
  }

/**
 * An API server for controllers' tests: generic storage with uids, revisions, generations, finalizers, graceful deletion, watches, patches.
 * It neither defaults nor validates: tests write whole objects. Deletes of scheduled pods wait for `finish`, as for a kubelet.
 */
export class FakeApi {
  readonly calls: { user: string; call: ApiCall }[] = [];
  reactions: Reaction[] = [];
  #objects = new Map<string, Map<string, Stored>>();
  #watchers = new Set<Watcher>();
  #revision = 1;
  #clock: Clock;
  #random: Random;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  transportFor(user: string): Transport {
    return {
      call: async (call) => {
        this.calls.push({ user, call });
        await Promise.resolve();
        for (const reaction of this.reactions) {
          const error = reaction(call, user);
          if (error) throw error;
        }
        return this.#serve(call);
      },
      watch: async (call, sink) => this.#watch(call as ApiCall, sink),
    };
  }

  /** All objects of a kind, in order of creation. */
  list<T extends KubeObject>(kind: Kind<T>, namespace?: string): T[] {
    return [...this.#of(kind as Kind).values()].filter((each) => !namespace || each.metadata?.namespace === namespace) as unknown as T[];
  }

  get<T extends KubeObject>(kind: Kind<T>, key: string): T | undefined {
    return this.#of(kind as Kind).get(key) as T | undefined;
  }

  /** Creates an object as a user would; answers the stored one. */
  create<T extends KubeObject>(kind: Kind<T>, object: T): T {
    return this.#create(kind as Kind, draft(object) as Stored) as unknown as T;
  }

  /** Changes a stored object, status included. */
  change<T extends KubeObject>(kind: Kind<T>, key: string, change: (object: T) => void): T {
    const old = this.#of(kind as Kind).get(key);
    if (!old) throw new Error(`No ${kind.kind} ${key}`);
    const next = draft(old);
    change(next as unknown as T);
    return this.#store(kind as Kind, next, old) as unknown as T;
  }

  delete(kind: Kind, key: string, options: Json = {}): void {
    const [namespace, name] = key.includes('/') ? (key.split('/') as [string, string]) : [undefined, key];
    this.#serve({ verb: 'delete', kind, ...(namespace && { namespace }), name, body: options });
  }

  /** Removes an object that waits for its grace period to end, as a kubelet does. */
  finish(kind: Kind, key: string): void {
    const object = this.#of(kind).get(key);
    if (object) this.#remove(kind, object);
  }

  #of(kind: Kind): Map<string, Stored> {
    const name = `${kind.group}/${kind.resource}`;
    let objects = this.#objects.get(name);
    if (!objects) this.#objects.set(name, (objects = new Map()));
    return objects;
  }

  #key({ namespace, name }: { namespace?: string | undefined; name?: string | undefined }): string {
    return namespace ? `${namespace}/${name}` : (name ?? '');
  }

  #tell(kind: Kind, type: WatchEvent['type'], object: Stored, old?: Stored): void {
    for (const watcher of this.#watchers) {
      if (watcher.kind !== `${kind.group}/${kind.resource}`) continue;
      const now = watcher.matches(object);
      const before = old ? watcher.matches(old) : false;
      if (type === 'DELETED' ? before || now : now || before)
        watcher.sink({ type: type === 'DELETED' || (before && !now) ? 'DELETED' : before ? 'MODIFIED' : 'ADDED', object });
    }
  }

  #create(kind: Kind, object: Stored): Stored {
    const metadata = (object.metadata ??= {});
    if (!metadata.name && metadata.generateName) metadata.name = `${metadata.generateName}${this.#random.suffix(5)}`;
    const key = this.#key(metadata);
    const objects = this.#of(kind);
    if (objects.has(key)) throw alreadyExists(kind, metadata.name ?? '');
    metadata.uid ??= this.#random.uuid();
    metadata.creationTimestamp ??= timestamp(this.#clock);
    metadata.generation ??= 1;
    metadata.resourceVersion = String(++this.#revision);
    object.apiVersion = kind.apiVersion;
    object.kind = kind.kind;
    if (kind.kind === 'Pod') object.status = { phase: 'Pending', ...object.status };
    deepFreeze(object);
    objects.set(key, object);
    this.#tell(kind, 'ADDED', object);
    return object;
  }

  #store(kind: Kind, next: Stored, old: Stored): Stored {
    if (
      equal(
        { ...next, metadata: { ...next.metadata, resourceVersion: '' } },
        { ...old, metadata: { ...old.metadata, resourceVersion: '' } },
      )
    )
      return old;
    const metadata = next.metadata!;
    metadata.generation = (old.metadata?.generation ?? 0) + (equal(next.spec, old.spec) ? 0 : 1);
    metadata.resourceVersion = String(++this.#revision);
    deepFreeze(next);
    const held = kind.kind === 'Namespace' && (next.spec?.['finalizers'] as string[] | undefined)?.length;
    if (metadata.deletionTimestamp && !metadata.finalizers?.length && !metadata.deletionGracePeriodSeconds && !held) {
      this.#remove(kind, next, old);
      return next;
    }
    this.#of(kind).set(this.#key(metadata), next);
    this.#tell(kind, 'MODIFIED', next, old);
    return next;
  }

  #remove(kind: Kind, object: Stored, old = object): void {
    this.#of(kind).delete(this.#key(object.metadata!));
    const last = draft(object);
    last.metadata!.resourceVersion = String(++this.#revision);
    this.#tell(kind, 'DELETED', deepFreeze(last), old);
  }

  #delete(kind: Kind, old: Stored, options: Json): Stored {
    const wanted = options['preconditions'] as { uid?: string; resourceVersion?: string } | undefined;
    if (wanted?.uid && wanted.uid !== old.metadata?.uid)
      throw conflict(
        kind,
        old.metadata!.name!,
        `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${old.metadata?.uid}`,
      );
    if (wanted?.resourceVersion && wanted.resourceVersion !== old.metadata?.resourceVersion) throw modified(kind, old.metadata!.name!);
    const policy = options['propagationPolicy'];
    const finalizers = new Set(old.metadata?.finalizers);
    if (policy === 'Foreground') finalizers.add('foregroundDeletion');
    if (policy === 'Orphan') finalizers.add('orphan');
    const asked = options['gracePeriodSeconds'] as number | undefined;
    const graceful = kind.kind === 'Pod' && old.spec?.['nodeName'] && !['Succeeded', 'Failed'].includes(String(old.status?.['phase']));
    const grace = graceful ? (asked ?? (old.spec?.['terminationGracePeriodSeconds'] as number) ?? 30) : 0;
    const namespaced = kind.kind === 'Namespace' && ((old.spec?.['finalizers'] as string[] | undefined)?.length ?? 0) > 0;
    if (finalizers.size === 0 && grace === 0 && !namespaced) {
      this.#remove(kind, old);
      return old;
    }
    const next = draft(old);
    next.metadata!.deletionTimestamp ??= timestamp(this.#clock);
    if (grace) next.metadata!.deletionGracePeriodSeconds = grace;
    else delete next.metadata!.deletionGracePeriodSeconds;
    if (finalizers.size) next.metadata!.finalizers = [...finalizers];
    if (namespaced) {
      next.status = { ...next.status, phase: 'Terminating' };
      next.metadata!.generation ??= 1;
      next.metadata!.resourceVersion = String(++this.#revision);
      this.#of(kind).set(this.#key(next.metadata!), deepFreeze(next));
      this.#tell(kind, 'MODIFIED', next, old);
      return next;
    }
    return this.#store(kind, next, old);
  }

  #serve(call: ApiCall): unknown {
    const { kind, subresource } = call;
    const objects = this.#of(kind);
    const stored = (): Stored => {
      const found = objects.get(this.#key(call));
      if (!found) throw notFound(kind, call.name ?? '');
      return found;
    };
    switch (call.verb) {
      case 'get':
        return stored();
      case 'list': {
        const matches = selection(call);
        return { items: [...objects.values()].filter(matches), metadata: { resourceVersion: String(this.#revision) } };
      }
      case 'create': {
        const body = draft(call.body) as Stored;
        if (subresource === 'eviction') return this.#delete(kind, stored(), {});
        if (subresource === 'binding') {
          const next = draft(stored());
          next.spec = { ...next.spec, nodeName: (body['target'] as { name: string }).name };
          return this.#store(kind, next, stored());
        }
        if (kind.namespaced) body.metadata = { ...body.metadata, namespace: call.namespace ?? body.metadata?.namespace ?? '' };
        return this.#create(kind, body);
      }
      case 'update': {
        const old = objects.get(this.#key(call));
        if (!old) throw notFound(kind, call.name ?? '');
        const sent = draft(call.body) as Stored;
        if (sent.metadata?.resourceVersion && sent.metadata.resourceVersion !== old.metadata?.resourceVersion)
          throw modified(kind, call.name ?? '');
        if (subresource === 'scale') {
          const next = draft(old);
          next.spec = { ...next.spec, replicas: (sent.spec as { replicas: number }).replicas };
          return this.#store(kind, next, old);
        }
        if (subresource === 'finalize') {
          const next = draft(old);
          next.spec = sent.spec!;
          if (next.metadata?.deletionTimestamp && !(next.spec['finalizers'] as string[] | undefined)?.length) {
            this.#remove(kind, next, old);
            return next;
          }
          return this.#store(kind, next, old);
        }
        return this.#store(kind, this.#merged(old, sent, subresource), old);
      }
      case 'patch': {
        const old = stored();
        const wantedUid = (call.body as Stored).metadata?.uid;
        if (wantedUid && wantedUid !== old.metadata?.uid) throw conflict(kind, call.name ?? '', 'the uid in the patch differs');
        const next =
          call.patchType === 'json'
            ? jsonPatch(draft(old), call.body as { op: string; path: string; value?: unknown }[])
            : (mergePatch(old, call.body, call.patchType === 'strategic') as Stored);
        return this.#store(kind, this.#merged(old, next, subresource), old);
      }
      case 'delete':
        return this.#delete(kind, stored(), (call.body ?? {}) as Json);
      case 'deletecollection': {
        const matches = selection(call);
        for (const each of [...objects.values()].filter(matches)) this.#delete(kind, each, (call.body ?? {}) as Json);
        return undefined;
      }
    }
  }

  /** An update of the object leaves its status, one of the status leaves the rest (labels and annotations come through, as for Deployments). */
  #merged(old: Stored, sent: Stored, subresource: string | undefined): Stored {
    const next = draft(subresource ? old : sent);
    if (subresource) {
      next.status = draft(sent.status)!;
      next.metadata = { ...next.metadata, ...(sent.metadata?.annotations && { annotations: draft(sent.metadata.annotations) }) };
    } else if (old.status !== undefined) next.status = draft(old.status);
    const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds } = old.metadata!;
    next.metadata = { ...next.metadata, uid: uid!, creationTimestamp: creationTimestamp! };
    if (deletionTimestamp) next.metadata.deletionTimestamp = deletionTimestamp;
    if (deletionGracePeriodSeconds !== undefined) next.metadata.deletionGracePeriodSeconds = deletionGracePeriodSeconds;
    next.apiVersion = old.apiVersion!;
    next.kind = old.kind!;
    return next;
  }

  #watch(call: ApiCall, sink: (event: WatchEvent) => void): Promise<WatchHandle> {
    if (!call.query?.['sendInitialEvents']) return Promise.reject(badRequest('the fake streams its first state only'));
    let end!: () => void;
    const done = new Promise<void>((resolve) => (end = resolve));
    const matches = selection(call);
    const watcher: Watcher = {
      kind: `${call.kind.group}/${call.kind.resource}`,
      matches,
      sink,
      stop: () => {
        this.#watchers.delete(watcher);
        end();
      },
    };
    call.signal?.addEventListener('abort', watcher.stop, { once: true });
    return Promise.resolve().then(() => {
      for (const object of this.#of(call.kind).values()) if (matches(object)) sink({ type: 'ADDED', object });
      sink({
        type: 'BOOKMARK',
        object: { metadata: { resourceVersion: String(this.#revision), annotations: { 'k8s.io/initial-events-end': 'true' } } },
      });
      this.#watchers.add(watcher);
      return { done, stop: watcher.stop };
    });
  }

  /** The kind that an owner reference or event names. */
  static kindOf(apiVersion: string, kind: string): Kind | undefined {
    return byKind.get(`${apiVersion}/${kind}`);
  }
}

function selection(call: ApiCall): (object: Stored) => boolean {
  const labels = call.query?.['labelSelector'] ? parseLabelSelector(call.query['labelSelector']) : undefined;
  const fields = (call.query?.['fieldSelector'] ?? '').split(',').filter(Boolean);
  return (object) =>
    (!call.namespace || object.metadata?.namespace === call.namespace) &&
    (labels?.matches(object.metadata?.labels) ?? true) &&
    fields.every((field) => {
      const [, path, operator, value] = /^(.*?)(!=|==?)(.*)$/.exec(field)!;
      let found: unknown = object;
      for (const part of path!.split('.')) found = (found as Json | undefined)?.[part];
      return String(found ?? '') === value ? operator !== '!=' : operator === '!=';
    });
}

/** Keys of lists that strategic patches merge; enough for what controllers send. */
const mergeKeys: Record<string, string> = { ownerReferences: 'uid', conditions: 'type', taints: 'key', containers: 'name' };

function mergePatch(target: unknown, patch: unknown, strategic: boolean, field = ''): unknown {
  if (strategic && Array.isArray(patch)) {
    const old = Array.isArray(target) ? (target as unknown[]) : [];
    if (field === 'finalizers') return [...new Set([...old, ...patch])];
    const key = mergeKeys[field];
    if (!key) return draft(patch);
    let list = old as Json[];
    for (const item of patch as Json[]) {
      if (item['$patch'] === 'delete') list = list.filter((each) => each[key] !== item[key]);
      else if (list.some((each) => each[key] === item[key]))
        list = list.map((each) => (each[key] === item[key] ? (mergePatch(each, item, true) as Json) : each));
      else list = [...list, draft(item)];
    }
    return list;
  }
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return draft(patch);
  const next: Json = { ...(typeof target === 'object' && target !== null && !Array.isArray(target) ? (target as Json) : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (strategic && key.startsWith('$deleteFromPrimitiveList/')) {
      const name = key.slice('$deleteFromPrimitiveList/'.length);
      next[name] = ((next[name] ?? []) as unknown[]).filter((each) => !(value as unknown[]).includes(each));
    } else if (key.startsWith('$')) continue;
    else if (value === null) delete next[key];
    else next[key] = mergePatch(next[key], value, strategic, key);
  }
  return next;
}

function jsonPatch(target: Stored, operations: { op: string; path: string; value?: unknown }[]): Stored {
  for (const { op, path, value } of operations) {
    const parts = path
      .split('/')
      .slice(1)
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = parts.pop()!;
    let at: Json = target;
    for (const part of parts) at = (at[part] ??= {}) as Json;
    if (op === 'test') {
      if (!equal(at[last], value)) throw badRequest(`test of ${path} failed`);
    } else if (op === 'remove') {
      if (Array.isArray(at)) at.splice(Number(last), 1);
      else delete at[last];
    } else if (Array.isArray(at)) at.splice(last === '-' ? at.length : Number(last), op === 'add' ? 0 : 1, value);
    else at[last] = value;
  }
  return target;
}
