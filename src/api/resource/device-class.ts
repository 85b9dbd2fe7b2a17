/** upstream: pkg/registry/resource/deviceclass/strategy.go. */
import { DeviceClass } from '../facts/kinds.ts';
import { equal } from '#machinery/meta';
import { defineKind } from '../contract.ts';
import { ageColumn } from '../columns.ts';
import { deviceClassHasExpressions, validateDeviceClass } from './claim-validation.ts';

/** Extended resources from device classes are behind a feature gate that is off by default. */
function dropExtendedResource(deviceClass: DeviceClass, old?: DeviceClass): void {
  if (old?.spec?.extendedResourceName == null) delete deviceClass.spec?.extendedResourceName;
}

export const deviceClassRules = defineKind<DeviceClass>({
  kind: DeviceClass,
  prepareForCreate: (deviceClass) => dropExtendedResource(deviceClass),
  prepareForUpdate: dropExtendedResource,
  validate: (deviceClass, expressions) => validateDeviceClass(deviceClass, undefined, expressions),
  validateUpdate: validateDeviceClass,
  hasExpressions: deviceClassHasExpressions,
  generation: (deviceClass, old) => !equal(deviceClass.spec, old.spec),
  columns: [ageColumn],
});
