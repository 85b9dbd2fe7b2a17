/** upstream: pkg/registry/resource/resourceclaim/strategy.go. */
import { ResourceV1ResourceClaim } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { clearStatus, keepMetadata, keepSpec, keepStatus } from '../strategy.ts';
import { claimHasExpressions, validateClaim, validateClaimStatus, validateClaimUpdate } from './claim-validation.ts';
import { defaultClaimSpec, dropDisabledClaimFields } from './device-requests.ts';

function state({ metadata, status }: ResourceV1ResourceClaim): string {
  const words: string[] = [];
  if (metadata?.deletionTimestamp) words.push('deleted');
  if (!status?.allocation) {
    if (!metadata?.deletionTimestamp) words.push('pending');
  } else {
    words.push('allocated');
    if (status.reservedFor?.length) words.push('reserved');
  }
  return words.join(',');
}

const usesSharing = ({ status }: ResourceV1ResourceClaim): boolean =>
  (status?.allocation?.devices?.results?.some((result) => result.shareID != null || result.consumedCapacity) ||
    status?.devices?.some((device) => device.shareID != null)) ??
  false;

/** Shared capacity and binding conditions are behind feature gates that are off by default. Changes `claim`. */
function dropDisabledStatusFields(claim: ResourceV1ResourceClaim, old: ResourceV1ResourceClaim): void {
  const dropSharing = !usesSharing(old);
  const dropBinding = !old.status?.allocation?.devices?.results?.some(
    (result) => result.bindingConditions || result.bindingFailureConditions,
  );
  for (const result of claim.status?.allocation?.devices?.results ?? []) {
    if (dropSharing) {
      delete result.shareID;
      delete result.consumedCapacity;
    }
    if (dropBinding) {
      delete result.bindingConditions;
      delete result.bindingFailureConditions;
    }
  }
  if (dropSharing) for (const device of claim.status?.devices ?? []) delete device.shareID;
}

const deviceId = (device: { driver: string; pool: string; device: string; shareID?: string }): string =>
  `${device.driver}/${device.pool}/${device.device}/${device.shareID ?? ''}`;

/** The status of devices that are no longer allocated goes with them. Changes `claim`. */
function dropDeallocatedDevices(claim: ResourceV1ResourceClaim, old: ResourceV1ResourceClaim): void {
  const { status } = claim;
  if (!status?.devices) return;
  const gone = new Set((old.status?.allocation?.devices?.results ?? []).map(deviceId));
  for (const result of status.allocation?.devices?.results ?? []) gone.delete(deviceId(result));
  const devices = status.devices.filter((device) => !gone.has(deviceId(device)));
  if (devices.length > 0) status.devices = devices;
  else delete status.devices;
}

export const resourceClaimRules = defineKind<ResourceV1ResourceClaim>({
  kind: ResourceV1ResourceClaim,
  statusResetFields: ['metadata', 'spec'],
  applyDefaults: (claim) => defaultClaimSpec(claim.spec),
  prepareForCreate: (claim) => {
    clearStatus(claim);
    dropDisabledClaimFields(claim.spec);
  },
  prepareForUpdate: (claim, old) => {
    keepStatus(claim, old);
    dropDisabledClaimFields(claim.spec, old.spec);
  },
  validate: validateClaim,
  validateUpdate: validateClaimUpdate,
  hasExpressions: claimHasExpressions,
  subresources: {
    status: {
      validateUpdate: validateClaimStatus,
      prepareForUpdate: (claim, old) => {
        keepSpec(claim, old);
        keepMetadata(claim, old);
        dropDisabledStatusFields(claim, old);
        dropDeallocatedDevices(claim, old);
      },
    },
  },
  generation: false,
  columns: [text('State', state), ageColumn],
});
