/** upstream: pkg/registry/storage/csidriver/strategy.go. */
import { CSIDriver } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text, truth } from '../columns.ts';
import { equal } from '#machinery/meta';

function applyDefaults(driver: CSIDriver): void {
  const { spec } = driver;
  if (!spec) return;
  spec.attachRequired ??= true;
  spec.podInfoOnMount ??= false;
  spec.storageCapacity ??= false;
  spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
  if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ['Persistent'];
  spec.requiresRepublish ??= false;
  spec.seLinuxMount ??= false;
}

const tokensInSecrets =
  'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes';

function warnings({ spec }: CSIDriver, old?: CSIDriver): string[] {
  if (!spec?.tokenRequests?.length || spec.serviceAccountTokenInSecrets != null) return [];
  return old && equal(old.spec?.tokenRequests, spec.tokenRequests) ? [] : [tokensInSecrets];
}

export const csiDriverRules = defineKind<CSIDriver>({
  kind: CSIDriver,
  applyDefaults,
  // Upstream counts from 0: nothing sets it at creation.
  generation: (driver, old) => !equal(driver.spec, old.spec),
  allowUnconditionalUpdate: false,
  warnings,
  columns: [
    truth('AttachRequired', (driver) => driver.spec?.attachRequired ?? true),
    truth('PodInfoOnMount', (driver) => driver.spec?.podInfoOnMount ?? false),
    truth('StorageCapacity', (driver) => driver.spec?.storageCapacity ?? false),
    text('TokenRequests', (driver) => driver.spec?.tokenRequests?.map((request) => request.audience).join(',') ?? '<unset>'),
    truth('RequiresRepublish', (driver) => driver.spec?.requiresRepublish ?? false),
    text('Modes', (driver) => (driver.spec?.volumeLifecycleModes ?? []).join(',') || '<none>'),
    ageColumn,
  ],
});
