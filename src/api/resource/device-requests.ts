/** What claims and templates of claims share. upstream: pkg/apis/resource/v1/defaults.go, pkg/api/resourceclaimspec. */
import type { DeviceRequest, DeviceSubRequest, ExactDeviceRequest, ResourceClaimSpec } from '../facts/types.ts';

function defaultRequest(request: ExactDeviceRequest | DeviceSubRequest): void {
  if (!request.allocationMode) request.allocationMode = 'ExactCount';
  if (request.allocationMode === 'ExactCount' && !request.count) request.count = 1;
}

/** Changes `spec`. */
export function defaultClaimSpec(spec: ResourceClaimSpec | undefined): void {
  for (const request of spec?.devices?.requests ?? []) {
    if (request.exactly) defaultRequest(request.exactly);
    for (const alternative of request.firstAvailable ?? []) defaultRequest(alternative);
  }
}

const uses = (spec: ResourceClaimSpec | undefined, has: (request: ExactDeviceRequest | DeviceSubRequest) => boolean): boolean =>
  spec?.devices?.requests?.some(
    (request: DeviceRequest) => (request.exactly && has(request.exactly)) || request.firstAvailable?.some(has),
  ) ?? false;

/** Tolerations of device taints and shared capacity are behind feature gates that are off by default. Changes `spec`. */
export function dropDisabledClaimFields(spec: ResourceClaimSpec | undefined, old?: ResourceClaimSpec): void {
  const dropTolerations = !uses(old, (request) => (request.tolerations?.length ?? 0) > 0);
  const dropCapacity =
    !uses(old, (request) => request.capacity !== undefined) &&
    !old?.devices?.constraints?.some((constraint) => constraint.distinctAttribute);
  for (const request of spec?.devices?.requests ?? [])
    for (const each of [request.exactly, ...(request.firstAvailable ?? [])]) {
      if (!each) continue;
      if (dropTolerations) delete each.tolerations;
      if (dropCapacity) delete each.capacity;
    }
  if (dropCapacity) for (const constraint of spec?.devices?.constraints ?? []) delete constraint.distinctAttribute;
}
