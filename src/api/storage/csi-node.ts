/** upstream: pkg/registry/storage/csinode/strategy.go. */
import { CSINode } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { byteLength, fieldImmutable } from '#machinery/names';
import { checkNonnegative, checkQualifiedName, duplicate, invalidField, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkCsiDriverName } from '../core/validation/volume-sources.ts';
import type { CSINodeDriver } from '../facts/types.ts';
import { same } from '../same.ts';
import { ageColumn, integer } from '../columns.ts';

const longestNodeID = 256;

function checkNodeDriver(errors: Errors, path: string, driver: Partial<CSINodeDriver>, names: Set<string>): void {
  const { name = '', nodeID = '', allocatable, topologyKeys } = driver;
  checkCsiDriverName(errors, `${path}.name`, name);
  if (!nodeID) errors.push(required(`${path}.nodeID`));
  if (byteLength(nodeID) > longestNodeID)
    errors.push(invalidField(`${path}.nodeID`, nodeID, `must be ${longestNodeID} characters or less`));
  checkNonnegative(errors, `${path}.allocatable.count`, allocatable?.count);
  if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
  names.add(name);
  const keys = new Set<string>();
  for (const key of topologyKeys ?? []) {
    if (!key) errors.push(required(path));
    if (keys.has(key)) errors.push(duplicate(path, key));
    keys.add(key);
    checkQualifiedName(errors, path, key);
  }
}

function validateCSINode({ spec }: CSINode): Errors {
  const errors: Errors = [];
  const names = new Set<string>();
  for (const [index, driver] of (spec?.drivers ?? []).entries()) checkNodeDriver(errors, `spec.drivers[${index}]`, driver, names);
  return errors;
}

/** A driver may change how much it can hold, nothing else. */
function validateCSINodeUpdate(node: CSINode, old: CSINode): Errors {
  const errors = validateCSINode(node);
  const constant = (driver: CSINodeDriver): CSINodeDriver => {
    const copy = { ...driver };
    delete copy.allocatable;
    return copy;
  };
  for (const before of old.spec?.drivers ?? [])
    for (const driver of node.spec?.drivers ?? [])
      if (driver.name === before.name && !same(constant(driver), constant(before)))
        errors.push(invalidField('spec.drivers', constant(driver), fieldImmutable));
  return errors;
}

export const csiNodeRules = defineKind<CSINode>({
  kind: CSINode,
  validate: validateCSINode,
  validateUpdate: validateCSINodeUpdate,
  allowUnconditionalUpdate: false,
  columns: [integer('Drivers', (node) => node.spec?.drivers?.length ?? 0), ageColumn],
});
