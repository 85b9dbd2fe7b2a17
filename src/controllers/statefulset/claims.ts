import type { PersistentVolumeClaim, Pod, StatefulSet } from '#api';
import { PersistentVolumeClaim as ClaimKind, Pod as PodKind, StatefulSet as StatefulSetKind } from '#api';
import type { KubeObject, OwnerReference } from '#machinery/meta';
import { equal } from '#machinery/meta';
import { isAlreadyExists } from '#machinery/status';
import type { ControllerContext } from '../contract.ts';
import { controllerReference } from '../owner.ts';
import { messageOf } from '../pod-control.ts';
import { claimsOf, isInRange } from './identity.ts';

const names = (reference: OwnerReference, apiVersion: string, kind: string, owner: KubeObject): boolean =>
  reference.apiVersion === apiVersion && reference.kind === kind && reference.name === owner.metadata!.name;
const namesSet = (reference: OwnerReference, set: StatefulSet): boolean => names(reference, 'apps/v1', 'StatefulSet', set);
const namesPod = (reference: OwnerReference, pod: Pod): boolean => names(reference, 'v1', 'Pod', pod);

const policyOf = (set: StatefulSet): { deleted: boolean; scaled: boolean } => ({
  deleted: set.spec!.persistentVolumeClaimRetentionPolicy?.whenDeleted === 'Delete',
  scaled: set.spec!.persistentVolumeClaimRetentionPolicy?.whenScaled === 'Delete',
});

/** A reference to a pod or set of the same name that no longer exists: the claim is about to be collected. */
const isStale = (claim: PersistentVolumeClaim, set: StatefulSet, pod: Pod): boolean =>
  (claim.metadata!.ownerReferences ?? []).some(
    (reference) =>
      (namesSet(reference, set) && reference.uid !== set.metadata!.uid) ||
      (namesPod(reference, pod) && pod.metadata!.uid !== undefined && reference.uid !== pod.metadata!.uid),
  );

const hasOtherController = (claim: PersistentVolumeClaim, set: StatefulSet, pod: Pod): boolean => {
  const { deleted, scaled } = policyOf(set);
  if (!deleted && !scaled) return false;
  return (claim.metadata!.ownerReferences ?? []).some((reference) =>
    namesSet(reference, set)
      ? reference.uid !== set.metadata!.uid
      : namesPod(reference, pod)
        ? reference.uid !== pod.metadata!.uid
        : reference.controller === true,
  );
};

/** The owners a claim should have: the set where it goes with the set, the pod where it goes with a pod that is scaled away. */
function ownersFor(claim: PersistentVolumeClaim, set: StatefulSet, pod: Pod): OwnerReference[] {
  const others = (claim.metadata!.ownerReferences ?? []).filter((reference) => !namesSet(reference, set) && !namesPod(reference, pod));
  if (hasOtherController(claim, set, pod)) return others;
  const { deleted, scaled } = policyOf(set);
  const scaledDown = !isInRange(set, pod);
  if (scaled && scaledDown) return [...others, controllerReference(PodKind, pod)];
  if (deleted) return [...others, controllerReference(StatefulSetKind, set)];
  return others;
}

/** Creates the claims of a pod that are missing. */
export async function createClaims(context: ControllerContext, set: StatefulSet, pod: Pod): Promise<void> {
  const problems: string[] = [];
  for (const wanted of claimsOf(set, pod).values()) {
    const { name, namespace } = wanted.metadata!;
    const existing = context.lister(ClaimKind).get(`${namespace}/${name}`);
    if (existing) {
      if (existing.metadata!.deletionTimestamp) problems.push(`pvc ${name} is being deleted`);
      continue;
    }
    const about = `Create Claim ${name} Pod ${pod.metadata!.name} in StatefulSet ${set.metadata!.name}`;
    try {
      await context.client.create(ClaimKind, wanted);
      context.events.event(set, 'Normal', 'SuccessfulCreate', `${about} success`);
    } catch (error) {
      if (isAlreadyExists(error)) continue;
      context.events.event(set, 'Warning', 'FailedCreate', `${about} failed error: ${messageOf(error)}`);
      problems.push(`failed to create PVC ${name}: ${messageOf(error)}`);
    }
  }
  if (problems.length) throw new Error(problems.join(', '));
}

/** Gives existing claims of a pod the owners that the retention policy asks for. upstream: UpdatePodClaimForRetentionPolicy. */
export async function ownClaims(context: ControllerContext, set: StatefulSet, pod: Pod): Promise<void> {
  for (const wanted of claimsOf(set, pod).values()) {
    const { name, namespace } = wanted.metadata!;
    const claim = context.lister(ClaimKind).get(`${namespace}/${name}`);
    if (!claim || isStale(claim, set, pod)) continue;
    if (hasOtherController(claim, set, pod))
      context.events.event(
        set,
        'Warning',
        'ConflictingController',
        `PersistentVolumeClaim ${name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim`,
      );
    const ownerReferences = ownersFor(claim, set, pod);
    if (equal(ownerReferences, claim.metadata!.ownerReferences ?? [])) continue;
    await context.client.update(ClaimKind, { ...claim, metadata: { ...claim.metadata, ownerReferences } });
  }
}

/** True while an old claim of the same name waits to be collected: the new pod must not take it. upstream: PodClaimIsStale. */
export function awaitsOldClaim(context: ControllerContext, set: StatefulSet, pod: Pod): boolean {
  if (!policyOf(set).scaled) return false;
  return [...claimsOf(set, pod).values()].some((wanted) => {
    const claim = context.lister(ClaimKind).get(`${wanted.metadata!.namespace}/${wanted.metadata!.name}`);
    return claim?.metadata!.ownerReferences?.some((reference) => namesPod(reference, pod) && reference.uid !== pod.metadata!.uid) === true;
  });
}
