/** upstream: pkg/registry/node/runtimeclass/strategy.go. */
import { RuntimeClass } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { nodeLabelDeprecation } from '../core/node-label-warnings.ts';
import { canonicalResources } from '../core/resource-list.ts';

export const runtimeClassRules = defineKind<RuntimeClass>({
  kind: RuntimeClass,
  applyDefaults: (runtimeClass) => {
    if (runtimeClass.overhead?.podFixed) canonicalResources(runtimeClass.overhead.podFixed);
  },
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  warnings: (runtimeClass) =>
    Object.keys(runtimeClass.scheduling?.nodeSelector ?? {}).flatMap((key) => {
      const message = nodeLabelDeprecation(key);
      return message ? [`scheduling.nodeSelector: ${message}`] : [];
    }),
  columns: [text('Handler', (runtimeClass) => runtimeClass.handler), ageColumn],
});
