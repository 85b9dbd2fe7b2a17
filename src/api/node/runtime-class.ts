/** upstream: pkg/registry/node/runtimeclass/strategy.go. */
import { RuntimeClass } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { nameIsDNSLabel } from '#machinery/names';
import { checkImmutable, checkLabels, duplicate, invalidFor } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { ageColumn, text } from '../columns.ts';
import { nodeLabelDeprecation } from '../core/node-label-warnings.ts';
import { checkTolerations } from '../core/validation/scheduling.ts';
import { checkResources } from '../core/validation/resources.ts';
import { canonicalResources } from '../core/resource-list.ts';

function validateRuntimeClass({ handler = '', overhead, scheduling }: Partial<RuntimeClass>): Errors {
  const errors: Errors = [];
  invalidFor(errors, 'handler', handler, nameIsDNSLabel(handler, false));
  if (overhead?.podFixed) checkResources(errors, 'overhead', { limits: overhead.podFixed });
  if (!scheduling) return errors;
  checkLabels(errors, 'scheduling.nodeSelector', scheduling.nodeSelector);
  const path = 'scheduling.tolerations';
  const { tolerations = [] } = scheduling;
  checkTolerations(errors, path, tolerations);
  const seen = new Set<string>();
  for (const [index, toleration] of tolerations.entries()) {
    const { key = '', operator = '', value = '', effect = '', tolerationSeconds = null } = toleration;
    const identity = { Key: key, Operator: operator, Value: value, Effect: effect };
    const text = JSON.stringify(identity);
    // Upstream's internal type has other names than its API.
    if (seen.has(text)) errors.push(duplicate(`${path}[${index}]`, { ...identity, TolerationSeconds: tolerationSeconds }));
    seen.add(text);
  }
  return errors;
}

export const runtimeClassRules = defineKind<RuntimeClass>({
  kind: RuntimeClass,
  applyDefaults: (runtimeClass) => {
    if (runtimeClass.overhead?.podFixed) canonicalResources(runtimeClass.overhead.podFixed);
  },
  validate: validateRuntimeClass,
  validateUpdate: (runtimeClass, old) => {
    const errors = validateRuntimeClass(runtimeClass);
    checkImmutable(errors, 'handler', runtimeClass.handler, old.handler);
    return errors;
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
