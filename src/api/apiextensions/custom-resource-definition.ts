/** upstream: apiextensions-apiserver/pkg/registry/customresourcedefinition/strategy.go. */
import { CustomResourceDefinition } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { createdAtColumns } from '../columns.ts';
import { keepSpec } from '../strategy.ts';
import {
  validateCustomResourceDefinition,
  validateCustomResourceDefinitionStatus,
  validateCustomResourceDefinitionUpdate,
  warningsForDefinition,
} from './custom-resource-definition-validation.ts';

function applyDefaults(definition: CustomResourceDefinition): void {
  const { spec } = definition;
  if (!spec) return;
  if (spec.names) {
    if (!spec.names.singular) spec.names.singular = (spec.names.kind ?? '').toLowerCase();
    if (!spec.names.listKind && spec.names.kind) spec.names.listKind = `${spec.names.kind}List`;
  }
  spec.conversion ??= { strategy: 'None' };
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service) service.port ??= 443;
  if (definition.status?.storedVersions?.length) return;
  const stored = spec.versions?.find((version) => version.storage);
  if (stored) definition.status = { ...definition.status, storedVersions: [stored.name] };
}

/** The version objects are written in from now on joins those they were written in before. */
function addStoredVersion(definition: CustomResourceDefinition): void {
  const stored = definition.spec?.versions?.find((version) => version.storage);
  const versions = definition.status?.storedVersions ?? [];
  if (stored && !versions.includes(stored.name)) definition.status = { ...definition.status, storedVersions: [...versions, stored.name] };
}

/** Observed generations are behind a feature gate that is off by default. */
function dropObservedGeneration({ status }: CustomResourceDefinition, old: CustomResourceDefinition): void {
  if (old.status?.observedGeneration || old.status?.conditions?.some((condition) => condition.observedGeneration)) return;
  if (status?.observedGeneration) delete status.observedGeneration;
  for (const condition of status?.conditions ?? []) if (condition.observedGeneration) delete condition.observedGeneration;
}

export const customResourceDefinitionRules = defineKind<CustomResourceDefinition>({
  kind: CustomResourceDefinition,
  applyDefaults,
  prepareForCreate: (definition) => {
    definition.status = {};
    addStoredVersion(definition);
  },
  prepareForUpdate: (definition, old) => {
    definition.status = { ...old.status };
    addStoredVersion(definition);
  },
  validate: validateCustomResourceDefinition,
  validateUpdate: validateCustomResourceDefinitionUpdate,
  warnings: warningsForDefinition,
  subresources: {
    status: {
      validateUpdate: validateCustomResourceDefinitionStatus,
      prepareForUpdate: (definition, old) => {
        keepSpec(definition, old);
        dropObservedGeneration(definition, old);
      },
    },
  },
  allowUnconditionalUpdate: false,
  columns: createdAtColumns,
});
