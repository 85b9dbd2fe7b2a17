import type { Kind } from '#api';
import { APIService, CustomResourceDefinition } from '#api';
import type { Informer, Informers } from '#client';
import { informersOver } from '#client';
import type { KubeObject } from '#machinery/meta';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { discover } from '../discovery.ts';
import { Collector, groupOf } from './collector.ts';
import { OwnerGraph } from './graph.ts';

const ignored = new Set(['/events', 'events.k8s.io/events']);
const discoveryKey = 'discovery';
const deletePrefix = 'delete ';
const orphanPrefix = 'orphan ';
/** So long the first events of a kind are waited for before the collector goes on without it. */
const syncPatience = 30_000;

interface Monitor {
  kind: Kind;
  informer: Informer<KubeObject>;
  /** Undone when the kind is no longer served. */
  stop(): Promise<void>;
}

/** Deletes what its owners have left behind, over every kind that is served. upstream: pkg/controller/garbagecollector. */
export const garbageCollectorController: ControllerFactory = () => {
  let graph: OwnerGraph;
  let collector: Collector;
  const monitors = new Map<string, Monitor>();
  const kinds = new Map<string, Kind>();

  /** Built-in kinds are watched by the shared informers; kinds that may go away by one of their own that can be stopped. */
  const monitor = (context: ControllerContext, kind: Kind, builtIn: boolean): Monitor => {
    const own: Informers | undefined = builtIn
      ? undefined
      : informersOver(context.client, { clock: context.clock, random: context.random, log: context.log });
    const informer = (own ?? context.informers).for(kind, { metadataOnly: true });
    const subscription = informer.on({
      added: (object) => graph.observe(kind, object),
      updated: (object) => graph.observe(kind, object),
      deleted: (object) => {
        const { uid, namespace = '' } = object.metadata!;
        collector.noteAbsent(`${uid} ${kind.namespaced ? namespace : ''}`);
        graph.remove(uid!);
      },
    });
    return {
      kind,
      informer,
      async stop() {
        subscription[Symbol.dispose]();
        await own?.stop();
      },
    };
  };

  const refresh = async (context: ControllerContext): Promise<void> => {
    const { resources, failures } = await discover(context);
    if (context.signal.aborted) return;
    const failed = new Set(failures.map(({ groupVersion }) => groupOf(groupVersion)));
    const wanted = new Map<string, Kind>();
    kinds.clear();
    for (const { kind, verbs } of resources) {
      kinds.set(`${kind.group}/${kind.kind}`, kind);
      const key = `${kind.group}/${kind.resource}`;
      if (!ignored.has(key) && ['delete', 'list', 'watch'].every((verb) => verbs.includes(verb))) wanted.set(key, kind);
    }
    for (const [key, running] of monitors) {
      const next = wanted.get(key);
      if (next ? next.version === running.kind.version && next.namespaced === running.kind.namespaced : failed.has(running.kind.group))
        continue;
      monitors.delete(key);
      await running.stop();
      // A new version of the same kind brings the same objects again; a kind that is gone has none.
      if (!next) for (const node of graph.ofKind(running.kind)) graph.remove(node.uid);
    }
    const custom = new Set(
      context
        .lister(CustomResourceDefinition)
        .list()
        .map((each) => `${each.spec.group}/${each.spec.names.plural}`),
    );
    const services = new Set(
      context
        .lister(APIService)
        .list()
        .filter((each) => each.spec?.service)
        .map((each) => each.spec!.group ?? ''),
    );
    const added: Monitor[] = [];
    for (const [key, kind] of wanted) {
      if (monitors.has(key)) continue;
      const each = monitor(context, kind, !custom.has(key) && !services.has(kind.group));
      monitors.set(key, each);
      added.push(each);
    }
    if (added.length === 0) return;
    const patience = new Promise<void>((resolve) => {
      const timer = context.clock.setTimeout(resolve, syncPatience);
      const enough = (): void => {
        timer.cancel();
        resolve();
      };
      context.signal.addEventListener('abort', enough, { once: true });
      void Promise.all(added.map(({ informer }) => informer.synced)).then(enough);
    });
    await patience;
  };

  let ready: Promise<void>;

  return {
    name: 'garbage-collector-controller',
    serviceAccount: 'generic-garbage-collector',
    workers: 20,
    watches: [
      source(CustomResourceDefinition, { keys: () => [discoveryKey] }),
      source(APIService, { keys: () => [discoveryKey], when: (service) => service.spec?.service !== undefined }),
    ],
    setup(context) {
      const attemptToDelete = (uid: string): void => context.enqueue(deletePrefix + uid);
      graph = new OwnerGraph({ attemptToDelete, attemptToOrphan: (uid) => context.enqueue(orphanPrefix + uid) });
      collector = new Collector({
        context,
        graph,
        attemptToDelete,
        kindOf: (apiVersion, kind) => kinds.get(`${groupOf(apiVersion)}/${kind}`),
      });
      ready = refresh(context).catch((error: unknown) => {
        context.log.error('Cannot discover what to watch', { error });
        context.enqueue(discoveryKey, 1000);
      });
      return {
        async [Symbol.asyncDispose]() {
          await Promise.all([...monitors.values()].map((each) => each.stop()));
        },
      };
    },
    async reconcile(context, key) {
      if (key === discoveryKey) {
        const before = ready;
        await (ready = before.then(() => refresh(context)));
        return;
      }
      // What depends on a node is known only when every kind has been read.
      await ready;
      if (key.startsWith(orphanPrefix)) await collector.orphan(key.slice(orphanPrefix.length));
      else await collector.delete(key.slice(deletePrefix.length));
    },
  };
};
