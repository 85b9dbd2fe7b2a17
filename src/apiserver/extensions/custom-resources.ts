/**
 * CustomResourceDefinitions: names are accepted, versions served, and with a definition all its objects go.
 * Level-triggered, one definition at a time. upstream: apiextensions-apiserver/pkg/{apiserver,controller}.
 */
import { CustomResourceDefinition } from '#api';
import { workQueue } from '#client';
import { draft, equal } from '#machinery/meta';
import { isConflict, isNotFound } from '#machinery/status';
import type { ServerParts } from '../options.ts';
import { loopbackUser } from '../server.ts';
import type { RequestContext } from '../registry/contract.ts';
import { isTrue, withCondition } from './conditions.ts';
import type { Condition } from './conditions.ts';
import type { Convert } from './conversion.ts';
import { cleanupFinalizer } from './definition-storage.ts';
import type { Installed } from './installed.ts';
import { decideNames } from './names.ts';
import type { WebhookConversions } from './webhook-conversion.ts';

/** The extension: serves custom resources until the server stops. */
export const customResources =
  () =>
  (parts: ServerParts): (() => Promise<void>) => {
    const running = new CustomResources(parts);
    return () => running.stop();
  };

class CustomResources {
  readonly #parts: ServerParts;
  readonly #queue;
  readonly #informer;
  readonly #subscription: Disposable;
  readonly #installed = new Map<string, Installed>();
  /** Made for the first definition that converts by webhook. */
  #webhooks: WebhookConversions | undefined;
  /** Watches for the last object of a definition that is being deleted. */
  readonly #waiting = new Map<string, () => void>();
  readonly #work: Promise<void>;
  #synced = false;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    const { clock, random } = parts;
    this.#queue = workQueue({ clock, random });
    this.#informer = parts.informers.for(CustomResourceDefinition);
    const enqueue = (definition: CustomResourceDefinition): void => this.#queue.add(definition.metadata!.name!);
    this.#subscription = this.#informer.on({ added: enqueue, updated: enqueue, deleted: enqueue });
    parts.health.add({ name: 'poststarthook/crd-informer-synced', check: () => (this.#synced ? undefined : 'not finished') });
    this.#work = this.#run();
  }

  async stop(): Promise<void> {
    this.#subscription[Symbol.dispose]();
    this.#queue.close();
    for (const end of this.#waiting.values()) end();
    await this.#work;
    this.#webhooks?.close();
  }

  async #run(): Promise<void> {
    const { log, signal } = this.#parts;
    await Promise.race([this.#informer.synced, new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))]);
    if (this.#informer.list().length === 0) this.#synced = true;
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      try {
        await this.#reconcile(key);
        this.#queue.forget(key);
      } catch (error) {
        if (signal.aborted) return;
        if (!isConflict(error) && !isNotFound(error))
          log.error('Custom resource definition cannot be served', { customResourceDefinition: key, error });
        this.#queue.addRateLimited(key);
      } finally {
        this.#queue.done(key);
      }
      this.#synced ||= this.#queue.length === 0;
    }
  }

  async #reconcile(name: string): Promise<void> {
    const definition = this.#informer.get(name);
    if (!definition) {
      this.#endWait(name);
      this.#installed.get(name)?.remove();
      this.#installed.delete(name);
      this.#askGroup(name);
      return;
    }
    const { names, accepted, established } = decideNames(definition, this.#group(name));
    const wanted = draft(definition);
    wanted.status = { ...wanted.status, acceptedNames: names };
    const ready = isTrue(definition, 'Established') || (accepted.status === 'True' && !definition.metadata?.deletionTimestamp);
    const serve = ready ? await this.#prepare(name, wanted) : undefined;
    if (isTrue(definition, 'Established')) serve?.();
    this.#set(wanted, accepted);
    const now: Condition = ready
      ? { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' }
      : established;
    this.#set(wanted, isTrue(definition, 'Established') ? established : now);
    if (definition.metadata?.deletionTimestamp && definition.metadata.finalizers?.includes(cleanupFinalizer))
      return this.#clean(name, definition, wanted);
    if (equal(wanted.status, definition.status)) return;
    await this.#write(wanted);
    // In the turn of the write: nobody has read that it is established yet, and who finds it served reads its last state.
    if (!isTrue(definition, 'Established')) serve?.();
    this.#askGroup(name);
  }

  #set(definition: CustomResourceDefinition, condition: Condition): void {
    definition.status = {
      ...definition.status,
      conditions: withCondition(definition.status?.conditions, condition, this.#parts.clock.now()),
    };
  }

  #write(definition: CustomResourceDefinition): Promise<CustomResourceDefinition> {
    return this.#parts.client.updateStatus(CustomResourceDefinition, definition);
  }

  #group(name: string): CustomResourceDefinition[] {
    const group = name.slice(name.indexOf('.') + 1);
    return this.#informer.list().filter((other) => other.spec.group === group && other.metadata?.name !== name);
  }

  /** Names may have become free. */
  #askGroup(name: string): void {
    for (const other of this.#group(name)) if (!isTrue(other, 'NamesAccepted')) this.#queue.add(other.metadata!.name!);
  }

  /** What serves the definition as it is now; undefined where it is served so already. */
  async #prepare(name: string, definition: CustomResourceDefinition): Promise<(() => void) | undefined> {
    const present = this.#installed.get(name);
    if (present && sameService(present.definition, definition)) {
      if (isTrue(definition, 'Terminating')) present.terminate();
      return undefined;
    }
    const { prepare } = await import('./installed.ts');
    const install = await prepare(this.#parts, definition, (each) => this.#convertWith(each));
    return () => void this.#installed.set(name, install(this.#installed.get(name)));
  }

  async #convertWith(definition: CustomResourceDefinition): Promise<Convert> {
    const { webhookConversions } = await import('./webhook-conversion.ts');
    this.#webhooks ??= webhookConversions(this.#parts);
    return this.#webhooks.convertWith(definition);
  }

  /** Deletes the objects of a definition that is to go, then lets it go. upstream: pkg/controller/finalizer. */
  async #clean(name: string, definition: CustomResourceDefinition, wanted: CustomResourceDefinition): Promise<void> {
    const terminating = (status: 'True' | 'False', reason: string, message: string): void =>
      this.#set(wanted, { type: 'Terminating', status, reason, message });
    const installed = this.#installed.get(name);
    if (!installed) terminating('False', 'NeverEstablished', 'resource was never established');
    else {
      terminating('True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress');
      if (!equal(wanted.status, definition.status)) {
        // The new state comes back and is worked on.
        await this.#write(wanted);
        return;
      }
      if (!(await this.#deleteInstances(installed))) return this.#awaitLast(name, installed);
      terminating('False', 'InstanceDeletionCompleted', 'removed all instances');
    }
    this.#endWait(name);
    wanted.metadata = { ...wanted.metadata, finalizers: wanted.metadata!.finalizers!.filter((each) => each !== cleanupFinalizer) };
    await this.#write(wanted);
  }

  /** True where nothing is left. */
  async #deleteInstances({ cache, prefix, storages }: Installed): Promise<boolean> {
    await cache.synced;
    const [storage] = storages;
    const context: RequestContext = {
      info: {
        isResourceRequest: true,
        path: '',
        verb: 'deletecollection',
        ...storage!.served.kind,
        subresource: '',
        namespace: '',
        name: '',
      },
      user: loopbackUser,
      query: new URLSearchParams(),
      dryRun: false,
      fieldManager: '',
      warn: () => undefined,
      annotate: () => undefined,
      signal: this.#parts.signal,
    };
    for (const { object } of cache.list(prefix).items) {
      const { namespace = '', name = '', deletionTimestamp } = object.metadata ?? {};
      if (deletionTimestamp) continue;
      try {
        await storage!.delete(context, namespace, name, {});
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    return cache.list(prefix).items.length === 0;
  }

  /** Objects with finalizers go when others let them. */
  #awaitLast(name: string, { cache, prefix }: Installed): void {
    if (this.#waiting.has(name)) return;
    const watch = cache.watch(prefix, cache.revision, () => {
      if (cache.list(prefix).items.length > 0) return;
      this.#endWait(name);
      this.#queue.add(name);
    });
    this.#waiting.set(name, () => watch.stop());
    // The last one may have gone just before the watch began.
    if (cache.list(prefix).items.length === 0) this.#queue.add(name);
  }

  #endWait(name: string): void {
    this.#waiting.get(name)?.();
    this.#waiting.delete(name);
  }
}

/** Whether two states of a definition are served the same way. */
const sameService = (a: CustomResourceDefinition, b: CustomResourceDefinition): boolean =>
  a.metadata?.uid === b.metadata?.uid &&
  equal(a.spec, b.spec) &&
  equal(a.status?.acceptedNames, b.status?.acceptedNames) &&
  equal(a.status?.storedVersions, b.status?.storedVersions);
