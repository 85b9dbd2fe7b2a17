/** Turns what informers say into changes of cache and queue. upstream: pkg/scheduler/eventhandlers.go. */
import {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
  VolumeAttachment,
} from '#api';
import type { Kind } from '#api';
import type { Informers } from '#client';
import { equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import type { Cache } from './cache/cache.ts';
import { action, assignedPodAdded, assignedPodDeleted, nodeChanges, podChanges } from './framework/events.ts';
import type { EventResource } from './framework/events.ts';
import type { SchedulingQueue } from './queue/scheduling-queue.ts';

/** The part of the scheduler that events reach. */
export interface EventTarget {
  cache: Cache;
  queue: SchedulingQueue;
  responsibleFor(pod: Pod): boolean;
  assumedPodDeleted(pod: Pod): void;
}

const uidOf = (pod: Pod): string => pod.metadata?.uid ?? `${pod.metadata?.namespace}/${pod.metadata?.name}`;
/** A pod that ended takes nothing any more: for the scheduler it is gone. */
const ended = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
const assigned = (pod: Pod): boolean => Boolean(pod.spec?.nodeName);

export function connectInformers(target: EventTarget, informers: Informers): Disposable[] {
  const { cache, queue } = target;

  function podAdded(pod: Pod): void {
    if (ended(pod)) return;
    if (assigned(pod)) {
      cache.setPod(pod);
      queue.delete(pod);
      queue.move(assignedPodAdded, undefined, pod);
    } else if (target.responsibleFor(pod)) queue.add(pod);
  }

  function podGone(pod: Pod): void {
    queue.delete(pod);
    if (cache.isAssumed(uidOf(pod)) && !assigned(pod)) return target.assumedPodDeleted(pod);
    if (cache.isPlaced(uidOf(pod)) || assigned(pod)) {
      cache.removePod(pod);
      queue.move(assignedPodDeleted, pod, undefined);
    } else if (pod.status?.nominatedNodeName) {
      const priority = pod.spec?.priority ?? 0;
      queue.move(assignedPodDeleted, pod, undefined, (other) => (other.spec?.priority ?? 0) <= priority);
    }
  }

  function podUpdated(pod: Pod, old: Pod): void {
    // The same name, another pod: the informer skipped the deletion in between.
    if (uidOf(pod) !== uidOf(old)) {
      if (!ended(old)) podGone(old);
      return podAdded(pod);
    }
    if (ended(pod)) return ended(old) ? undefined : podGone(pod);
    if (ended(old) || (!assigned(old) && assigned(pod))) return podAdded(pod);
    if (assigned(pod)) {
      cache.setPod(pod);
      const actions = podChanges(old, pod);
      if (actions) queue.move({ resource: 'Pod', actions }, old, pod);
      return;
    }
    if (!target.responsibleFor(pod)) return;
    if (cache.isAssumed(uidOf(pod))) {
      if (pod.metadata?.deletionTimestamp && !old.metadata?.deletionTimestamp) target.assumedPodDeleted(pod);
      return;
    }
    queue.update(old, pod);
    const nominated = old.status?.nominatedNodeName;
    if (nominated && nominated !== pod.status?.nominatedNodeName) {
      const priority = old.spec?.priority ?? 0;
      queue.move(assignedPodDeleted, old, undefined, (other) => (other.spec?.priority ?? 0) <= priority);
    }
  }

  const nodes = informers.for(Node).on({
    added(node) {
      cache.addNode(node);
      queue.move({ resource: 'Node', actions: action.add }, undefined, node);
    },
    updated(node, old) {
      cache.addNode(node);
      const actions = nodeChanges(old, node);
      if (actions) queue.move({ resource: 'Node', actions }, old, node);
    },
    deleted(node) {
      queue.move({ resource: 'Node', actions: action.delete }, node, undefined);
      cache.removeNode(node.metadata!.name!);
    },
  });
  const namespaces = informers.for(Namespace).on({
    updated(namespace, old) {
      if (!equal(namespace.metadata?.labels, old.metadata?.labels)) cache.forgetCounters();
    },
    // Pods may have been counted before their namespace was known.
    added: () => cache.forgetCounters(),
  });
  const pods = informers.for(Pod).on({ added: podAdded, updated: podUpdated, deleted: podGone });

  function forward<T extends KubeObject>(kind: Kind<T>, resource: EventResource): Disposable {
    return informers.for(kind).on({
      added: (object) => queue.move({ resource, actions: action.add }, undefined, object),
      updated: (object, old) => queue.move({ resource, actions: action.other }, old, object),
      deleted: (object) => queue.move({ resource, actions: action.delete }, object, undefined),
    });
  }
  return [
    nodes,
    namespaces,
    pods,
    forward(PersistentVolume, 'PersistentVolume'),
    forward(PersistentVolumeClaim, 'PersistentVolumeClaim'),
    forward(StorageClass, 'StorageClass'),
    forward(CSINode, 'CSINode'),
    forward(CSIDriver, 'CSIDriver'),
    forward(CSIStorageCapacity, 'CSIStorageCapacity'),
    forward(VolumeAttachment, 'VolumeAttachment'),
  ];
}
