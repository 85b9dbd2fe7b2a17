/** What drivers offer. upstream: ValidateResourceSlice in pkg/apis/resource/validation. */
import { dns1123LabelMaxLength, isDNS1123Label, isValidLabelValue, nameIsDNSSubdomain, validateLabelName } from '#machinery/names';
import { parseQuantity } from '#machinery/quantity';
import { checkImmutable, checkLabel, forbiddenField, invalidField, invalidFor, required, tooLong, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkNodeSelector } from '../core/validation/node-selector.ts';
import { checkCsiDriverName } from '../core/validation/volume-sources.ts';
import type { ResourceSlice } from '../facts/kinds.ts';
import type {
  CapacityRequestPolicy,
  CounterSet,
  Device,
  DeviceAttribute,
  DeviceCapacity,
  DeviceTaint,
  Quantity,
  ResourceSliceSpec,
} from '../facts/types.ts';
import { same } from '../same.ts';
import { taintEffects } from './claim-validation.ts';
import { checkBinding, checkEach, checkMap, checkPoolName, checkQualified, checkUnique, longestAttributeKey } from './set-validation.ts';

const mostDevices = 128;
const mostDevicesWithTaints = 64;
const mostCounterSets = 8;
const mostCounters = 32;
const mostConsumptions = 2;
const mostAttributes = 32;
const mostTaints = 16;
const mostValidValues = 10;
const longestValue = 64;
const identifier = '(?:0|[1-9]\\d*)';
const preRelease = '(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)';
const version = new RegExp(
  `^${identifier}\\.${identifier}\\.${identifier}(?:-${preRelease}(?:\\.${preRelease})*)?(?:\\+[0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*)?$`,
);

/** Where a slice or a device is: one of these. */
interface Where {
  nodeName?: string;
  nodeSelector?: ResourceSliceSpec['nodeSelector'];
  allNodes?: boolean;
  perDeviceNodeSelection?: boolean;
}

/** Answers which are set. */
function checkWhere(errors: Errors, path: string, where: Where, emptyName: string): string[] {
  const given: string[] = [];
  const { nodeName, nodeSelector } = where;
  if (nodeName) {
    given.push('`nodeName`');
    invalidFor(errors, `${path}.nodeName`, nodeName, nameIsDNSSubdomain(nodeName, false));
  } else if (nodeName === '') errors.push(invalidField(`${path}.nodeName`, '', emptyName));
  if (nodeSelector) {
    given.push('`nodeSelector`');
    checkNodeSelector(errors, `${path}.nodeSelector`, nodeSelector);
  }
  for (const field of ['allNodes', 'perDeviceNodeSelection'] as const) {
    if (where[field]) given.push(`\`${field}\``);
    else if (where[field] === false) errors.push(invalidField(`${path}.${field}`, false, 'must be either unset or set to true'));
  }
  return given;
}

function checkAttribute(errors: Errors, path: string, attribute: DeviceAttribute): void {
  const { string: text, version: number } = attribute;
  if (text !== undefined && Buffer.byteLength(text) > longestValue) errors.push(tooLong(`${path}.string`, longestValue));
  if (number !== undefined) {
    if (!version.test(number))
      errors.push(invalidField(`${path}.version`, number, 'must be a string compatible with semver.org spec 2.0.0'));
    if (Buffer.byteLength(number) > longestValue) errors.push(tooLong(`${path}.version`, longestValue));
  }
  const count = [attribute.bool, attribute.int, text, number].filter((value) => value !== undefined).length;
  if (count === 0) errors.push(invalidField(path, '', 'exactly one value must be specified'));
  if (count > 1) errors.push(invalidField(path, attribute, 'exactly one value must be specified'));
}

const compare = (a: Quantity, b: Quantity): number => parseQuantity(a).compare(parseQuantity(b));
const text = (amount: Quantity): string => parseQuantity(amount).toString();

function checkValidValues(errors: Errors, path: string, capacity: Quantity, standard: Quantity, values: readonly Quantity[]): void {
  for (const [index, value] of values.entries())
    if (index > 0 && compare(values[index - 1]!, value) > 0)
      errors.push(invalidField(`${path}[${index}]`, text(value), 'values must be sorted in ascending order'));
  checkUnique(
    errors,
    path,
    values,
    mostValidValues,
    (value, at) => {
      if (compare(value, capacity) > 0)
        errors.push(invalidField(at, text(value), `option is larger than capacity value: ${text(capacity)}`));
    },
    (value) => String(parseQuantity(value).value()),
  );
  if (!values.some((value) => compare(value, standard) === 0))
    errors.push(invalidField(path, text(standard), 'default value is not valid according to the requestPolicy'));
}

type ValidRange = NonNullable<CapacityRequestPolicy['validRange']>;

function checkValidRange(errors: Errors, path: string, capacity: Quantity, standard: Quantity, range: Partial<ValidRange>): void {
  const { min, max, step } = range;
  if (min === undefined) {
    errors.push(required(`${path}.min`, 'required when validRange is defined'));
    return;
  }
  const larger = (what: string): string => `${what} is larger than capacity value: ${text(capacity)}`;
  if (compare(min, capacity) > 0) errors.push(invalidField(`${path}.min`, text(min), larger('min')));
  if (compare(standard, min) < 0) errors.push(invalidField(`${path}.min`, text(standard), `default is less than min: ${text(min)}`));
  if (max !== undefined) {
    if (compare(min, max) > 0) errors.push(invalidField(`${path}.max`, text(min), `min is larger than max: ${text(max)}`));
    if (compare(max, capacity) > 0) errors.push(invalidField(`${path}.max`, text(max), larger('max')));
    if (compare(standard, max) > 0) errors.push(invalidField(`${path}.max`, text(standard), `default is more than max: ${text(max)}`));
  }
  if (step === undefined) return;
  const added = parseQuantity(min).add(parseQuantity(step));
  if (added.compare(parseQuantity(capacity)) > 0)
    errors.push(invalidField(`${path}.step`, text(step), larger(`one step ${added.toString()}`)));
  for (const value of [standard, ...(max === undefined ? [] : [max])]) {
    const over = Number(parseQuantity(value).value()) - Number(parseQuantity(min).value());
    if (over % Number(parseQuantity(step).value()) !== 0)
      errors.push(invalidField(`${path}.step`, text(value), `value is not a multiple of a given step (${text(step)}) from (${text(min)})`));
  }
}

function checkCapacity(errors: Errors, path: string, { value, requestPolicy: policy }: DeviceCapacity, shared: boolean): void {
  if (!policy) return;
  const at = `${path}.requestPolicy`;
  if (!shared) {
    errors.push(forbiddenField(at, 'allowMultipleAllocations must be true'));
    return;
  }
  const { validValues = [], validRange, default: standard } = policy;
  if (validValues.length && validRange)
    errors.push(forbiddenField(at, 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'));
  else if (validValues.length) {
    if (standard === undefined) errors.push(required(`${at}.default`, 'required when validValues is defined'));
    else checkValidValues(errors, `${at}.validValues`, value, standard, validValues);
  } else if (validRange) {
    if (standard === undefined) errors.push(required(`${at}.default`, 'required when validRange is defined'));
    else checkValidRange(errors, `${at}.validRange`, value, standard, validRange);
  }
}

function checkTaint(errors: Errors, path: string, { key, value, effect }: Partial<DeviceTaint>): void {
  errors.push(...validateLabelName(key ?? '', `${path}.key`));
  if (value) invalidFor(errors, `${path}.value`, value, isValidLabelValue(value));
  if (!effect) errors.push(required(`${path}.effect`));
  else if (!taintEffects.includes(effect)) errors.push(unsupported(`${path}.effect`, effect, taintEffects));
}

function checkCounters(errors: Errors, path: string, counters: CounterSet['counters'] | undefined): void {
  if (!counters || Object.keys(counters).length === 0) errors.push(required(path));
  else
    checkMap(
      errors,
      path,
      counters,
      mostCounters,
      dns1123LabelMaxLength,
      (key, at) => checkLabel(errors, at, key),
      () => undefined,
    );
}

function checkCounterName(errors: Errors, path: string, name: string | undefined): void {
  if (name) invalidFor(errors, path, name, isDNS1123Label(name));
  else errors.push(required(path));
}

function checkDevice(errors: Errors, path: string, device: Partial<Device>, old: Device | undefined, byDevice: boolean): void {
  const { attributes = {}, capacity = {}, taints } = device;
  checkLabel(errors, `${path}.name`, device.name ?? '');
  const count = Object.keys(attributes).length + Object.keys(capacity).length;
  if (count > mostAttributes)
    errors.push(invalidField(path, count, `the total number of attributes and capacities must not exceed ${mostAttributes}`));
  const checkKey = (key: string, at: string): void => checkQualified(errors, at, key);
  checkMap(errors, `${path}.attributes`, attributes, -1, longestAttributeKey, checkKey, (each, at) => checkAttribute(errors, at, each));
  const shared = device.allowMultipleAllocations ?? false;
  checkMap(errors, `${path}.capacity`, capacity, -1, longestAttributeKey, checkKey, (each, at) => checkCapacity(errors, at, each, shared));
  if (!old || !same(old.taints, taints))
    checkEach(errors, `${path}.taints`, taints, mostTaints, (taint, at) => checkTaint(errors, at, taint));
  checkUnique(
    errors,
    `${path}.consumesCounters`,
    device.consumesCounters,
    mostConsumptions,
    ({ counterSet, counters }, at) => {
      checkCounterName(errors, `${at}.counterSet`, counterSet);
      checkCounters(errors, `${at}.counters`, counters);
    },
    ({ counterSet }) => counterSet,
  );
  checkDeviceWhere(errors, path, device, byDevice);
  checkBinding(errors, path, device.bindingConditions, device.bindingFailureConditions);
}

function checkDeviceWhere(errors: Errors, path: string, device: Partial<Device>, byDevice: boolean): void {
  const { nodeName, nodeSelector, allNodes } = device;
  if (!byDevice) {
    if (nodeName !== undefined || nodeSelector || allNodes !== undefined)
      errors.push(
        invalidField(
          path,
          null,
          '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec',
        ),
      );
    return;
  }
  const where: Where = { ...(nodeName !== undefined && { nodeName }), ...(nodeSelector && { nodeSelector }) };
  if (allNodes !== undefined) where.allNodes = allNodes;
  const given = checkWhere(errors, path, where, 'must not be empty');
  const detail =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  if (given.length === 0) errors.push(required(path, detail));
  if (given.length > 1) errors.push(invalidField(path, `{${given.join(', ')}}`, detail));
}

function checkPool(errors: Errors, path: string, pool: Partial<ResourceSliceSpec['pool']>): void {
  checkPoolName(errors, `${path}.name`, pool.name);
  const { resourceSliceCount: count = 0, generation = 0 } = pool;
  if (count <= 0) errors.push(invalidField(`${path}.resourceSliceCount`, count, 'must be greater than zero'));
  if (generation < 0) errors.push(invalidField(`${path}.generation`, generation, 'must be greater than or equal to zero'));
}

export function validateSlice(slice: ResourceSlice, old?: ResourceSlice): Errors {
  const errors: Errors = [];
  const spec: Partial<ResourceSliceSpec> = slice.spec ?? {};
  checkCsiDriverName(errors, 'spec.driver', spec.driver);
  checkPool(errors, 'spec.pool', spec.pool ?? {});
  if (old) {
    checkImmutable(errors, 'spec.pool.name', spec.pool?.name, old.spec?.pool?.name);
    checkImmutable(errors, 'spec.driver', spec.driver, old.spec?.driver);
    checkImmutable(errors, 'spec.nodeName', spec.nodeName, old.spec?.nodeName);
  }
  const { nodeSelector, sharedCounters, devices } = spec;
  const given = checkWhere(errors, 'spec', spec, 'must be either unset or set to a non-empty string');
  if (nodeSelector && nodeSelector.nodeSelectorTerms?.length !== 1)
    errors.push(
      invalidField('spec.nodeSelector.nodeSelectorTerms', nodeSelector.nodeSelectorTerms, 'must have exactly one node selector term'),
    );
  const one = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  if (given.length === 0) errors.push(required('spec', one));
  if (given.length > 1) errors.push(invalidField('spec', `{${given.join(', ')}}`, `${one}, but multiple fields are set`));
  if (sharedCounters && devices) errors.push(invalidField('spec', '', 'only one of `sharedCounters` or `devices` is allowed'));
  const few = devices?.some((device) => device.taints?.length || device.consumesCounters?.length);
  const before = new Map((old?.spec?.devices ?? []).map((device) => [device.name, device]));
  checkUnique(
    errors,
    'spec.devices',
    devices,
    few ? mostDevicesWithTaints : mostDevices,
    (device, at) => checkDevice(errors, at, device, before.get(device.name), spec.perDeviceNodeSelection ?? false),
    (device) => device.name,
  );
  checkUnique(
    errors,
    'spec.sharedCounters',
    sharedCounters,
    mostCounterSets,
    ({ name, counters }, at) => {
      checkCounterName(errors, `${at}.name`, name);
      checkCounters(errors, `${at}.counters`, counters);
    },
    ({ name }) => name,
  );
  return errors;
}
