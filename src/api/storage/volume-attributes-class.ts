/** upstream: pkg/registry/storage/volumeattributesclass/strategy.go. */
import { VolumeAttributesClass } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';

export const volumeAttributesClassRules = defineKind<VolumeAttributesClass>({
  kind: VolumeAttributesClass,
  columns: [text('DriverName', (attributes) => attributes.driverName), ageColumn],
});
