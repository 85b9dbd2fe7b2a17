import type { Client, Informers } from '#client';
import { eventRecorder, workQueue } from '#client';
import type { Clock, Random } from '#machinery/clock';
import type { Running } from '#machinery/lifecycle';
import { Disposables, running } from '#machinery/lifecycle';
import type { Log } from '#machinery/log';
import type { KubeObject } from '#machinery/meta';
import { keyOf } from '#machinery/meta';
import { isConflict, isNotFound } from '#machinery/status';
import { isNamespaceTerminating } from './pod-control.ts';
import type { Controller, ControllerContext, ControllerFactory, ControllerOptions, Source } from './contract.ts';

export interface ControllersStart {
  /** A client that speaks as system:serviceaccount:kube-system:<name>; for "" as system:kube-controller-manager. */
  clientFor(serviceAccount: string): Client;
  /** Shared by all controllers; belongs to the caller. */
  informers: Informers;
  clock: Clock;
  random: Random;
  log: Log;
  controllers: readonly ControllerFactory[];
  options: ControllerOptions;
}

export interface RunningControllers extends Running {
  /** Resolves when every controller's caches have synced. */
  readonly ready: Promise<void>;
}

/**
 * Starts the controllers, one a turn of the loop, so that requests are answered meanwhile; each begins to work when its own caches have synced.
 * upstream: cmd/kube-controller-manager/app.
 */
export async function startControllers(start: ControllersStart): Promise<RunningControllers> {
  const stopping = new AbortController();
  const starting: ReturnType<typeof startController>[] = [];
  for (const factory of start.controllers) {
    const one = startController(start, factory(), stopping.signal);
    // Who fails is seen when all have begun.
    one.catch(() => undefined);
    starting.push(one);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const started = await Promise.all(starting);
  const ready = Promise.all(started.map((controller) => controller.ready)).then(() => undefined);
  return {
    ready,
    ...running(async () => {
      stopping.abort();
      await Promise.all(started.map((controller) => controller.stop()));
    }),
  };
}

async function startController(start: ControllersStart, controller: Controller, signal: AbortSignal) {
  const { clock, random, informers, options } = start;
  const log = start.log.with({ controller: controller.name });
  const client = start.clientFor(controller.serviceAccount);
  const queue = workQueue({ clock, random });
  const held = new Disposables();
  const events = eventRecorder({ client, clock, component: controller.component ?? controller.name, log });
  held.add(() => events.stop());
  const context: ControllerContext = {
    client,
    informers,
    lister: (kind) => informers.for(kind),
    events,
    clock,
    random,
    log,
    enqueue: (key, after) => (after === undefined ? queue.add(key) : queue.addAfter(key, after)),
    options,
    signal,
  };
  const sources = controller.watches.map((source) => ({ source, informer: informers.for(source.kind) }));
  // Setup comes first: its own handlers (expectations) then see each change before the key is queued.
  const made = await controller.setup?.(context);
  if (made) held.add(() => made[Symbol.asyncDispose]());
  for (const { source, informer } of sources) {
    const subscription = informer.on(handlerFor(source, context));
    held.add(() => subscription[Symbol.dispose]());
  }
  const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  const ready = Promise.race([Promise.all(sources.map(({ informer }) => informer.synced)), aborted]).then(() => undefined);

  const work = async (): Promise<void> => {
    await ready;
    while (!signal.aborted) {
      const key = await queue.take();
      if (key === undefined) return;
      try {
        const result = await controller.reconcile(context, key);
        queue.forget(key);
        if (result?.requeueAfter !== undefined) queue.addAfter(key, Math.max(result.requeueAfter, 1));
      } catch (error) {
        if (!signal.aborted) {
          // Conflicts are the normal course of optimistic writes: the cache is about to catch up.
          // Something that was not found has gone: the cache will hear of it.
          if (isConflict(error) || isNotFound(error)) log.debug('Reconciling met an older state', { key, error });
          else if (isNamespaceTerminating(error)) log.debug('Nothing can be made in a namespace that is going away', { key });
          else log.warn('Reconciling failed', { key, error, failures: queue.failures(key) + 1 });
          queue.addRateLimited(key);
        }
      } finally {
        queue.done(key);
      }
    }
  };
  const workers = Array.from({ length: controller.workers ?? 5 }, work);
  return {
    ready,
    async stop() {
      queue.close();
      await Promise.all(workers);
      await held.dispose();
    },
  };
}

function handlerFor<T extends KubeObject>(source: Source<T>, context: ControllerContext) {
  const put = (object: T): void => {
    for (const key of source.keys ? source.keys(object, context) : [keyOf(object)]) context.enqueue(key, source.delay?.(key, context) ?? 0);
  };
  const wanted = (object: T, old: T | undefined, event: 'added' | 'updated' | 'deleted'): boolean =>
    source.when?.(object, old, event, context) ?? true;
  return {
    added: (object: T) => {
      if (wanted(object, undefined, 'added')) put(object);
    },
    updated: (object: T, old: T) => {
      if (!wanted(object, old, 'updated')) return;
      put(object);
      if (source.keys) put(old);
    },
    deleted: (object: T) => {
      if (wanted(object, undefined, 'deleted')) put(object);
    },
  };
}
