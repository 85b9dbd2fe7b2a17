import type {
  PersistentVolumeClaim,
  Pod,
  ResourceV1ResourceClaim as ResourceClaim,
  ResourceQuota,
  ScopedResourceSelectorRequirement,
  Service,
} from '../../api/facts/types.ts';
import type { KubeObject } from '#machinery/meta';
import { parseQuantity, quantity } from '#machinery/quantity';
import type { Quantity } from '#machinery/quantity';
import { bestEffort } from './best-effort.ts';
import { podLimits, podRequests } from './pod-resources.ts';
import type { Usage } from './usage.ts';

type Requirement = ScopedResourceSelectorRequirement;

/** How the objects of one resource count. upstream: apiserver/pkg/quota/v1 Evaluator. */
export interface QuotaEvaluator {
  /** What one object uses; `now` in milliseconds since 1970. */
  usage(object: KubeObject, now: number): Usage;
  /** Those of `names` that this resource's objects count towards. */
  matching(names: Iterable<string>): string[];
  /** Whether an object is inside a scope of a quota. */
  inScope(requirement: Requirement, object: KubeObject): boolean;
  /** Why an object that leaves out what a quota counts must be refused. */
  constraint?(required: readonly string[], object: KubeObject): string | undefined;
  /** Whether this write may change what is used. */
  handles(operation: string, subresource: string, object: KubeObject | undefined, old: KubeObject | undefined): boolean;
}

const one = (): Quantity => quantity(1);
const countName = (group: string, resource: string): string => `count/${resource}${group ? `.${group}` : ''}`;

/** Kinds whose count had a name of its own before there were counts of everything. */
const aliases = new Set(['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets']);

/** The scopes a quota has, as requirements. */
export const scopeSelectors = ({ spec }: ResourceQuota): Requirement[] => [
  ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' as const })),
  ...(spec?.scopeSelector?.matchExpressions ?? []),
];

/** Whether an object counts towards a quota at all. */
export const matchesQuota = (quota: ResourceQuota, evaluator: QuotaEvaluator, object: KubeObject): boolean =>
  evaluator.matching(Object.keys(quota.status?.hard ?? {})).length > 0 &&
  scopeSelectors(quota).every((requirement) => evaluator.inScope(requirement, object));

/** A selector's requirement on a set of values of one scope. */
function matchesValues({ operator, values = [] }: Requirement, present: readonly string[]): boolean {
  switch (operator) {
    case 'Exists':
      return present.length > 0;
    case 'DoesNotExist':
      return present.length === 0;
    case 'In':
      return present.some((value) => values.includes(value));
    case 'NotIn':
      return present.length === 0 || present.some((value) => !values.includes(value));
    default:
      return false;
  }
}

// ---- pods ----

const computeNames = ['cpu', 'memory', 'ephemeral-storage'];
const podNames = new Set(['count/pods', 'pods', ...computeNames.flatMap((name) => [name, `requests.${name}`, `limits.${name}`])]);
const mustBeSaid = new Set(['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory']);

/** Resources of nobody's but a device plugin's or a driver's. upstream: helper.IsExtendedResourceName. */
const extended = (name: string): boolean =>
  (name.includes('/') && !name.includes('kubernetes.io/') && !name.startsWith('requests.')) ||
  name.startsWith('deviceclass.resource.kubernetes.io/');
const extendedRequest = (name: string): boolean =>
  name.startsWith('requests.') && name.includes('/') && (!name.includes('kubernetes.io/') || extended(name.slice('requests.'.length)));

function computeUsage(requests: Usage, limits: Usage): Usage {
  const usage: Usage = new Map([['pods', one()]]);
  for (const name of computeNames) {
    const request = requests.get(name);
    if (request) usage.set(name, request).set(`requests.${name}`, request);
    const limit = limits.get(name);
    if (limit) usage.set(`limits.${name}`, limit);
  }
  for (const [name, amount] of requests) {
    if (name.startsWith('hugepages-')) usage.set(name, amount).set(`requests.${name}`, amount);
    if (extended(name)) usage.set(`requests.${name}`, amount);
  }
  return usage;
}

/** Ended pods, and those that should be gone by now, use nothing. */
function usesResources({ metadata, status }: Pod, now: number): boolean {
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata ?? {};
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return true;
  return now <= Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000;
}

const limitedInTime = ({ spec }: Pod): boolean => (spec?.activeDeadlineSeconds ?? -1) >= 0;

function affinityAcrossNamespaces({ spec }: Pod): boolean {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  return [podAffinity, podAntiAffinity].some((affinity) =>
    [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => term.podAffinityTerm),
    ].some((term) => term.namespaces?.length || term.namespaceSelector),
  );
}

const pods: QuotaEvaluator = {
  usage(object, now) {
    const pod = object as Pod;
    const usage: Usage = new Map([['count/pods', one()]]);
    if (!usesResources(pod, now)) return usage;
    const options = { useStatus: true };
    for (const [name, amount] of computeUsage(podRequests(pod, options), podLimits(pod, options))) usage.set(name, amount);
    return usage;
  },
  matching: (names) =>
    [...names].filter(
      (name) => podNames.has(name) || name.startsWith('hugepages-') || name.startsWith('requests.hugepages-') || extendedRequest(name),
    ),
  inScope(requirement, object) {
    const pod = object as Pod;
    switch (requirement.scopeName) {
      case 'Terminating':
        return limitedInTime(pod);
      case 'NotTerminating':
        return !limitedInTime(pod);
      case 'BestEffort':
        return bestEffort(pod);
      case 'NotBestEffort':
        return !bestEffort(pod);
      case 'PriorityClass':
        return matchesValues(requirement, pod.spec?.priorityClassName ? [pod.spec.priorityClassName] : []);
      case 'CrossNamespacePodAffinity':
        return affinityAcrossNamespaces(pod);
      default:
        return false;
    }
  },
  constraint(required, object) {
    const { spec } = object as Pod;
    if (spec?.resources && (Object.keys(spec.resources.requests ?? {}).length > 0 || Object.keys(spec.resources.limits ?? {}).length > 0))
      return undefined;
    const names = required.filter((name) => mustBeSaid.has(name));
    const missing = new Map<string, Set<string>>();
    for (const { name: container, resources } of [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])])
      for (const name of names) {
        const list = name.startsWith('limits.') ? resources?.limits : resources?.requests;
        if (list?.[name.slice(name.indexOf('.') + 1)] === undefined)
          missing.set(name, (missing.get(name) ?? new Set<string>()).add(container));
      }
    if (missing.size === 0) return undefined;
    const texts = [...missing].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, where]) => `${name} for: ${[...where].sort().join(',')}`);
    return `must specify ${texts.join('; ')}`;
  },
  handles(operation, subresource, object, old) {
    if (subresource === 'resize') return operation === 'UPDATE';
    if (subresource) return false;
    return operation === 'CREATE' || (operation === 'UPDATE' && limitedInTime(object as Pod) !== limitedInTime(old as Pod));
  },
};

// ---- services ----

const serviceNames = new Set(['count/services', 'services', 'services.nodeports', 'services.loadbalancers']);

const services: QuotaEvaluator = {
  usage(object) {
    const { spec } = object as Service;
    const ports = spec?.ports ?? [];
    const balancer = spec?.type === 'LoadBalancer';
    // Ports are not given yet: what counts is whether they will be.
    const given = spec?.type === 'NodePort' || (balancer && spec.allocateLoadBalancerNodePorts !== false);
    const nodePorts = given ? ports.length : balancer ? ports.filter((port) => port.nodePort).length : 0;
    return new Map([
      ['count/services', one()],
      ['services', one()],
      ['services.loadbalancers', quantity(balancer ? 1 : 0)],
      ['services.nodeports', quantity(nodePorts)],
    ]);
  },
  matching: (names) => [...names].filter((name) => serviceNames.has(name)),
  inScope: () => false,
  handles: (operation, subresource) => subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
};

// ---- claims ----

const claimNames = ['persistentvolumeclaims', 'requests.storage'];
const classSuffix = '.storageclass.storage.k8s.io/';

function storageOf({ spec, status }: PersistentVolumeClaim): Quantity | undefined {
  const asked = spec?.resources?.requests?.['storage'];
  if (asked === undefined) return undefined;
  const allocated = status?.allocatedResources?.['storage'];
  const [a, b] = [parseQuantity(asked), parseQuantity(allocated ?? '0')];
  const most = b.compare(a) > 0 ? b : a;
  // Counted in whole bytes.
  return most.nanos % 1_000_000_000n === 0n ? most : quantity(most.value(), most.format);
}

const attributeClasses = ({ spec, status }: PersistentVolumeClaim): string[] => [
  ...new Set(
    [
      spec?.volumeAttributesClassName,
      status?.currentVolumeAttributesClassName,
      status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
    ].filter((name): name is string => Boolean(name)),
  ),
];

const persistentVolumeClaims: QuotaEvaluator = {
  usage(object) {
    const claim = object as PersistentVolumeClaim;
    const usage: Usage = new Map([
      ['count/persistentvolumeclaims', one()],
      ['persistentvolumeclaims', one()],
    ]);
    const className = claim.metadata?.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? claim.spec?.storageClassName;
    if (className) usage.set(`${className}${classSuffix}persistentvolumeclaims`, one());
    const storage = storageOf(claim);
    if (storage) {
      usage.set('requests.storage', storage);
      if (className) usage.set(`${className}${classSuffix}requests.storage`, storage);
    }
    return usage;
  },
  matching: (names) =>
    [...names].filter(
      (name) =>
        name === 'count/persistentvolumeclaims' ||
        claimNames.includes(name) ||
        claimNames.some((suffix) => name.endsWith(`${classSuffix}${suffix}`)),
    ),
  inScope: (requirement, object) =>
    requirement.scopeName === 'VolumeAttributesClass' && matchesValues(requirement, attributeClasses(object as PersistentVolumeClaim)),
  handles(operation, subresource, object, old) {
    if (subresource === '') return operation === 'CREATE' || operation === 'UPDATE';
    if (subresource !== 'status') return false;
    const [claim, before] = [object as PersistentVolumeClaim, old as PersistentVolumeClaim];
    return (
      claim.status?.allocatedResources?.['storage'] !== before.status?.allocatedResources?.['storage'] ||
      attributeClasses(claim).join() !== attributeClasses(before).join()
    );
  },
};

const deviceSuffix = '.deviceclass.resource.k8s.io/devices';
/** A request for all devices counts as the most a claim can get. upstream: resource AllocationResultsMaxSize. */
const allDevices = 32;

const resourceClaims: QuotaEvaluator = {
  usage(object) {
    const { spec } = object as ResourceClaim;
    const usage: Usage = new Map([['count/resourceclaims.resource.k8s.io', one()]]);
    const add = (name: string, count: number): void => {
      const key = `${name}${deviceSuffix}`;
      usage.set(key, usage.get(key)?.add(quantity(count)) ?? quantity(count));
    };
    for (const request of spec?.devices?.requests ?? []) {
      const countOf = (part: { allocationMode?: string; count?: number }): number =>
        part.allocationMode === 'All' ? allDevices : (part.count ?? 1);
      if (request.exactly) add(request.exactly.deviceClassName, countOf(request.exactly));
      // Of alternatives the greediest counts, a class at a time.
      const most = new Map<string, number>();
      for (const part of request.firstAvailable ?? [])
        most.set(part.deviceClassName, Math.max(most.get(part.deviceClassName) ?? 0, countOf(part)));
      for (const [name, count] of most) add(name, count);
    }
    return usage;
  },
  matching: (names) => [...names].filter((name) => name === 'count/resourceclaims.resource.k8s.io' || name.endsWith(deviceSuffix)),
  inScope: () => false,
  handles: (operation, subresource) => subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
};

// ---- counts ----

function objectCount(group: string, resource: string): QuotaEvaluator {
  const names = [countName(group, resource), ...(group === '' && aliases.has(resource) ? [resource] : [])];
  return {
    usage: () => new Map(names.map((name) => [name, one()])),
    matching: (given) => [...given].filter((name) => names.includes(name)),
    inScope: () => false,
    handles: (operation, subresource) => subresource === '' && operation === 'CREATE',
  };
}

const special: Record<string, QuotaEvaluator> = {
  '/pods': pods,
  '/services': services,
  '/persistentvolumeclaims': persistentVolumeClaims,
  'resource.k8s.io/resourceclaims': resourceClaims,
};

/** The evaluator of a namespaced resource; those without behaviour of their own are counted. */
export const evaluatorFor = (group: string, resource: string): QuotaEvaluator =>
  special[`${group}/${resource}`] ?? objectCount(group, resource);

/** The resources (group and plural) that a quota's names make it necessary to watch. */
export function countedResources(names: Iterable<string>): { group: string; resource: string }[] {
  const found = new Map<string, { group: string; resource: string }>();
  const add = (group: string, resource: string): void => void found.set(`${group}/${resource}`, { group, resource });
  for (const name of names) {
    if (name.startsWith('count/')) {
      const [resource = '', ...group] = name.slice('count/'.length).split('.');
      add(group.join('.'), resource);
    } else if (aliases.has(name)) add('', name);
    for (const key of Object.keys(special))
      if (special[key]!.matching([name]).length > 0) {
        const [group = '', resource = ''] = key.split('/');
        add(group, resource);
      }
  }
  return [...found.values()];
}
