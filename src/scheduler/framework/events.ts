/**
 * Cluster events that may make a pod schedulable that was not. upstream: kube-scheduler/framework ClusterEvent, pkg/scheduler/framework/events.go.
 * Actions are bits, so that one event and one registration can name several.
 */
import type { Node, Pod } from '#api';
import { equal } from '#machinery/meta';
import { podRequests } from '../resources.ts';

export type EventResource =
  | 'Pod'
  | 'Node'
  | 'PersistentVolume'
  | 'PersistentVolumeClaim'
  | 'StorageClass'
  | 'CSINode'
  | 'CSIDriver'
  | 'CSIStorageCapacity'
  | 'VolumeAttachment'
  | '*';

export const action = {
  add: 1,
  delete: 2,
  nodeAllocatable: 4,
  nodeLabel: 8,
  nodeTaint: 16,
  nodeCondition: 32,
  nodeAnnotation: 64,
  podLabel: 128,
  podScaleDown: 256,
  podToleration: 512,
  podGatesEliminated: 1024,
  /** Some other field. */
  other: 2048,
} as const;
export const anyUpdate =
  action.nodeAllocatable |
  action.nodeLabel |
  action.nodeTaint |
  action.nodeCondition |
  action.nodeAnnotation |
  action.podLabel |
  action.podScaleDown |
  action.podToleration |
  action.podGatesEliminated |
  action.other;

export interface ClusterEvent {
  resource: EventResource;
  actions: number;
}

export const assignedPodDeleted: ClusterEvent = { resource: 'Pod', actions: action.delete };
export const assignedPodAdded: ClusterEvent = { resource: 'Pod', actions: action.add };
/** Matches every registration: used for flushes. */
export const wildcard: ClusterEvent = { resource: '*', actions: ~0 };

export function nodeChanges(old: Node, now: Node): number {
  let actions = 0;
  if ((old.spec?.unschedulable ?? false) !== (now.spec?.unschedulable ?? false)) actions |= action.nodeTaint;
  if (!equal(old.spec?.taints, now.spec?.taints)) actions |= action.nodeTaint;
  if (!equal(old.status?.allocatable, now.status?.allocatable)) actions |= action.nodeAllocatable;
  if (!equal(old.metadata?.labels, now.metadata?.labels)) actions |= action.nodeLabel;
  const conditions = (node: Node): Record<string, string> =>
    Object.fromEntries((node.status?.conditions ?? []).map((condition) => [condition.type, condition.status]));
  if (!equal(conditions(old), conditions(now))) actions |= action.nodeCondition;
  if (!equal(old.metadata?.annotations, now.metadata?.annotations)) actions |= action.nodeAnnotation;
  return actions;
}

export function podChanges(old: Pod, now: Pod): number {
  let actions = 0;
  if (!equal(old.metadata?.labels, now.metadata?.labels)) actions |= action.podLabel;
  if (!equal(old.spec?.tolerations, now.spec?.tolerations)) actions |= action.podToleration;
  if ((old.spec?.schedulingGates?.length ?? 0) > 0 && !now.spec?.schedulingGates?.length) actions |= action.podGatesEliminated;
  if (old.spec !== now.spec && scaledDown(old, now)) actions |= action.podScaleDown;
  return actions;
}

function scaledDown(old: Pod, now: Pod): boolean {
  const before = podRequests(old, { fromStatus: true });
  const after = podRequests(now, { fromStatus: true });
  if (after.milliCpu < before.milliCpu || after.memory < before.memory || after.ephemeralStorage < before.ephemeralStorage) return true;
  for (const [name, value] of before.scalar ?? []) if ((after.scalar?.get(name) ?? 0) < value) return true;
  return false;
}
