/** What holds for the objects of one version of a custom resource. upstream: apiextensions-apiserver/pkg/registry/customresource/strategy.go. */
import type { CustomResourceDefinition, CustomResourceDefinitionVersion, Kind, KindRules } from '#api';
import { draft, equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { isQualifiedName } from '#machinery/names';
import { invalidField } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { columnsFor } from './columns.ts';
import { checkEmbedded } from './embedded.ts';
import type { ExpressionRules } from './expression-rules.ts';
import { jsonPath } from './json-path.ts';
import { checkListTypes } from './list-types.ts';
import { checkScaleSpec, checkScaleStatus, scaleRules } from './scale.ts';
import type { Schema } from './schema.ts';
import { applyDefaults, prune } from './structure.ts';
import { validateSchema } from './validation.ts';

/** After these, rules about values are not asked: what they rely on is not there. */
const blocking = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);
const notAsked: FieldError = {
  type: 'FieldValueInvalid',
  field: '<nil>',
  message:
    'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
};
const standardFinalizers = ['orphan', 'foregroundDeletion', 'kubernetes'];

/** The schema of every version by its apiVersion: what is read from the store may be in any of them. */
export type Schemas = ReadonlyMap<string, Schema>;

export function rulesOf(
  kind: Kind,
  version: CustomResourceDefinitionVersion,
  schemas: Schemas,
  expressions: ExpressionRules | undefined,
): KindRules {
  const schema = schemas.get(kind.apiVersion)!;
  const { status, scale } = version.subresources ?? {};
  const statusSchema = schema.properties?.['status'];
  const withExpressions = (errors: FieldError[], object: KubeObject, old?: KubeObject): FieldError[] => {
    if (!expressions) return errors;
    if (errors.some(({ type }) => blocking.has(type))) return [...errors, notAsked];
    return [...errors, ...expressions.check(object, old)];
  };
  const listErrors = (object: KubeObject, old: KubeObject): FieldError[] => {
    const errors = checkListTypes(object, schema);
    return errors.length > 0 && checkListTypes(old, schema).length === 0 ? errors : [];
  };
  return {
    kind,
    applyDefaults(object) {
      const own = schemas.get(object.apiVersion ?? '') ?? schema;
      prune(object as Record<string, unknown>, own);
      applyDefaults(object, own);
    },
    // Without a subresource for it, the status counts as anything else does.
    generation: (object, old) => !equal({ ...object, metadata: {} }, { ...old, metadata: {} }),
    allowUnconditionalUpdate: false,
    validate: (object) =>
      withExpressions(
        [
          ...checkKind(object, kind),
          ...validateSchema(object, schema),
          ...checkScaleSpec(object, scale),
          ...checkScaleStatus(object, scale),
          ...checkEmbedded(object, schema),
          ...checkListTypes(object, schema),
        ],
        object,
      ),
    validateUpdate: (object, old) =>
      withExpressions(
        [
          ...checkKind(object, kind),
          ...validateSchema(object, schema, '', { value: old }),
          ...checkScaleSpec(object, scale),
          ...checkScaleStatus(object, scale),
          ...checkEmbedded(object, schema),
          ...listErrors(object, old),
        ],
        object,
        old,
      ),
    warnings: (object, old) => finalizerWarnings(object, old),
    columns: columnsFor(version.additionalPrinterColumns),
    ...(scale && { scale: scaleRules(scale) }),
    ...(version.selectableFields?.length && { selectableFields: selectableFieldsOf(version) }),
    ...(status && {
      subresources: {
        status: {
          prepareForUpdate(object, old) {
            const target = object as Record<string, unknown>;
            const { status: given } = target;
            const managedFields = object.metadata?.managedFields;
            for (const key of Object.keys(target)) delete target[key];
            Object.assign(target, draft(old));
            if (managedFields) object.metadata!.managedFields = managedFields;
            else delete object.metadata!.managedFields;
            if (given === undefined) delete target['status'];
            else target['status'] = given;
          },
          validateUpdate(object, old) {
            const { status: given } = object as { status?: unknown };
            const before = (old as { status?: unknown }).status;
            const errors =
              given === undefined || !statusSchema
                ? []
                : validateSchema(given, statusSchema, 'status', before === undefined ? undefined : { value: before });
            return withExpressions([...errors, ...checkScaleStatus(object, scale), ...listErrors(object, old)], object, old);
          },
        },
      },
    }),
  };
}

const checkKind = (object: KubeObject, { kind }: Kind): FieldError[] =>
  object.kind === kind ? [] : [invalidField('kind', object.kind ?? '', `must be ${kind}`)];

function selectableFieldsOf(version: CustomResourceDefinitionVersion): Record<string, (object: KubeObject) => string> {
  return Object.fromEntries(
    version.selectableFields!.map(({ jsonPath: text }) => {
      const path = jsonPath(text);
      return [
        text.replace(/^\./, ''),
        (object: KubeObject) => {
          const [value] = path(object);
          return value === undefined || value === null ? '' : String(value as string | number | boolean);
        },
      ];
    }),
  );
}

function finalizerWarnings(object: KubeObject, old: KubeObject | undefined): string[] {
  const before = new Set(old?.metadata?.finalizers);
  const warnings: string[] = [];
  for (const finalizer of [...new Set(object.metadata?.finalizers)].filter((each) => !before.has(each)).sort()) {
    const about = `metadata.finalizers: ${JSON.stringify(finalizer)}`;
    warnings.push(...isQualifiedName(finalizer).map((problem) => `${about}: ${problem}`));
    if (finalizer.includes('/') || standardFinalizers.includes(finalizer)) continue;
    warnings.push(
      `${about}: prefer a domain-qualified finalizer name ${finalizer.includes('.') ? 'including a path (/) ' : ''}to avoid accidental conflicts with other finalizer writers`,
    );
  }
  return warnings;
}

/** The schema of each version; one that has none keeps everything. */
export function schemasOf(definition: CustomResourceDefinition): Map<string, Schema> {
  return new Map(
    definition.spec.versions.map(({ name, schema }) => {
      const own = schema?.openAPIV3Schema ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
      // Kept from before version 1 of the API, where it was a switch for the whole.
      const whole = definition.spec.preserveUnknownFields ? { ...own, 'x-kubernetes-preserve-unknown-fields': true } : own;
      return [`${definition.spec.group}/${name}`, whole];
    }),
  );
}
