/**
 * upstream: apiextensions-apiserver/pkg/apis/apiextensions/validation. There what all versions have in common stands once, at the top;
 * errors name those places (spec.validation), so they do here.
 */
import { byteLength, isDNS1035Label, isDNS1123Subdomain } from '#machinery/names';
import { checkImmutable, checkOneOf, duplicate, forbiddenField, invalidField, invalidFor, required, tooMany } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { CustomResourceDefinition } from '../facts/kinds.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceConversion,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
  CustomResourceValidation,
  SelectableField,
} from '../facts/types.ts';
import { same } from '../same.ts';
import { checkWebhookService, checkWebhookUrl } from '../webhook-client.ts';
import { findField } from './field-path.ts';
import { checkSchema, checksFor } from './schema-validation.ts';
import type { SchemaChecks } from './schema-validation.ts';
import { schemaHas, unsupportedField } from './schema-walk.ts';
import type { Schema } from './schema-walk.ts';
import { validateStructural } from './structural-validation.ts';

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const reviewVersions = ['v1', 'v1beta1'];
const mostSelectableFields = 8;
const longestWarning = 256;
export const approvalAnnotation = 'api-approved.kubernetes.io';

interface Checks extends SchemaChecks {
  /** Every version has a schema. */
  schemas: boolean;
  structural: boolean;
  reviewVersion: boolean;
  immutableNames: boolean;
  /** Names of versions that may keep more selectable fields than is allowed; '' for all together. */
  manyFields: ReadonlySet<string>;
}

const schemaOfVersion = (version: CustomResourceDefinitionVersion): Schema | undefined => version.schema?.openAPIV3Schema;

export function isEstablished({ status }: CustomResourceDefinition): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Established' && value === 'True') ?? false;
}

/** upstream: ValidateCustomResourceDefinitionNames. */
function checkNames(errors: Errors, path: string, names: Partial<CustomResourceDefinitionNames>): void {
  const check = (field: string, name: string | undefined, prefix = ''): void => {
    const wrong = name ? isDNS1035Label(prefix ? name.toLowerCase() : name) : [];
    if (wrong.length) errors.push(invalidField(`${path}.${field}`, name, prefix + wrong.join(',')));
  };
  const mixed = 'may have mixed case, but should otherwise match: ';
  check('plural', names.plural);
  check('singular', names.singular);
  check('kind', names.kind, mixed);
  check('listKind', names.listKind, mixed);
  for (const [index, name] of (names.shortNames ?? []).entries()) {
    const wrong = isDNS1035Label(name);
    if (wrong.length) errors.push(invalidField(`${path}.shortNames[${index}]`, name, wrong.join(',')));
  }
  if (names.kind && names.kind === names.listKind)
    errors.push(invalidField(`${path}.listKind`, names.listKind, 'kind and listKind may not be the same'));
  for (const [index, category] of (names.categories ?? []).entries()) {
    const wrong = isDNS1035Label(category);
    if (wrong.length) errors.push(invalidField(`${path}.categories[${index}]`, category, wrong.join(',')));
  }
}

function jsonPathProblem(path: string): string | undefined {
  return path.startsWith('.') ? undefined : 'must be a simple json path starting with .';
}

function checkSubresources(errors: Errors, path: string, subresources: CustomResourceSubresources | undefined): void {
  const scale = subresources?.scale;
  if (!scale) return;
  const check = (field: 'specReplicasPath' | 'statusReplicasPath' | 'labelSelectorPath', prefixes: string[], where: string): void => {
    const value = scale[field];
    if (!value) {
      if (field !== 'labelSelectorPath') errors.push(required(`${path}.scale.${field}`));
      return;
    }
    const problem =
      jsonPathProblem(value) ?? (prefixes.some((prefix) => value.startsWith(prefix)) ? undefined : `should be a json path under ${where}`);
    if (problem) errors.push(invalidField(`${path}.scale.${field}`, value, problem));
  };
  check('specReplicasPath', ['.spec.'], '.spec');
  check('statusReplicasPath', ['.status.'], '.status');
  check('labelSelectorPath', ['.spec.', '.status.'], 'either .spec or .status');
}

function checkColumn(errors: Errors, path: string, column: Partial<CustomResourceColumnDefinition>): void {
  const { name, type, format, jsonPath } = column;
  const oneOf = (list: string[]): string => `must be one of ${list.join(',')}`;
  if (!name) errors.push(required(`${path}.name`));
  if (!type) errors.push(required(`${path}.type`, oneOf(columnTypes)));
  else if (!columnTypes.includes(type)) errors.push(invalidField(`${path}.type`, type, oneOf(columnTypes)));
  if (format && !columnFormats.includes(format)) errors.push(invalidField(`${path}.format`, format, oneOf(columnFormats)));
  const problem = jsonPath && jsonPathProblem(jsonPath);
  if (!jsonPath) errors.push(required(`${path}.JSONPath`));
  else if (problem) errors.push(invalidField(`${path}.JSONPath`, jsonPath, problem));
}

function checkSelectableFields(errors: Errors, path: string, fields: readonly SelectableField[], schema: Schema, mayBeMany: boolean): void {
  const found = new Set<string>();
  for (const [index, { jsonPath }] of (fields as Partial<SelectableField>[]).entries()) {
    const at = `${path}[${index}].jsonPath`;
    if (!jsonPath) {
      errors.push(required(at));
      continue;
    }
    const field = findField(jsonPath, schema, false);
    if ('problem' in field) {
      errors.push(invalidField(at, jsonPath, `is an invalid path: ${field.problem}`));
      continue;
    }
    if (field.names[0] === 'metadata') errors.push(invalidField(at, jsonPath, 'must not point to fields in metadata'));
    if (!['string', 'boolean', 'integer'].includes(field.schema?.type ?? ''))
      errors.push(
        invalidField(
          at,
          jsonPath,
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        ),
      );
    const key = field.names.join('.');
    if (found.has(key)) errors.push(duplicate(at, jsonPath));
    found.add(key);
  }
  if (found.size > mostSelectableFields && !mayBeMany) errors.push(tooMany(path, found.size, mostSelectableFields));
}

/** The names upstream has for the fields that may stand at the root beside a status subresource. */
const rootFields =
  'Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations';
const mayStandAtRoot = new Set([
  ...rootFields.split(' ').map((name) => name.charAt(0).toLowerCase() + name.slice(1)),
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-validations',
]);

function checkRoot(errors: Errors, path: string, schema: Schema): void {
  for (const [field, value] of Object.entries(schema)) {
    if (value == null || value === '' || value === false || mayStandAtRoot.has(field)) continue;
    errors.push(
      invalidField(path, schema, `only [${rootFields}] fields are allowed at the root of the schema if the status subresource is enabled`),
    );
    break;
  }
  if (schema.type && schema.type !== 'object')
    errors.push(
      invalidField(
        `${path}.type`,
        schema.type,
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
      ),
    );
}

/** upstream: validateCustomResourceDefinitionValidation. */
function checkValidation(
  errors: Errors,
  path: string,
  validation: CustomResourceValidation | undefined,
  hasStatus: boolean,
  checks: Checks,
): void {
  const schema = validation?.openAPIV3Schema;
  if (!schema) return;
  const at = `${path}.openAPIV3Schema`;
  if (hasStatus) checkRoot(errors, at, schema);
  if (schema.nullable) errors.push(forbiddenField(`${at}.nullable`, 'nullable cannot be true at the root'));
  const problem = checks.structural ? unsupportedField(schema) : undefined;
  if (checks.structural && !problem) errors.push(...validateStructural(schema, at));
  const wrong: Errors = [];
  checkSchema(wrong, at, schema, checks);
  errors.push(...wrong);
  if (problem && errors.length === 0) errors.push(invalidField(at, '', problem));
}

function warningProblems(version: CustomResourceDefinitionVersion): string[] {
  const { deprecated, deprecationWarning: warning } = version;
  if (warning === undefined) return [];
  if (!deprecated) return ['can only be set for deprecated versions'];
  const problems: string[] = [];
  if (byteLength(warning) > longestWarning) problems.push(`must be <= ${longestWarning} characters long`);
  if (!warning) problems.push('must not be an empty string');
  // Of what is no space, Go prints letters, marks, numbers, punctuation and symbols.
  const odd = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(warning);
  if (odd)
    problems.push(
      `must only contain printable UTF-8 characters; non-printable character found at index ${byteLength(warning.slice(0, odd.index))}`,
    );
  return problems;
}

function checkVersion(errors: Errors, path: string, version: CustomResourceDefinitionVersion, isTop: Tops, checks: Checks): void {
  for (const problem of warningProblems(version))
    errors.push(invalidField(`${path}.deprecationWarning`, version.deprecationWarning, problem));
  const hasStatus = version.subresources?.status != null;
  if (!isTop.schema) checkValidation(errors, `${path}.schema`, version.schema, hasStatus, checks);
  if (!isTop.subresources) checkSubresources(errors, `${path}.subresources`, version.subresources);
  if (!isTop.additionalPrinterColumns)
    for (const [index, column] of (version.additionalPrinterColumns ?? []).entries())
      checkColumn(errors, `${path}.additionalPrinterColumns[${index}]`, column);
  if (isTop.selectableFields || !version.selectableFields?.length) return;
  const schema = isTop.schema ? undefined : schemaOfVersion(version);
  if (!schema)
    errors.push(invalidField(`${path}.selectableFields`, '', 'may only be set when `version.schema.openAPIV3Schema` is not included'));
  else {
    const mayBeMany = checks.manyFields.has(version.name);
    checkSelectableFields(errors, `${path}.selectableFields`, version.selectableFields, schema, mayBeMany);
  }
}

const perVersion = ['schema', 'subresources', 'additionalPrinterColumns', 'selectableFields'] as const;
/** Which parts all versions have in common: upstream keeps those once, at the top. */
type Tops = Record<(typeof perVersion)[number], boolean>;

const topsOf = (versions: readonly CustomResourceDefinitionVersion[]): Tops =>
  Object.fromEntries(perVersion.map((field) => [field, versions.every((version) => same(version[field], versions[0]?.[field]))])) as Tops;

function checkConversion(errors: Errors, path: string, conversion: CustomResourceConversion | undefined, checks: Checks): void {
  if (!conversion) return;
  const { strategy, webhook } = conversion;
  const client = webhook?.clientConfig;
  const versions = webhook?.conversionReviewVersions ?? [];
  checkOneOf(errors, `${path}.strategy`, strategy, ['None', 'Webhook']);
  const at = `${path}.webhookClientConfig`;
  if (strategy !== 'Webhook') {
    const detail = 'should not be set when strategy is not set to Webhook';
    if (client) errors.push(forbiddenField(at, detail));
    if (versions.length) errors.push(forbiddenField(`${path}.conversionReviewVersions`, detail));
    return;
  }
  if (!client) errors.push(required(at, 'required when strategy is set to Webhook'));
  else if ((client.url === undefined) === (client.service === undefined))
    errors.push(required(at, 'exactly one of url or service is required'));
  else if (client.url !== undefined) checkWebhookUrl(errors, `${at}.url`, client.url);
  else if (client.service) checkWebhookService(errors, `${at}.service`, client.service);
  checkReviewVersions(errors, `${path}.conversionReviewVersions`, versions, checks.reviewVersion);
}

/** Admission webhooks have the same list. */
export function checkReviewVersions(errors: Errors, path: string, versions: readonly string[], mustKnow: boolean): void {
  if (versions.length === 0) {
    errors.push(required(path));
    return;
  }
  for (const [index, version] of versions.entries()) {
    if (versions.indexOf(version) < index) errors.push(invalidField(`${path}[${index}]`, version, 'duplicate version'));
    else invalidFor(errors, `${path}[${index}]`, version, isDNS1035Label(version));
  }
  if (mustKnow && !versions.some((version) => reviewVersions.includes(version)))
    errors.push(invalidField(path, versions, `must include at least one of ${reviewVersions.join(', ')}`));
}

const hasExtensions = (schema: Schema): boolean =>
  Boolean(schema['x-kubernetes-embedded-resource']) ||
  schema['x-kubernetes-preserve-unknown-fields'] !== undefined ||
  Boolean(schema['x-kubernetes-int-or-string']) ||
  Boolean(schema['x-kubernetes-list-map-keys']?.length) ||
  schema['x-kubernetes-list-type'] !== undefined ||
  Boolean(schema['x-kubernetes-validations']?.length);

function checkGroup(errors: Errors, group: string | undefined): void {
  if (!group) {
    errors.push(required('spec.group'));
    return;
  }
  const wrong = isDNS1123Subdomain(group);
  if (wrong.length) errors.push(invalidField('spec.group', group, wrong.join(',')));
  else if (!group.includes('.')) errors.push(invalidField('spec.group', group, 'should be a domain with at least one dot'));
}

function checkSpec(errors: Errors, spec: Partial<CustomResourceDefinitionSpec>, asked: Checks): void {
  const { versions = [], preserveUnknownFields: preserves = false } = spec;
  const names: Partial<CustomResourceDefinitionNames> = spec.names ?? {};
  checkGroup(errors, spec.group);
  checkOneOf(errors, 'spec.scope', spec.scope, ['Cluster', 'Namespaced']);
  const tops = topsOf(versions);
  const hasDefaults = versions.some((version) => schemaHas(schemaOfVersion(version), (schema) => schema.default != null));
  const structural =
    asked.structural || !preserves || hasDefaults || versions.some((version) => schemaHas(schemaOfVersion(version), hasExtensions));
  const checks: Checks = { ...asked, structural };
  for (const [index, version] of versions.entries()) {
    const at = `spec.versions[${index}].schema.openAPIV3Schema`;
    if (schemaOfVersion(version)) continue;
    if (checks.schemas) errors.push(required(at));
    else if (!preserves && version.served) errors.push(required(at, 'because otherwise all fields are pruned'));
  }
  if (hasDefaults && preserves)
    errors.push(invalidField('spec.preserveUnknownFields', true, 'must be false in order to use defaults in the schema'));
  for (const [index, version] of versions.entries()) {
    const wrong = isDNS1035Label(version.name ?? '');
    if (wrong.length) errors.push(invalidField(`spec.versions[${index}].name`, version.name ?? '', wrong.join(',')));
    checkVersion(errors, `spec.versions[${index}]`, version, tops, checks);
  }
  if (new Set(versions.map(({ name }) => name)).size < versions.length)
    errors.push(invalidField('spec.versions', versions, 'must contain unique version names'));
  if (versions.filter(({ storage }) => storage).length !== 1)
    errors.push(invalidField('spec.versions', versions, 'must have exactly one version marked as storage version'));
  const [first] = versions;
  if (first?.name) {
    const wrong = isDNS1035Label(first.name);
    if (wrong.length) errors.push(invalidField('spec.version', first.name, wrong.join(',')));
  }
  for (const field of ['plural', 'singular', 'kind', 'listKind'] as const) if (!names[field]) errors.push(required(`spec.names.${field}`));
  checkNames(errors, 'spec.names', names);
  if (first) checkTops(errors, first, versions, tops, checks);
  if (spec.conversion && spec.conversion.strategy !== 'None' && preserves)
    errors.push(invalidField('spec.conversion.strategy', spec.conversion.strategy, 'must be None if spec.preserveUnknownFields is true'));
  checkConversion(errors, 'spec.conversion', spec.conversion, checks);
}

/** What upstream has at the top. */
function checkTops(
  errors: Errors,
  first: CustomResourceDefinitionVersion,
  versions: readonly CustomResourceDefinitionVersion[],
  tops: Tops,
  checks: Checks,
): void {
  const hasStatus = versions.some(({ subresources }) => subresources?.status != null);
  if (tops.schema) checkValidation(errors, 'spec.validation', first.schema, hasStatus, checks);
  if (tops.subresources) checkSubresources(errors, 'spec.subresources', first.subresources);
  if (tops.additionalPrinterColumns)
    for (const [index, column] of (first.additionalPrinterColumns ?? []).entries())
      checkColumn(errors, `spec.additionalPrinterColumns[${index}]`, column);
  if (!tops.selectableFields || !first.selectableFields?.length) return;
  const schema = tops.schema ? schemaOfVersion(first) : undefined;
  if (!schema) errors.push(invalidField('spec.selectableFields', '', 'may only be set when validations.schema is included'));
  else checkSelectableFields(errors, 'spec.selectableFields', first.selectableFields, schema, checks.manyFields.has(''));
}

function checkStoredVersions(errors: Errors, { spec, status }: CustomResourceDefinition): void {
  const path = 'status.storedVersions';
  const stored = status?.storedVersions ?? [];
  const versions = spec?.versions ?? [];
  if (stored.length === 0) {
    errors.push(invalidField(path, stored, 'must have at least one stored version'));
    return;
  }
  // A version that is there twice is told of the second time.
  const left = new Set(stored);
  for (const { name, storage } of versions)
    if (!left.delete(name) && storage) errors.push(invalidField(path, stored, `must have the storage version ${name}`));
  for (const [index, name] of stored.entries())
    if (left.has(name))
      errors.push(
        invalidField(
          `${path}[${index}]`,
          name,
          `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
        ),
      );
}

export const isProtectedGroup = (group: string): boolean => /(^|\.)(k8s|kubernetes)\.io$/.test(group);

/** What the annotation says about a review of the API, and why it counts as that. upstream: apihelpers.GetAPIApprovalState. */
export function approvalOf({ metadata }: CustomResourceDefinition): {
  state: 'missing' | 'bypassed' | 'approved' | 'invalid';
  reason: string;
} {
  const text = metadata?.annotations?.[approvalAnnotation] ?? '';
  const wanted = `protected groups must have approval annotation ${JSON.stringify(approvalAnnotation)}`;
  const link = 'see https://github.com/kubernetes/enhancements/pull/1111';
  if (!text) return { state: 'missing', reason: `${wanted}, ${link}` };
  if (text.startsWith('unapproved')) return { state: 'bypassed', reason: `not approved: ${JSON.stringify(text)}` };
  if (/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/?#\s]+[^\s]*$/.test(text)) return { state: 'approved', reason: `approved in ${text}` };
  return { state: 'invalid', reason: `${wanted} with either a URL or a reason starting with "unapproved", ${link}` };
}

function checkApproval(errors: Errors, definition: CustomResourceDefinition, old?: CustomResourceDefinition): void {
  if (!isProtectedGroup(definition.spec?.group ?? '')) return;
  const { state, reason } = approvalOf(definition);
  if (old && approvalOf(old).state === state) return;
  const path = `metadata.annotations[${approvalAnnotation}]`;
  if (state === 'missing') errors.push(required(path, reason));
  else if (state === 'invalid') errors.push(invalidField(path, definition.metadata?.annotations?.[approvalAnnotation], reason));
}

function checkRest(errors: Errors, definition: CustomResourceDefinition, old?: CustomResourceDefinition): Errors {
  const { metadata, spec, status } = definition;
  const name = metadata?.name ?? '';
  if (!old && name !== `${spec?.names?.plural ?? ''}.${spec?.group ?? ''}`)
    errors.unshift(invalidField('metadata.name', name, 'must be spec.names.plural+"."+spec.group'));
  checkNames(errors, 'status.acceptedNames', status?.acceptedNames ?? {});
  checkStoredVersions(errors, definition);
  checkApproval(errors, definition, old);
  if (spec?.preserveUnknownFields && !old?.spec?.preserveUnknownFields)
    errors.push(
      invalidField(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    );
  return errors;
}

export function validateCustomResourceDefinition(definition: CustomResourceDefinition): Errors {
  const errors: Errors = [];
  checkSpec(errors, definition.spec ?? {}, {
    validTypes: true,
    atomicSets: true,
    listMapKeys: true,
    schemas: true,
    structural: true,
    reviewVersion: true,
    immutableNames: false,
    manyFields: new Set(),
  });
  return checkRest(errors, definition);
}

/** Versions whose too many selectable fields are the stored ones. */
function manyFieldsOf(spec: CustomResourceDefinitionSpec, old: CustomResourceDefinitionSpec): Set<string> {
  const names = new Set<string>();
  for (const version of spec.versions ?? []) {
    const before = old.versions?.find(({ name }) => name === version.name)?.selectableFields ?? [];
    if (before.length > mostSelectableFields && same(version.selectableFields, before)) names.add(version.name);
  }
  if (names.size > 0 && names.size === spec.versions.length) names.add('');
  return names;
}

export function validateCustomResourceDefinitionUpdate(definition: CustomResourceDefinition, old: CustomResourceDefinition): Errors {
  const errors: Errors = [];
  const schemas = (old.spec?.versions ?? []).map(schemaOfVersion);
  const before = old.spec?.conversion?.webhook?.conversionReviewVersions ?? [];
  const { spec } = definition;
  const immutableNames = isEstablished(old);
  checkSpec(errors, spec ?? {}, {
    ...checksFor(schemas),
    schemas: schemas.every(Boolean),
    structural: schemas.every((schema) => !schema || (!unsupportedField(schema) && validateStructural(schema, '').length === 0)),
    reviewVersion: before.length === 0 || before.some((version) => reviewVersions.includes(version)),
    immutableNames,
    manyFields: spec && old.spec ? manyFieldsOf(spec, old.spec) : new Set(),
  });
  if (immutableNames) {
    checkImmutable(errors, 'spec.scope', spec?.scope, old.spec?.scope);
    checkImmutable(errors, 'spec.names.kind', spec?.names?.kind, old.spec?.names?.kind);
  }
  checkImmutable(errors, 'spec.group', spec?.group, old.spec?.group);
  checkImmutable(errors, 'spec.names.plural', spec?.names?.plural, old.spec?.names?.plural);
  return checkRest(errors, definition, old);
}

export function validateCustomResourceDefinitionStatus({ status }: CustomResourceDefinition): Errors {
  const errors: Errors = [];
  checkNames(errors, 'status.acceptedNames', status?.acceptedNames ?? {});
  return errors;
}

const formats = new Set(
  `bsonobjectid uri email hostname ipv4 ipv6 cidr mac uuid uuid3 uuid4 uuid5 isbn isbn10 isbn13 creditcard ssn hexcolor rgbcolor byte
  password date duration datetime k8sshortname k8slongname`.split(/\s+/),
);

function unknownFormats({ spec }: CustomResourceDefinition): string[] {
  const found: string[] = [];
  const versions = spec?.versions ?? [];
  const list = topsOf(versions).schema ? versions.slice(0, 1) : versions;
  for (const version of list)
    schemaHas(schemaOfVersion(version), ({ format, type }) => {
      if (format && type === 'string' && !formats.has(format.replaceAll('-', ''))) found.push(format);
      return false;
    });
  return found;
}

export function warningsForDefinition(definition: CustomResourceDefinition, old?: CustomResourceDefinition): string[] {
  const before = new Set(old ? unknownFormats(old) : []);
  return unknownFormats(definition)
    .filter((format) => !before.has(format))
    .map((format) => `unrecognized format ${JSON.stringify(format)}`);
}
