import type { PersistentVolume, PersistentVolumeClaim } from '#api';
import { compareQuantities } from '#machinery/quantity';
import { matches } from '../selector.ts';

/** Which volumes fit which claims. upstream: component-helpers/storage/volume/pv_helpers.go. */

const classAnnotation = 'volume.beta.kubernetes.io/storage-class';

export const classOf = (object: PersistentVolume | PersistentVolumeClaim): string =>
  object.metadata!.annotations?.[classAnnotation] ?? object.spec?.storageClassName ?? '';

/** Whether a claim says which class it wants, be it none. */
export const hasClass = (claim: PersistentVolumeClaim): boolean =>
  claim.metadata!.annotations?.[classAnnotation] !== undefined || claim.spec?.storageClassName !== undefined;

const requested = (claim: PersistentVolumeClaim): string => String(claim.spec?.resources?.requests?.['storage'] ?? '0');
const capacity = (volume: PersistentVolume): string => String(volume.spec?.capacity?.['storage'] ?? '0');
const modeOf = (object: PersistentVolume | PersistentVolumeClaim): string => object.spec?.volumeMode ?? 'Filesystem';

/** True where the volume is the claim's, or was set aside for it. */
export function isBoundTo(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const reference = volume.spec?.claimRef;
  if (!reference || reference.name !== claim.metadata!.name || reference.namespace !== claim.metadata!.namespace) return false;
  return !reference.uid || reference.uid === claim.metadata!.uid;
}

const offersModes = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean =>
  (claim.spec?.accessModes ?? []).every((mode) => volume.spec?.accessModes?.includes(mode));

/** Why a volume that a claim asks for by name cannot be had; undefined when it can. */
export function mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (compareQuantities(capacity(volume), requested(claim)) < 0) return 'requested PV is too small';
  if (classOf(volume) !== classOf(claim)) return 'storageClassName does not match';
  if ((volume.spec?.volumeAttributesClassName ?? '') !== (claim.spec?.volumeAttributesClassName ?? ''))
    return 'volumeAttributesClassName does not match';
  if (modeOf(volume) !== modeOf(claim)) return 'incompatible volumeMode';
  return offersModes(volume, claim) ? undefined : 'incompatible accessMode';
}

/**
 * The volume for a claim: the one set aside for it, or else the smallest free one that fits, of those with the fewest access modes. While binding
 * waits for a pod (`delayed`) only what was set aside is taken.
 */
export function bestMatch(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  delayed: boolean,
): PersistentVolume | undefined {
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    if (volume.spec?.claimRef && !isBoundTo(volume, claim)) continue;
    if (volume.metadata!.deletionTimestamp || modeOf(volume) !== modeOf(claim)) continue;
    if ((volume.spec?.volumeAttributesClassName ?? '') !== (claim.spec?.volumeAttributesClassName ?? '')) continue;
    if (compareQuantities(capacity(volume), requested(claim)) < 0 || !offersModes(volume, claim)) continue;
    if (volume.spec?.claimRef) return volume;
    if (delayed || volume.status?.phase !== 'Available' || classOf(volume) !== classOf(claim)) continue;
    if (claim.spec?.selector && !matches(claim.spec.selector)(volume.metadata!.labels)) continue;
    const modes = (each: PersistentVolume): number => each.spec?.accessModes?.length ?? 0;
    if (!best || modes(volume) < modes(best) || (modes(volume) === modes(best) && compareQuantities(capacity(volume), capacity(best)) < 0))
      best = volume;
  }
  return best;
}
