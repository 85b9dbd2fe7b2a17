/** upstream: pkg/registry/resource/resourceslice/strategy.go. */
import { ResourceSlice } from '../facts/kinds.ts';
import type { Device } from '../facts/types.ts';
import { equal } from '#machinery/meta';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { validateSlice } from './slice-validation.ts';

const uses = (slice: ResourceSlice | undefined, has: (device: Device) => unknown): boolean => slice?.spec?.devices?.some(has) ?? false;

/** Device taints, partitions, binding conditions and shared capacity are behind feature gates that are off by default. Changes `slice`. */
function dropDisabledFields(slice: ResourceSlice, old?: ResourceSlice): void {
  const { spec } = slice;
  if (!spec) return;
  const keepTaints = uses(old, (device) => device.taints?.length);
  const keepPartitions =
    (old?.spec?.sharedCounters?.length ?? 0) > 0 ||
    old?.spec?.perDeviceNodeSelection != null ||
    uses(old, (device) => device.consumesCounters?.length || device.nodeName != null || device.nodeSelector || device.allNodes != null);
  const keepBinding = uses(
    old,
    (device) => device.bindingConditions?.length || device.bindingFailureConditions?.length || device.bindsToNode != null,
  );
  const keepSharing = uses(
    old,
    (device) => device.allowMultipleAllocations != null || Object.values(device.capacity ?? {}).some((capacity) => capacity.requestPolicy),
  );
  if (!keepPartitions) {
    delete spec.sharedCounters;
    delete spec.perDeviceNodeSelection;
  }
  for (const device of spec.devices ?? []) {
    if (!keepTaints) delete device.taints;
    if (!keepPartitions) {
      delete device.consumesCounters;
      delete device.nodeName;
      delete device.nodeSelector;
      delete device.allNodes;
    }
    if (!keepBinding) {
      delete device.bindingConditions;
      delete device.bindingFailureConditions;
      delete device.bindsToNode;
    }
    if (!keepSharing) {
      delete device.allowMultipleAllocations;
      for (const capacity of Object.values(device.capacity ?? {})) delete capacity.requestPolicy;
    }
  }
}

export const resourceSliceRules = defineKind<ResourceSlice>({
  kind: ResourceSlice,
  prepareForCreate: (slice) => dropDisabledFields(slice),
  prepareForUpdate: dropDisabledFields,
  validate: (slice) => validateSlice(slice),
  validateUpdate: validateSlice,
  generation: (slice, old) => !equal(slice.spec, old.spec),
  warnings: ({ spec }) =>
    spec?.driver && spec.driver !== spec.driver.toLowerCase()
      ? [`spec.driver: driver names should be lowercase; ${JSON.stringify(spec.driver)} contains uppercase characters`]
      : [],
  columns: [
    text('Node', (slice) => slice.spec?.nodeName ?? ''),
    text('Driver', (slice) => slice.spec?.driver ?? ''),
    text('Pool', (slice) => slice.spec?.pool?.name ?? ''),
    ageColumn,
  ],
  selectableFields: { 'spec.nodeName': (slice) => slice.spec?.nodeName ?? '', 'spec.driver': (slice) => slice.spec?.driver ?? '' },
});
