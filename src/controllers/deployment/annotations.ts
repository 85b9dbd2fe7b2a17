import type { Deployment, ReplicaSet } from '#api';
import {
  desiredReplicasAnnotation,
  lastAppliedAnnotation,
  maxReplicasAnnotation,
  maxSurge,
  replicas,
  revisionAnnotation,
  revisionHistoryAnnotation,
  rollbackAnnotation,
} from './replica-sets.ts';

type Annotations = Record<string, string>;

/** These belong to one of the two, and are not copied between a Deployment and its ReplicaSets. */
const own = new Set([
  lastAppliedAnnotation,
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  rollbackAnnotation,
]);

/** The history of revisions is cut to so many characters. */
const historyLimit = 2000;

/** What scaling notes on a ReplicaSet: how many replicas the Deployment wanted, and how many there might be at most. */
export const scaleAnnotations = (deployment: Deployment): Annotations => ({
  [desiredReplicasAnnotation]: String(replicas(deployment)),
  [maxReplicasAnnotation]: String(replicas(deployment) + maxSurge(deployment)),
});

export const needsScaleAnnotations = (set: ReplicaSet, deployment: Deployment): boolean =>
  Object.entries(scaleAnnotations(deployment)).some(([key, value]) => set.metadata?.annotations?.[key] !== value);

/**
 * The annotations of the new ReplicaSet: the Deployment's own, and its revision. A ReplicaSet that becomes the new one again (a rollback) gets a
 * new revision and keeps the ones it had in its history.
 */
export function newSetAnnotations(deployment: Deployment, set: ReplicaSet, revision: bigint): Annotations {
  const next: Annotations = { ...set.metadata?.annotations };
  for (const [key, value] of Object.entries(deployment.metadata?.annotations ?? {})) if (!own.has(key)) next[key] = value;
  const old = next[revisionAnnotation];
  if (old && (!/^-?\d+$/.test(old) || BigInt(old) >= revision)) return next;
  next[revisionAnnotation] = String(revision);
  if (old === undefined) return next;
  const history = (next[revisionHistoryAnnotation] ?? '').split(',').filter(Boolean);
  while (history.length > 0 && [...history, old].join(',').length > historyLimit) history.shift();
  next[revisionHistoryAnnotation] = [...history, old].join(',');
  return next;
}

/** The annotations of a Deployment that is rolled back: those of the ReplicaSet, besides its own. */
export function rolledBackAnnotations(deployment: Deployment, set: ReplicaSet): Annotations {
  const next: Annotations = {};
  for (const [key, value] of Object.entries(deployment.metadata?.annotations ?? {})) if (own.has(key)) next[key] = value;
  for (const [key, value] of Object.entries(set.metadata?.annotations ?? {})) if (!own.has(key)) next[key] = value;
  delete next[rollbackAnnotation];
  return next;
}
