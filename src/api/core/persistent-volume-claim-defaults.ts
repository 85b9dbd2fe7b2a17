/** Defaults of claims, alone or as a template. upstream: SetDefaults_PersistentVolumeClaim. */
import type { PersistentVolumeClaim } from '../facts/types.ts';
import { canonicalResources } from './resource-list.ts';

/** Changes `claim`. */
export function defaultPersistentVolumeClaim(claim: PersistentVolumeClaim): void {
  const status = (claim.status ??= {});
  status.phase ||= 'Pending';
  if (status.capacity) canonicalResources(status.capacity);
  if (status.allocatedResources) canonicalResources(status.allocatedResources);
  const spec = (claim.spec ??= {});
  spec.volumeMode ??= 'Filesystem';
  if (spec.resources?.limits) canonicalResources(spec.resources.limits);
  if (spec.resources?.requests) canonicalResources(spec.resources.requests);
}
