/**
 * For tests of authenticators, authorizers, admission and special endpoints: a client and informers over objects in memory, with nothing
 * of the server around them.
 */
import type { Kind } from '#api';
import { clientOver, informersOver } from '#client';
import type { ApiCall, Client, Informers, Transport, WatchEvent } from '#client';
import { seededRandom, virtualClock } from '#machinery/clock';
import type { Random, VirtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { Log } from '#machinery/log';
import { deepFreeze, draft, keyOf } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { alreadyExists, modified, notFound } from '#machinery/status';

export interface Testbed extends AsyncDisposable {
  client: Client;
  informers: Informers;
  clock: VirtualClock;
  random: Random;
  log: Log;
  /** Puts objects in place as they are (a uid is made where there is none). */
  put<T extends KubeObject>(kind: Kind<T>, ...objects: T[]): void;
  remove(kind: Kind, key: string): void;
  get<T extends KubeObject>(kind: Kind<T>, key: string): T | undefined;
}

const typeKey = (kind: Kind): string => `${kind.group}/${kind.resource}`;

/** `start`: milliseconds since 1970 at which the clock stands. */
export function testbed(start = Date.parse('2026-01-01T00:00:00Z')): Testbed {
  const objects = new Map<string, Map<string, KubeObject>>();
  const watchers = new Set<{ type: string; sink: (event: WatchEvent) => void }>();
  const clock = virtualClock(start);
  const random = seededRandom(1);
  let revision = 0;

  const of = (kind: Kind): Map<string, KubeObject> => {
    let known = objects.get(typeKey(kind));
    if (!known) objects.set(typeKey(kind), (known = new Map()));
    return known;
  };
  const tell = (kind: Kind, type: WatchEvent['type'], object: KubeObject): void => {
    for (const watcher of watchers) if (watcher.type === typeKey(kind)) watcher.sink({ type, object });
  };
  const write = (kind: Kind, given: KubeObject): KubeObject => {
    const object = draft(given);
    object.metadata = { uid: random.uuid(), ...object.metadata, resourceVersion: String(++revision) };
    const key = keyOf(object);
    const known = of(kind).has(key);
    of(kind).set(key, deepFreeze(object));
    tell(kind, known ? 'MODIFIED' : 'ADDED', object);
    return object;
  };
  const remove = (kind: Kind, key: string): void => {
    const object = of(kind).get(key);
    if (!object) return;
    of(kind).delete(key);
    revision++;
    tell(kind, 'DELETED', object);
  };
  const transport: Transport = {
    async call({ verb, kind, namespace, name = '', body }: ApiCall) {
      await Promise.resolve();
      const key = namespace ? `${namespace}/${name}` : name;
      const found = of(kind).get(key);
      const missing = (): Error => notFound({ group: kind.group, resource: kind.resource }, name);
      switch (verb) {
        case 'get':
          if (!found) throw missing();
          return found;
        case 'list':
          return {
            items: [...of(kind).values()].filter((object) => !namespace || object.metadata?.namespace === namespace),
            metadata: { resourceVersion: String(revision) },
          };
        case 'create': {
          const object = body as KubeObject;
          const placed = { ...object, metadata: { ...object.metadata, ...(namespace && { namespace }) } };
          if (of(kind).has(keyOf(placed))) throw alreadyExists({ group: kind.group, resource: kind.resource }, placed.metadata.name ?? '');
          return write(kind, placed);
        }
        case 'update': {
          const object = body as KubeObject;
          if (!found) throw missing();
          const asked = object.metadata?.resourceVersion;
          if (asked && asked !== found.metadata?.resourceVersion) throw modified({ group: kind.group, resource: kind.resource }, name);
          return write(kind, object);
        }
        case 'delete':
          if (!found) throw missing();
          remove(kind, key);
          return found;
        default:
          throw new Error(`The testbed knows no ${verb}`);
      }
    },
    async watch({ kind, query, signal }, sink) {
      await Promise.resolve();
      const watcher = { type: typeKey(kind), sink };
      const done = Promise.withResolvers<void>();
      const stop = (): void => {
        watchers.delete(watcher);
        done.resolve();
      };
      watchers.add(watcher);
      signal?.addEventListener('abort', stop, { once: true });
      if (query?.['sendInitialEvents'] === 'true') {
        for (const object of of(kind).values()) sink({ type: 'ADDED', object });
        const annotations = { 'k8s.io/initial-events-end': 'true' };
        sink({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(revision), annotations } } });
      }
      return { done: done.promise, stop };
    },
  };
  const client = clientOver(transport);
  const informers = informersOver(client, { clock, random, log: silentLog });
  return {
    client,
    informers,
    clock,
    random,
    log: silentLog,
    put: (kind, ...given) => {
      for (const object of given) write(kind, object);
    },
    remove,
    get: <T extends KubeObject>(kind: Kind<T>, key: string) => of(kind).get(key) as T | undefined,
    [Symbol.asyncDispose]: () => informers.stop(),
  };
}
