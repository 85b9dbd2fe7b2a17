/** Requests, limits and the names of resources. upstream: validateResourceRequirements and pkg/apis/core/helper. */
import { isQualifiedName } from '#machinery/names';
import { isQuantity, parseQuantity } from '#machinery/quantity';
import { checkLabel, duplicate, forbiddenField, invalidField, invalidFor, notFoundField, required, unsupported } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { Quantity, ResourceClaim, ResourceRequirements } from '../../facts/types.ts';
import { isHugePages, isNativeResource, isOvercommitAllowed, isPodLevelResource } from '../resource-list.ts';
import type { ResourceList } from '../resource-list.ts';

const counted = [
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const countedResources = new Set(counted);
const quotaResources = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  ...counted,
]);
const containerResources = new Set(['cpu', 'memory', 'ephemeral-storage']);

const isQuotaHugePages = (name: string): boolean => isHugePages(name) || name.startsWith('requests.hugepages-');
export const isStandardQuotaResource = (name: string): boolean => quotaResources.has(name) || isQuotaHugePages(name);
const isStandardResource = (name: string): boolean => name === 'storage' || isStandardQuotaResource(name);

/** upstream: IsExtendedResourceName. */
export function isExtendedResource(name: string): boolean {
  if (isNativeResource(name) || name.startsWith('requests.')) return false;
  return isQualifiedName(`requests.${name}`).length === 0;
}

/** Amounts that only come whole. */
export const isIntegerResource = (name: string): boolean => countedResources.has(name) || isExtendedResource(name);

/** Answers whether the name is good. */
export function checkResourceName(errors: Errors, path: string, name: string): boolean {
  const before = errors.length;
  invalidFor(errors, path, name, isQualifiedName(name));
  if (errors.length > before) return false;
  if (name.includes('/') || isStandardResource(name)) return true;
  errors.push(invalidField(path, name, 'must be a standard resource type or fully qualified'));
  return false;
}

export function checkContainerResourceName(errors: Errors, path: string, name: string): void {
  if (containerResources.has(name)) return;
  checkResourceName(errors, path, name);
  if (!name.includes('/')) {
    if (!isHugePages(name)) errors.push(invalidField(path, name, 'must be a standard resource for containers'));
  } else if (!isNativeResource(name) && !isExtendedResource(name))
    errors.push(invalidField(path, name, "doesn't follow extended resource name standard"));
}

function checkPodResourceName(errors: Errors, path: string, name: string): void {
  if (checkResourceName(errors, path, name) && !isPodLevelResource(name))
    errors.push(unsupported(path, name, ['cpu', 'hugepages-', 'memory']));
}

/** What cannot be read fails when the object is decoded; here it is named once more for objects made inside. */
export function checkQuantity(errors: Errors, path: string, amount: Quantity): boolean {
  if (isQuantity(amount)) return true;
  errors.push(invalidField(path, amount, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"));
  return false;
}

/** upstream: ValidateResourceQuantityValue. */
export function checkResourceAmount(errors: Errors, path: string, name: string, amount: Quantity): void {
  if (!checkQuantity(errors, path, amount)) return;
  const quantity = parseQuantity(amount);
  if (quantity.sign() < 0) errors.push(invalidField(path, quantity.toString(), 'must be greater than or equal to 0'));
  if (!containerResources.has(name) && isIntegerResource(name) && quantity.milliValue() % 1000 !== 0)
    errors.push(invalidField(path, quantity.toString(), 'must be an integer'));
}

export function checkNonnegativeAmount(errors: Errors, path: string, amount: Quantity): void {
  if (checkQuantity(errors, path, amount) && parseQuantity(amount).sign() < 0)
    errors.push(invalidField(path, parseQuantity(amount).toString(), 'must be greater than or equal to 0'));
}

export function checkPositiveAmount(errors: Errors, path: string, amount: Quantity): void {
  if (checkQuantity(errors, path, amount) && parseQuantity(amount).sign() <= 0)
    errors.push(invalidField(path, parseQuantity(amount).toString(), 'must be greater than zero'));
}

function checkHugePageAmount(errors: Errors, path: string, name: string, amount: Quantity): void {
  const size = name.slice('hugepages-'.length);
  if (!isQuantity(amount)) return;
  const page = isQuantity(size) ? parseQuantity(size) : undefined;
  const divisible = page && page.sign() > 0 && page.milliValue() % 1000 === 0 && parseQuantity(amount).value() % page.value() === 0;
  if (!divisible)
    errors.push(
      invalidField(
        path,
        parseQuantity(amount).toString(),
        `${parseQuantity(amount).toString()} is not positive integer multiple of ${name}`,
      ),
    );
}

export interface ResourceChecks {
  /** The pod as a whole, where only some resources are known. */
  wholePod?: boolean;
  /** Names of the pod's resource claims. */
  claims?: ReadonlySet<string>;
}

const noClaims: ReadonlySet<string> = new Set();

export function checkResources(
  errors: Errors,
  path: string,
  resources: ResourceRequirements | undefined,
  checks: ResourceChecks = {},
): void {
  if (!resources) return;
  const { limits, requests, claims } = resources;
  if (!limits && !requests && !claims) return;
  const checkResource = checks.wholePod ? checkPodResourceName : checkContainerResourceName;
  let compute = false;
  let hugePages = false;
  for (const name in limits) {
    const at = `${path}.limits[${name}]`;
    checkResource(errors, at, name);
    checkResourceAmount(errors, at, name, limits[name]!);
    if (isHugePages(name)) {
      hugePages = true;
      checkHugePageAmount(errors, at, name, limits[name]!);
    } else if (name === 'cpu' || name === 'memory') compute = true;
  }
  for (const name in requests) {
    const at = `${path}.requests[${name}]`;
    checkResource(errors, at, name);
    checkResourceAmount(errors, at, name, requests[name]!);
    checkRequestAgainstLimit(errors, path, name, requests[name]!, limits);
    if (isHugePages(name)) {
      hugePages = true;
      checkHugePageAmount(errors, at, name, requests[name]!);
    } else if (name === 'cpu' || name === 'memory') compute = true;
  }
  if (hugePages && !compute) errors.push(forbiddenField(path, 'HugePages require cpu or memory'));
  if (claims) checkClaimNames(errors, `${path}.claims`, claims, checks.claims ?? noClaims);
}

function checkRequestAgainstLimit(errors: Errors, path: string, name: string, request: Quantity, limits: ResourceList | undefined): void {
  const limit = limits?.[name];
  if (limit === undefined) {
    if (!isOvercommitAllowed(name)) errors.push(required(`${path}.limits`, 'Limit must be set for non overcommitable resources'));
    return;
  }
  if (request === limit || !isQuantity(request) || !isQuantity(limit)) return;
  const order = parseQuantity(request).compare(parseQuantity(limit));
  if (order !== 0 && !isOvercommitAllowed(name))
    errors.push(
      invalidField(
        `${path}.requests`,
        parseQuantity(request).toString(),
        `must be equal to ${name} limit of ${parseQuantity(limit).toString()}`,
      ),
    );
  else if (order > 0)
    errors.push(
      invalidField(
        `${path}.requests`,
        parseQuantity(request).toString(),
        `must be less than or equal to ${name} limit of ${parseQuantity(limit).toString()}`,
      ),
    );
}

/** upstream: validateResourceClaimNames. */
function checkClaimNames(errors: Errors, path: string, claims: readonly ResourceClaim[], known: ReadonlySet<string>): void {
  const seen = new Set<string>();
  for (const [index, { name, request }] of claims.entries()) {
    const at = `${path}[${index}]`;
    if (!name) {
      errors.push(required(at));
      continue;
    }
    if (seen.has(name)) errors.push(duplicate(at, name));
    else {
      const key = request ? `${name}/${request}` : name;
      if (request) checkLabel(errors, `${at}.request`, request);
      if (seen.has(key)) errors.push(duplicate(at, key));
      else if (!request) for (const other of seen) if (other.startsWith(`${name}/`)) errors.push(duplicate(at, name));
      seen.add(key);
    }
    if (!known.has(name)) {
      const names = [...known].sort();
      const error = notFoundField(at, name);
      errors.push({
        ...error,
        message: `${error.message}: must be one of the names in pod.spec.resourceClaims${names.length ? `: ${names.join(', ')}` : ' which is empty'}`,
      });
    }
  }
}
