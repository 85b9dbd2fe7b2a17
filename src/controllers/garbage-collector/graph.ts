import type { Kind } from '#api';
import type { KubeObject, OwnerReference } from '#machinery/meta';

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

/** An object as the garbage collector sees it: who owns it, and whom it owns. */
export interface GraphNode {
  readonly uid: string;
  kind: Kind | undefined;
  /** As an owner reference names it, where the object itself was not seen. */
  identity: { apiVersion: string; kind: string; namespace: string; name: string };
  owners: OwnerReference[];
  readonly dependents: Set<GraphNode>;
  resourceVersion: string;
  finalizers: readonly string[];
  beingDeleted: boolean;
  /** It waits for its dependents to be deleted first. */
  deletingDependents: boolean;
  /** Known only as somebody's owner: it may not exist. */
  virtual: boolean;
}

const isBlocking = (dependent: GraphNode, owner: GraphNode): boolean =>
  dependent.owners.some((reference) => reference.uid === owner.uid && reference.blockOwnerDeletion === true);

/** Dependents that must go before their owner may. */
export const blockingDependents = (owner: GraphNode): GraphNode[] =>
  [...owner.dependents].filter((dependent) => isBlocking(dependent, owner));

/** What the graph asks to be done about a node. */
export interface GraphSink {
  /** Look whether it should be deleted (or, being deleted in the foreground, whether it can go). */
  attemptToDelete(uid: string): void;
  /** It is being deleted and its dependents must lose it as an owner first. */
  attemptToOrphan(uid: string): void;
}

/**
 * Who owns whom, kept up by the events of every kind. An owner that was never seen is in it as a virtual node, so that its dependents are
 * found when it appears, and looked at should it not exist.
 * upstream: pkg/controller/garbagecollector/graph_builder.go.
 */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #sink: GraphSink;

  constructor(sink: GraphSink) {
    this.#sink = sink;
  }

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  /** Nodes of a kind that was unserved, for its monitor to let go. */
  ofKind(kind: Kind): GraphNode[] {
    return [...this.#nodes.values()].filter(
      (node) => !node.virtual && node.kind?.group === kind.group && node.kind.resource === kind.resource,
    );
  }

  /** An object was seen, new or changed. */
  observe(kind: Kind, object: KubeObject): void {
    const { uid, name, namespace = '', ownerReferences = [], finalizers = [], deletionTimestamp, resourceVersion = '' } = object.metadata!;
    const deleted = deletionTimestamp !== undefined;
    let node = this.#nodes.get(uid!);
    const before = node && !node.virtual ? { deleted: node.beingDeleted, finalizers: node.finalizers } : undefined;
    const oldOwners = node?.owners ?? [];
    if (!node) {
      node = {
        uid: uid!,
        kind,
        identity: { apiVersion: kind.apiVersion, kind: kind.kind, namespace, name: name! },
        owners: [],
        dependents: new Set(),
        resourceVersion,
        finalizers,
        beingDeleted: false,
        deletingDependents: false,
        virtual: false,
      };
      this.#nodes.set(uid!, node);
    } else if (node.virtual) {
      const mistaken = node.identity.namespace !== namespace || node.identity.name !== name;
      node.virtual = false;
      node.identity = { apiVersion: kind.apiVersion, kind: kind.kind, namespace, name: name! };
      // Dependents that named it wrongly must be looked at again.
      if (mistaken) for (const dependent of node.dependents) this.#sink.attemptToDelete(dependent.uid);
    }
    node.kind = kind;
    node.resourceVersion = resourceVersion;
    node.finalizers = finalizers;
    node.owners = ownerReferences;
    node.beingDeleted = deleted;
    this.#reown(node, oldOwners);

    const begins = (finalizer: string): boolean =>
      deleted && finalizers.includes(finalizer) && !(before?.deleted && before.finalizers.includes(finalizer));
    if (begins(orphanFinalizer)) this.#sink.attemptToOrphan(node.uid);
    if (begins(foregroundFinalizer)) {
      node.deletingDependents = true;
      for (const dependent of node.dependents) this.#sink.attemptToDelete(dependent.uid);
      this.#sink.attemptToDelete(node.uid);
    }
    if (!before && !deleted && node.owners.length) this.#lookIfSuspicious(node);
  }

  /** A new object whose owners are not all known to be alive: the collector looks at it once. */
  #lookIfSuspicious(node: GraphNode): void {
    for (const reference of node.owners) {
      const owner = this.#nodes.get(reference.uid);
      const misplaced = owner && !owner.virtual && owner.kind?.namespaced && owner.identity.namespace !== node.identity.namespace;
      if (misplaced || owner?.deletingDependents) return this.#sink.attemptToDelete(node.uid);
    }
  }

  #reown(node: GraphNode, oldOwners: readonly OwnerReference[]): void {
    if (node.owners.length === 0 && oldOwners.length === 0) return;
    const now = new Map(node.owners.map((reference) => [reference.uid, reference]));
    for (const old of oldOwners) {
      const next = now.get(old.uid);
      const owner = this.#nodes.get(old.uid);
      if (!owner) continue;
      if (!next) {
        owner.dependents.delete(node);
        this.#dropIfUnneeded(owner);
      }
      // It no longer stands in the way of its owner's deletion.
      if (old.blockOwnerDeletion === true && next?.blockOwnerDeletion !== true && owner.deletingDependents)
        this.#sink.attemptToDelete(owner.uid);
    }
    for (const reference of node.owners) {
      let owner = this.#nodes.get(reference.uid);
      if (!owner) {
        owner = {
          uid: reference.uid,
          kind: undefined,
          identity: {
            apiVersion: reference.apiVersion,
            kind: reference.kind,
            namespace: node.identity.namespace,
            name: reference.name,
          },
          owners: [],
          dependents: new Set(),
          resourceVersion: '',
          finalizers: [],
          beingDeleted: false,
          deletingDependents: false,
          virtual: true,
        };
        this.#nodes.set(reference.uid, owner);
      }
      if (owner.virtual && !owner.dependents.has(node)) this.#sink.attemptToDelete(owner.uid);
      owner.dependents.add(node);
    }
  }

  #dropIfUnneeded(node: GraphNode): void {
    if (node.virtual && node.dependents.size === 0) this.#nodes.delete(node.uid);
  }

  /** An object is gone. */
  remove(uid: string): void {
    const node = this.#nodes.get(uid);
    if (!node) return;
    this.#nodes.delete(uid);
    for (const reference of node.owners) {
      const owner = this.#nodes.get(reference.uid);
      if (!owner) continue;
      owner.dependents.delete(node);
      if (owner.deletingDependents) this.#sink.attemptToDelete(owner.uid);
      this.#dropIfUnneeded(owner);
    }
    if (node.dependents.size === 0) return;
    // Dependents keep their reference: the owner stays as one that is known to be absent until they are gone.
    const absent: GraphNode = {
      ...node,
      owners: [],
      dependents: node.dependents,
      virtual: true,
      beingDeleted: false,
      deletingDependents: false,
    };
    this.#nodes.set(uid, absent);
    for (const dependent of node.dependents) this.#sink.attemptToDelete(dependent.uid);
  }
}
