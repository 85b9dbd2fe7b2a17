/** upstream: pkg/registry/flowcontrol/flowschema/strategy.go. */
import { FlowSchema } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { clearStatus, keepAllMetadata, keepSpec, keepStatus } from '../strategy.ts';
import { validateConditionTypes, validateFlowSchema } from './flow-schema-validation.ts';

export const flowSchemaRules = defineKind<FlowSchema>({
  kind: FlowSchema,
  statusResetFields: ['metadata', 'spec'],
  applyDefaults: (schema) => {
    const spec = (schema.spec ??= { priorityLevelConfiguration: { name: '' } });
    if (!spec.matchingPrecedence) spec.matchingPrecedence = 1000;
  },
  prepareForCreate: clearStatus,
  prepareForUpdate: keepStatus,
  validate: validateFlowSchema,
  validateUpdate: validateFlowSchema,
  subresources: {
    status: {
      validateUpdate: validateConditionTypes,
      prepareForUpdate: (schema, old) => {
        keepAllMetadata(schema, old);
        keepSpec(schema, old);
      },
    },
  },
  columns: [
    text('PriorityLevel', (schema) => schema.spec?.priorityLevelConfiguration?.name ?? ''),
    text('MatchingPrecedence', (schema) => schema.spec?.matchingPrecedence ?? 0),
    text('DistinguisherMethod', (schema) => schema.spec?.distinguisherMethod?.type ?? '<none>'),
    ageColumn,
    text('MissingPL', (schema) => schema.status?.conditions?.find((condition) => condition.type === 'Dangling')?.status ?? '?'),
  ],
});
