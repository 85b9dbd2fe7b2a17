/** upstream: pkg/registry/storage/storageclass/strategy.go. */
import { StorageClass } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { validateLabelName } from '#machinery/names';
import { checkImmutable, duplicate, forbiddenField, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { TopologySelectorTerm } from '../facts/types.ts';
import { same } from '../same.ts';
import { checkDriver, checkParameters } from './parameters.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { nodeLabelDeprecation } from '../core/node-label-warnings.ts';

const isDefault = (storageClass: StorageClass): boolean =>
  ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'].some(
    (annotation) => storageClass.metadata?.annotations?.[annotation] === 'true',
  );

function warnings(storageClass: StorageClass): string[] {
  const texts: string[] = [];
  for (const [index, topology] of (storageClass.allowedTopologies ?? []).entries())
    for (const [position, { key }] of (topology.matchLabelExpressions ?? []).entries()) {
      const message = nodeLabelDeprecation(key);
      if (message) texts.push(`allowedTopologies[${index}].matchLabelExpressions[${position}].key: ${message}`);
    }
  return texts;
}

const reclaimPolicies = ['Delete', 'Retain'];
const bindingModes = ['Immediate', 'WaitForFirstConsumer'];

/** upstream: ValidateTopologySelectorTerm. */
function checkTerm(errors: Errors, path: string, term: TopologySelectorTerm): void {
  const keys = new Set<string>();
  for (const [index, { key = '', values }] of ((term.matchLabelExpressions ?? []) as { key?: string; values?: string[] }[]).entries()) {
    const at = `${path}.matchLabelExpressions[${index}]`;
    if (!values?.length) errors.push(required(`${at}.values`));
    for (const [position, value] of (values ?? []).entries())
      if (values!.indexOf(value) < position) errors.push(duplicate(`${at}.values[${position}]`, value));
    errors.push(...validateLabelName(key, `${at}.key`));
    if (keys.has(key)) errors.push(duplicate(`${at}.key`, key));
    keys.add(key);
  }
}

/** What a term chooses, whatever the order in which it says it. */
const meaning = (term: TopologySelectorTerm): string =>
  JSON.stringify(
    Object.fromEntries(
      (term.matchLabelExpressions ?? [])
        .map(({ key, values }) => [key, [...new Set(values)].sort()] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  );

function validateStorageClass(storageClass: StorageClass): Errors {
  const errors: Errors = [];
  const { provisioner, parameters, reclaimPolicy, volumeBindingMode: mode, allowedTopologies: topologies = [] } = storageClass;
  checkDriver(errors, 'provisioner', provisioner);
  checkParameters(errors, 'parameters', parameters);
  if (reclaimPolicy && !reclaimPolicies.includes(reclaimPolicy)) errors.push(unsupported('reclaimPolicy', reclaimPolicy, reclaimPolicies));
  if (mode === undefined) errors.push(required('volumeBindingMode'));
  else if (!bindingModes.includes(mode)) errors.push(unsupported('volumeBindingMode', mode, bindingModes));
  // Upstream compares with terms that it has not got to, which are empty: an empty term is always there already.
  const seen = new Set<string>([meaning({})]);
  for (const [index, term] of topologies.entries()) {
    checkTerm(errors, `allowedTopologies[${index}]`, term);
    const key = meaning(term);
    if (seen.has(key)) errors.push(duplicate(`allowedTopologies[${index}].matchLabelExpressions`, ''));
    seen.add(key);
  }
  return errors;
}

function validateStorageClassUpdate(storageClass: StorageClass, old: StorageClass): Errors {
  const errors = validateStorageClass(storageClass);
  for (const field of ['parameters', 'provisioner', 'reclaimPolicy'] as const)
    if (!same(storageClass[field], old[field])) errors.push(forbiddenField(field, `updates to ${field} are forbidden.`));
  checkImmutable(errors, 'volumeBindingMode', storageClass.volumeBindingMode, old.volumeBindingMode);
  return errors;
}

export const storageClassRules = defineKind<StorageClass>({
  kind: StorageClass,
  applyDefaults: (storageClass) => {
    storageClass.reclaimPolicy ??= 'Delete';
    storageClass.volumeBindingMode ??= 'Immediate';
  },
  validate: validateStorageClass,
  validateUpdate: validateStorageClassUpdate,
  warnings,
  columns: [
    { ...nameColumn, cell: (storageClass) => `${storageClass.metadata?.name ?? ''}${isDefault(storageClass) ? ' (default)' : ''}` },
    text('Provisioner', (storageClass) => storageClass.provisioner),
    text('ReclaimPolicy', (storageClass) => storageClass.reclaimPolicy ?? 'Delete'),
    text('VolumeBindingMode', (storageClass) => storageClass.volumeBindingMode ?? 'Immediate'),
    text('AllowVolumeExpansion', (storageClass) => storageClass.allowVolumeExpansion ?? false),
    ageColumn,
  ],
});
