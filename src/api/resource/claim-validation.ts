/** Claims, their templates and classes. upstream: pkg/apis/resource/validation. */
import { validateInterfaceAddress } from '#machinery/ip';
import { isDNS1123Label, isDNS1123Subdomain, isValidLabelValue, validateConditions, validateLabelName } from '#machinery/names';
import {
  checkImmutable,
  checkLabel,
  forbiddenField,
  invalidField,
  invalidFor,
  required,
  requireText,
  tooLong,
  tooMany,
  unsupported,
} from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { ExpressionCheck, ExpressionChecks } from '../contract.ts';
import { checkNodeSelector } from '../core/validation/node-selector.ts';
import { isExtendedResource } from '../core/validation/resources.ts';
import { checkTemplateMetadata } from '../core/validation/persistent-volume-claim.ts';
import { checkCsiDriverName } from '../core/validation/volume-sources.ts';
import type { DeviceClass, ResourceClaimTemplate, ResourceV1ResourceClaim } from '../facts/kinds.ts';
import type {
  AllocatedDeviceStatus,
  DeviceAllocationConfiguration,
  DeviceClaim,
  DeviceClassConfiguration,
  DeviceConstraint,
  DeviceRequest,
  DeviceRequestAllocationResult,
  DeviceSelector,
  DeviceSubRequest,
  DeviceToleration,
  ExactDeviceRequest,
  NetworkDeviceData,
  ResourceClaimSpec,
  ResourceClaimStatus,
} from '../facts/types.ts';
import { same } from '../same.ts';
import { checkBinding, checkEach, checkFullyQualified, checkPoolName, checkRaw, checkUnique, checkUuid } from './set-validation.ts';

const mostRequests = 32;
const mostConstraints = 32;
const mostConfigurations = 32;
const mostSelectors = 32;
const mostAlternatives = 8;
const mostConsumers = 256;
const mostResults = 32;
const mostConditions = 8;
const mostAddresses = 16;
const longestExpression = 10 * 1024;
const longestData = 10 * 1024;
const longestInterface = 256;
const longestHardwareAddress = 128;
export const taintEffects = ['NoExecute', 'NoSchedule', 'None'];

/** A request's name and the names of its alternatives. */
type RequestNames = Map<string, Set<string>>;

const namesOf = ({ requests }: Partial<DeviceClaim>): RequestNames =>
  new Map((requests ?? []).map(({ name, firstAvailable }) => [name, new Set((firstAvailable ?? []).map((each) => each.name))]));

function checkReference(errors: Errors, path: string, name: string | undefined, names: RequestNames): void {
  const detail = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
  const segments = (name ?? '').split('/');
  const wrong = (): number => errors.push(invalidField(path, name ?? '', detail));
  if (segments.length > 2) {
    wrong();
    return;
  }
  for (const segment of segments) invalidFor(errors, path, segment, isDNS1123Label(segment));
  const [request = '', alternative] = segments;
  const alternatives = names.get(request);
  if (!alternatives || (alternative !== undefined && !alternatives.has(alternative))) wrong();
}

type Check = ExpressionCheck | undefined;

function checkSelectors(errors: Errors, path: string, selectors: readonly DeviceSelector[] | undefined, check: Check): void {
  checkEach(errors, path, selectors, mostSelectors, ({ cel }, at) => {
    const { expression = '' } = cel ?? {};
    if (!cel) errors.push(required(`${at}.cel`));
    else if (Buffer.byteLength(expression) > longestExpression) errors.push(tooLong(`${at}.cel.expression`, longestExpression));
    else if (check) errors.push(...check(`${at}.cel.expression`, expression));
  });
}

function checkToleration(errors: Errors, path: string, toleration: Partial<DeviceToleration>): void {
  const { key, operator, value = '', effect } = toleration;
  if (key) errors.push(...validateLabelName(key, `${path}.key`));
  if (operator === 'Exists') {
    if (value) errors.push(invalidField(`${path}.value`, value, 'must be empty for operator `Exists`'));
  } else if (operator === 'Equal') invalidFor(errors, `${path}.value`, value, isValidLabelValue(value));
  else if (!operator) errors.push(required(`${path}.operator`));
  else errors.push(unsupported(`${path}.operator`, operator, ['Equal', 'Exists']));
  if (effect && !taintEffects.includes(effect)) errors.push(unsupported(`${path}.effect`, effect, taintEffects));
}

function checkExact(errors: Errors, path: string, request: Partial<ExactDeviceRequest | DeviceSubRequest>, check: Check): void {
  const { deviceClassName: className, selectors, allocationMode: mode = '', count = 0, tolerations } = request;
  if (!className) errors.push(required(`${path}.deviceClassName`));
  else invalidFor(errors, `${path}.deviceClassName`, className, isDNS1123Subdomain(className));
  checkSelectors(errors, `${path}.selectors`, selectors, check);
  if (mode === 'All') {
    if (count !== 0) errors.push(invalidField(`${path}.count`, count, "must not be specified when allocationMode is 'All'"));
  } else if (mode === 'ExactCount') {
    if (count <= 0) errors.push(invalidField(`${path}.count`, count, 'must be greater than zero'));
  } else errors.push(unsupported(`${path}.allocationMode`, mode, ['All', 'ExactCount']));
  for (const [index, toleration] of (tolerations ?? []).entries()) checkToleration(errors, `${path}.tolerations[${index}]`, toleration);
}

function checkRequest(errors: Errors, path: string, { name, exactly, firstAvailable }: Partial<DeviceRequest>, check: Check): void {
  checkLabel(errors, `${path}.name`, name ?? '');
  const one = 'exactly one of `exactly` or `firstAvailable` is required';
  if (exactly && firstAvailable?.length) errors.push(invalidField(path, null, `${one}, but multiple fields are set`));
  else if (exactly) checkExact(errors, `${path}.exactly`, exactly, check);
  else if (firstAvailable?.length)
    checkUnique(
      errors,
      `${path}.firstAvailable`,
      firstAvailable,
      mostAlternatives,
      (alternative, at) => {
        checkLabel(errors, `${at}.name`, alternative.name ?? '');
        checkExact(errors, at, alternative, check);
      },
      (alternative) => alternative.name,
    );
  else errors.push(required(path, one));
}

function checkReferences(errors: Errors, path: string, list: readonly string[] | undefined, names: RequestNames): void {
  checkUnique(
    errors,
    path,
    list,
    mostRequests,
    (name, at) => checkReference(errors, at, name, names),
    (name) => name,
  );
}

function checkConstraint(errors: Errors, path: string, constraint: DeviceConstraint, names: RequestNames): void {
  checkReferences(errors, `${path}.requests`, constraint.requests, names);
  if (constraint.matchAttribute !== undefined) checkFullyQualified(errors, `${path}.matchAttribute`, constraint.matchAttribute);
  else if (constraint.distinctAttribute !== undefined)
    checkFullyQualified(errors, `${path}.distinctAttribute`, constraint.distinctAttribute);
  else errors.push(required(`${path}.matchAttribute`));
}

/** `stored`: only its size was once not limited. */
function checkConfiguration(errors: Errors, path: string, { opaque }: DeviceClassConfiguration, stored = false): void {
  if (!opaque) {
    errors.push(required(`${path}.opaque`));
    return;
  }
  checkCsiDriverName(errors, `${path}.opaque.driver`, opaque.driver);
  checkRaw(errors, `${path}.opaque.parameters`, opaque.parameters, stored ? -1 : longestData);
}

function checkClaim(errors: Errors, path: string, devices: Partial<DeviceClaim> | undefined, check: Check): void {
  if (!devices) return;
  const names = namesOf(devices);
  checkUnique(
    errors,
    `${path}.requests`,
    devices.requests,
    mostRequests,
    (request, at) => checkRequest(errors, at, request, check),
    (request) => request.name,
  );
  checkEach(errors, `${path}.constraints`, devices.constraints, mostConstraints, (each, at) => checkConstraint(errors, at, each, names));
  checkEach(errors, `${path}.config`, devices.config, mostConfigurations, (each, at) => {
    checkReferences(errors, `${at}.requests`, each.requests, names);
    checkConfiguration(errors, at, each);
  });
}

const hasSelectors = (spec: ResourceClaimSpec | undefined): boolean =>
  (spec?.devices?.requests ?? []).some(({ exactly, firstAvailable = [] }) =>
    [exactly, ...firstAvailable].some((request) => request?.selectors?.length),
  );

/** A claim that is stored keeps its spec. */
export const claimHasExpressions = ({ spec }: ResourceV1ResourceClaim, old?: ResourceV1ResourceClaim): boolean =>
  !old && hasSelectors(spec);

export function validateClaim({ spec }: ResourceV1ResourceClaim, expressions?: ExpressionChecks): Errors {
  const errors: Errors = [];
  checkClaim(errors, 'spec.devices', spec?.devices, expressions?.deviceSelector);
  return errors;
}

export function validateClaimUpdate(claim: ResourceV1ResourceClaim, old: ResourceV1ResourceClaim): Errors {
  const errors: Errors = [];
  checkImmutable(errors, 'spec', claim.spec, old.spec);
  return errors;
}

export const claimTemplateHasExpressions = ({ spec }: ResourceClaimTemplate, old?: ResourceClaimTemplate): boolean =>
  hasSelectors(spec?.spec) && !same(spec, old?.spec);

export function validateClaimTemplate({ spec }: ResourceClaimTemplate, expressions?: ExpressionChecks): Errors {
  const errors: Errors = [];
  checkTemplateMetadata(errors, 'spec.metadata', spec?.metadata);
  checkClaim(errors, 'spec.spec.devices', spec?.spec?.devices, expressions?.deviceSelector);
  return errors;
}

export function validateClaimTemplateUpdate(
  template: ResourceClaimTemplate,
  old: ResourceClaimTemplate,
  expressions?: ExpressionChecks,
): Errors {
  const errors = validateClaimTemplate(template, expressions);
  checkImmutable(errors, 'spec', template.spec, old.spec);
  return errors;
}

/** Selectors that are stored have compiled. */
export const deviceClassHasExpressions = ({ spec }: DeviceClass, old?: DeviceClass): boolean =>
  (spec?.selectors?.length ?? 0) > 0 && !same(spec?.selectors, old?.spec?.selectors);

export function validateDeviceClass({ spec = {} }: Partial<DeviceClass>, old?: DeviceClass, expressions?: ExpressionChecks): Errors {
  const errors: Errors = [];
  const { selectors, config, extendedResourceName: resource } = spec;
  checkSelectors(errors, 'spec.selectors', selectors, expressions?.deviceSelector);
  const stored = old !== undefined && same(config, old.spec?.config);
  checkEach(errors, 'spec.config', config, mostConfigurations, (each, at) => checkConfiguration(errors, at, each, stored));
  if (resource !== undefined && !isExtendedResource(resource))
    errors.push(invalidField('spec.extendedResourceName', resource, 'must be a valid extended resource name'));
  return errors;
}

interface DeviceId {
  driver: string;
  pool: string;
  device: string;
  shareID?: string;
}

const idOf = ({ driver, pool, device, shareID }: DeviceId): string =>
  JSON.stringify({ Driver: driver, Pool: pool, Device: device, ShareID: shareID ?? '' });

function checkNetworkData(errors: Errors, path: string, data: NetworkDeviceData | undefined): void {
  if (!data) return;
  const { interfaceName = '', hardwareAddress = '', ips } = data;
  if (Buffer.byteLength(interfaceName) > longestInterface) errors.push(tooLong(`${path}.interfaceName`, longestInterface));
  if (Buffer.byteLength(hardwareAddress) > longestHardwareAddress) errors.push(tooLong(`${path}.hardwareAddress`, longestHardwareAddress));
  checkUnique(
    errors,
    `${path}.ips`,
    ips,
    mostAddresses,
    (address, at) => void errors.push(...validateInterfaceAddress(at, address)),
    (address) => address,
  );
}

function checkDeviceStatus(errors: Errors, path: string, device: AllocatedDeviceStatus, allocated: ReadonlySet<string>): void {
  checkCsiDriverName(errors, `${path}.driver`, device.driver);
  checkPoolName(errors, `${path}.pool`, device.pool);
  checkLabel(errors, `${path}.device`, device.device ?? '');
  if (device.shareID !== undefined) checkUuid(errors, `${path}.shareID`, device.shareID);
  if (!allocated.has(idOf(device))) errors.push(invalidField(path, JSON.parse(idOf(device)), 'must be an allocated device in the claim'));
  const conditions = device.conditions ?? [];
  if (conditions.length > mostConditions) errors.push(tooMany(`${path}.conditions`, conditions.length, mostConditions));
  errors.push(...validateConditions(conditions, `${path}.conditions`));
  if (device.data != null) checkRaw(errors, `${path}.data`, device.data, longestData);
  checkNetworkData(errors, `${path}.networkData`, device.networkData);
}

function checkResult(errors: Errors, path: string, result: Partial<DeviceRequestAllocationResult>, names: RequestNames): void {
  checkReference(errors, `${path}.request`, result.request, names);
  checkCsiDriverName(errors, `${path}.driver`, result.driver);
  checkPoolName(errors, `${path}.pool`, result.pool);
  checkLabel(errors, `${path}.device`, result.device ?? '');
  checkBinding(errors, path, result.bindingConditions, result.bindingFailureConditions);
  if (result.shareID !== undefined) checkUuid(errors, `${path}.shareID`, result.shareID);
}

function checkAllocationConfiguration(errors: Errors, path: string, config: DeviceAllocationConfiguration, names: RequestNames): void {
  const { source } = config;
  if (!source) errors.push(required(`${path}.source`));
  else if (source !== 'FromClaim' && source !== 'FromClass') errors.push(unsupported(`${path}.source`, source, ['FromClaim', 'FromClass']));
  checkReferences(errors, `${path}.requests`, config.requests, names);
  checkConfiguration(errors, path, config);
}

function checkAllocation(
  errors: Errors,
  path: string,
  allocation: NonNullable<ResourceClaimStatus['allocation']>,
  names: RequestNames,
): void {
  const { devices, nodeSelector } = allocation;
  checkEach(errors, `${path}.devices.results`, devices?.results, mostResults, (result, at) => checkResult(errors, at, result, names));
  checkEach(errors, `${path}.devices.config`, devices?.config, 2 * mostConfigurations, (config, at) =>
    checkAllocationConfiguration(errors, at, config, names),
  );
  if (nodeSelector) checkNodeSelector(errors, `${path}.nodeSelector`, nodeSelector);
}

export function validateClaimStatus(claim: ResourceV1ResourceClaim, old: ResourceV1ResourceClaim): Errors {
  const errors: Errors = [];
  const { reservedFor = [], devices, allocation } = claim.status ?? {};
  checkUnique(
    errors,
    'status.reservedFor',
    reservedFor,
    mostConsumers,
    ({ resource, name, uid }, at) => {
      requireText(errors, `${at}.resource`, resource);
      requireText(errors, `${at}.name`, name);
      requireText(errors, `${at}.uid`, uid);
    },
    ({ uid }) => uid,
  );
  const allocated = new Set((allocation?.devices?.results ?? []).map(idOf));
  checkUnique(errors, 'status.devices', devices, -1, (device, at) => checkDeviceStatus(errors, at, device, allocated), idOf);
  if (reservedFor.length && !allocation)
    errors.push(forbiddenField('status.reservedFor', 'may not be specified when `allocated` is not set'));
  else if (claim.metadata?.deletionTimestamp) {
    const before = new Set((old.status?.reservedFor ?? []).map((consumer) => JSON.stringify(consumer)));
    if (reservedFor.some((consumer) => !before.has(JSON.stringify(consumer))))
      errors.push(
        forbiddenField('status.reservedFor', 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set'),
      );
  }
  if (!allocation) return errors;
  if (old.status?.allocation) checkImmutable(errors, 'status.allocation', allocation, old.status.allocation);
  else checkAllocation(errors, 'status.allocation', allocation, namesOf(claim.spec?.devices ?? {}));
  return errors;
}
