import type { Kind } from '#api';
import type { KubeObject, OwnerReference } from '#machinery/meta';
import { isConflict, isNotFound } from '#machinery/status';
import type { ControllerContext } from '../contract.ts';
import type { GraphNode, OwnerGraph } from './graph.ts';
import { blockingDependents, foregroundFinalizer, orphanFinalizer } from './graph.ts';

export interface CollectorDependencies {
  context: ControllerContext;
  graph: OwnerGraph;
  /** The served kind of a group and kind; undefined where none is known. */
  kindOf(apiVersion: string, kind: string): Kind | undefined;
  attemptToDelete(uid: string): void;
}

type Verdict = 'solid' | 'dangling' | 'waiting';

export const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? apiVersion.split('/')[0]! : '');

/** Owners known not to exist are not asked for again for so long; uids never come back. */
const remembered = 500;

/**
 * Decides about one node at a time: whether its owners are gone, and then deletes it; whether what it waited for is done.
 * upstream: pkg/controller/garbagecollector/garbagecollector.go.
 */
export class Collector {
  readonly #dependencies: CollectorDependencies;
  readonly #absent = new Set<string>();

  constructor(dependencies: CollectorDependencies) {
    this.#dependencies = dependencies;
  }

  noteAbsent(key: string): void {
    this.#absent.add(key);
    if (this.#absent.size > remembered) this.#absent.delete(this.#absent.values().next().value!);
  }

  #ref(node: GraphNode): { namespace?: string; name: string } {
    const { namespace, name } = node.identity;
    return node.kind?.namespaced && namespace ? { namespace, name } : { name };
  }

  async delete(uid: string): Promise<void> {
    const { graph } = this.#dependencies;
    const node = graph.get(uid);
    if (!node) return;
    if (node.virtual) return this.#verify(node);
    if (node.beingDeleted && !node.deletingDependents) return;
    if (node.deletingDependents) return this.#finishForeground(node);
    if (node.owners.length === 0) return;
    const verdicts = await Promise.all(node.owners.map((reference) => this.#judge(node, reference)));
    const gone = node.owners.filter((_, index) => verdicts[index] !== 'solid');
    if (verdicts.includes('solid')) {
      if (gone.length)
        await this.#dropOwners(
          node,
          gone.map((reference) => reference.uid),
        );
      return;
    }
    let policy: 'Orphan' | 'Foreground' | 'Background' = 'Background';
    if (verdicts.includes('waiting') && node.dependents.size > 0) {
      // Its owner waits for it, and it for its own: where two wait for each other one must let go.
      if ([...node.dependents].some((dependent) => dependent.deletingDependents)) await this.#unblockOwners(node);
      policy = 'Foreground';
    } else if (node.finalizers.includes(orphanFinalizer)) policy = 'Orphan';
    else if (node.finalizers.includes(foregroundFinalizer)) policy = 'Foreground';
    try {
      await this.#dependencies.context.client.delete(node.kind!, this.#ref(node), {
        propagationPolicy: policy,
        // It must be the object that was judged, with the owners it had then.
        preconditions: { uid: node.uid, ...(node.resourceVersion && { resourceVersion: node.resourceVersion }) },
      });
    } catch (error) {
      if (isNotFound(error)) graph.remove(node.uid);
      else throw error;
    }
  }

  /** Looks whether an owner that only references tell of exists. If it does, its monitor will bring it; if not, its dependents are looked at. */
  async #verify(node: GraphNode): Promise<void> {
    const { graph } = this.#dependencies;
    const verdict = await this.#lookUp(node.uid, node.identity);
    const now = graph.get(node.uid);
    if (verdict === 'dangling' && now?.virtual) for (const dependent of now.dependents) this.#dependencies.attemptToDelete(dependent.uid);
  }

  async #judge(node: GraphNode, reference: OwnerReference): Promise<Verdict> {
    const { context, graph } = this.#dependencies;
    const owner = graph.get(reference.uid);
    if (owner && !owner.virtual) {
      const misplaced = owner.kind?.namespaced === true && owner.identity.namespace !== node.identity.namespace;
      if (misplaced)
        context.events.event(
          {
            apiVersion: node.identity.apiVersion,
            kind: node.identity.kind,
            metadata: { name: node.identity.name, namespace: node.identity.namespace, uid: node.uid },
          },
          'Warning',
          'OwnerRefInvalidNamespace',
          `ownerRef [${reference.apiVersion}/${reference.kind}, namespace: ${node.identity.namespace}, name: ${reference.name}, uid: ${reference.uid}] does not exist in namespace "${node.identity.namespace}"`,
        );
      if (
        misplaced ||
        owner.identity.name !== reference.name ||
        owner.identity.kind !== reference.kind ||
        groupOf(owner.identity.apiVersion) !== groupOf(reference.apiVersion)
      )
        return 'dangling';
      return owner.deletingDependents ? 'waiting' : 'solid';
    }
    return this.#lookUp(reference.uid, { ...reference, namespace: node.identity.namespace });
  }

  async #lookUp(
    uid: string,
    { apiVersion, kind: kindName, namespace, name }: { apiVersion: string; kind: string; namespace: string; name: string },
  ): Promise<Verdict> {
    const { context, kindOf } = this.#dependencies;
    const kind = kindOf(apiVersion, kindName);
    if (!kind) throw new Error(`Cannot look for owner ${kindName} ${name}: no kind "${kindName}" is served in "${apiVersion}"`);
    const key = `${uid} ${kind.namespaced ? namespace : ''}`;
    if (this.#absent.has(key)) return 'dangling';
    if (kind.namespaced && !namespace) return 'dangling';
    try {
      const owner: KubeObject = await context.client.get(kind, { ...(kind.namespaced && { namespace }), name }, { metadataOnly: true });
      if (owner.metadata?.uid === uid)
        return owner.metadata.deletionTimestamp && owner.metadata.finalizers?.includes(foregroundFinalizer) ? 'waiting' : 'solid';
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    this.noteAbsent(key);
    return 'dangling';
  }

  async #finishForeground(node: GraphNode): Promise<void> {
    const blocking = blockingDependents(node);
    if (blocking.length === 0) return this.#removeFinalizer(node, foregroundFinalizer);
    for (const dependent of blocking) if (!dependent.deletingDependents) this.#dependencies.attemptToDelete(dependent.uid);
  }

  /** Takes `uids` off the node's owners, guarded by what was seen of it. */
  async #dropOwners(node: GraphNode, uids: readonly string[]): Promise<void> {
    const ownerReferences = node.owners.filter((reference) => !uids.includes(reference.uid));
    await this.#patch(node, { ownerReferences: ownerReferences.length ? ownerReferences : null });
  }

  async #unblockOwners(node: GraphNode): Promise<void> {
    if (!node.owners.some((reference) => reference.blockOwnerDeletion)) return;
    await this.#patch(node, { ownerReferences: node.owners.map((reference) => ({ ...reference, blockOwnerDeletion: false })) });
  }

  async #removeFinalizer(node: GraphNode, finalizer: string): Promise<void> {
    if (!node.finalizers.includes(finalizer)) return;
    const finalizers = node.finalizers.filter((each) => each !== finalizer);
    await this.#patch(node, { finalizers: finalizers.length ? finalizers : null });
  }

  /** A merge patch of the metadata. Its uid and revision make it fail, and be tried on what is newer, where the graph lags. */
  async #patch(node: GraphNode, metadata: Record<string, unknown>): Promise<void> {
    const { client } = this.#dependencies.context;
    const body = { metadata: { uid: node.uid, resourceVersion: node.resourceVersion, ...metadata } };
    try {
      const next = await client.patch(node.kind!, this.#ref(node), 'merge', body);
      const written = next?.metadata;
      // The next decision may come before the event.
      if (written?.uid === node.uid && written.resourceVersion) {
        node.resourceVersion = written.resourceVersion;
        node.finalizers = written.finalizers ?? [];
      }
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** Takes a node off its dependents, then lets it go. */
  async orphan(uid: string): Promise<void> {
    const node = this.#dependencies.graph.get(uid);
    if (!node || node.virtual) return;
    const results = await Promise.allSettled([...node.dependents].map((dependent) => this.#dropOwnersRetrying(dependent, uid)));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    await this.#removeFinalizer(node, orphanFinalizer);
  }

  async #dropOwnersRetrying(dependent: GraphNode, uid: string): Promise<void> {
    try {
      await this.#dropOwners(dependent, [uid]);
    } catch (error) {
      if (!isConflict(error)) throw error;
      // The graph lags behind: the server is asked.
      const { client } = this.#dependencies.context;
      try {
        const fresh: KubeObject = await client.get(dependent.kind!, this.#ref(dependent), { metadataOnly: true });
        if (fresh.metadata?.uid !== dependent.uid) return;
        const ownerReferences = (fresh.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== uid);
        const metadata = {
          uid: dependent.uid,
          resourceVersion: fresh.metadata.resourceVersion,
          ownerReferences: ownerReferences.length ? ownerReferences : null,
        };
        await client.patch(dependent.kind!, this.#ref(dependent), 'merge', { metadata });
      } catch (again) {
        if (!isNotFound(again)) throw again;
      }
    }
  }
}
