/**
 * Which built-in resources are stored, where and how. upstream: test/integration/etcd/data.go (keys),
 * pkg/kubeapiserver/default_storage_factory_builder.go (versions), pkg/registry/<group>/<resource>/storage.
 */
import type { Kind } from '#api';
import { resources } from '#api/facts';
import type { ResourceFact } from '#api/facts';
import { rulesFor } from '#api/rules';
import type { ServedResource } from '../contract.ts';

export const kindOf = (fact: ResourceFact): Kind => ({
  group: fact.group,
  version: fact.version,
  kind: fact.kind,
  resource: fact.resource,
  namespaced: fact.namespaced,
  apiVersion: fact.group ? `${fact.group}/${fact.version}` : fact.version,
});

/** Keys that differ from the resource's name. */
const prefixes: Record<string, string> = {
  '/services': 'services/specs',
  '/endpoints': 'services/endpoints',
  '/nodes': 'minions',
  '/replicationcontrollers': 'controllers',
  'networking.k8s.io/ingresses': 'ingress',
  'apiextensions.k8s.io/customresourcedefinitions': 'apiextensions.k8s.io/customresourcedefinitions',
  'apiregistration.k8s.io/apiservices': 'apiregistration.k8s.io/apiservices',
};

/** Resources whose objects are stored as another kind: the same keys, another version. */
const storedAs: Record<string, [group: string, version: string]> = {
  'autoscaling/v1/horizontalpodautoscalers': ['autoscaling', 'v2'],
  'events.k8s.io/v1/events': ['', 'v1'],
};

/** DELETE answers the removed object instead of a Status. upstream: registry.Store ReturnDeletedObject. */
const answersDeleted = new Set([
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/resourceslices',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/deviceclasses',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/volumeattributesclasses',
  '/resourcequotas',
  '/persistentvolumes',
  '/serviceaccounts',
  '/persistentvolumeclaims',
  '/namespaces',
  '/pods',
  '/services',
  '/podtemplates',
]);

/** What a delete without a policy does with dependents. upstream: GarbageCollectionDeleteStrategy. */
const garbageCollection: Record<string, 'orphan' | 'unsupported'> = {
  '/replicationcontrollers': 'orphan',
  'batch/jobs': 'orphan',
  '/events': 'unsupported',
  'events.k8s.io/events': 'unsupported',
};

/** Traits of a resource's storage that no other kind shares. */
export interface StorageTraits {
  answersDeleted: boolean;
  garbageCollection: 'delete' | 'orphan' | 'unsupported';
  /** Seconds after which an object goes by itself. */
  ttl?: number;
  /** Need not be on disk before it is acknowledged. */
  deferred: boolean;
  /** Upstream reads it from etcd alone, so that a limit holds whatever revision is asked for. */
  uncached: boolean;
}

export function traitsOf(group: string, resource: string): StorageTraits {
  const name = `${group}/${resource}`;
  const events = resource === 'events' && (group === '' || group === 'events.k8s.io');
  return {
    answersDeleted: answersDeleted.has(name),
    garbageCollection: garbageCollection[name] ?? 'delete',
    ...(events && { ttl: 3600 }),
    uncached: events,
    deferred: events || name === 'coordination.k8s.io/leases',
  };
}

export const storagePrefix = (group: string, resource: string): string =>
  `/registry/${prefixes[`${group}/${resource}`] ?? (group === 'events.k8s.io' ? 'events' : resource)}/`;

/** Every request for one of these is warned. upstream: APILifecycleDeprecated of the types. */
const deprecations: Record<string, string> = {
  '/componentstatuses': 'v1 ComponentStatus is deprecated in v1.19+',
  '/endpoints': 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
};

/** Every built-in resource that is stored (reviews, bindings and component statuses are not). */
export const builtInResources = (): ServedResource[] => resources.filter(({ verbs }) => verbs.includes('watch')).map(servedOf);

/** How a built-in resource is served. */
export function servedOf(fact: ResourceFact): ServedResource {
  const kind = kindOf(fact);
  const stored = storedAs[`${fact.group}/${fact.version}/${fact.resource}`];
  const storageFact =
    stored && resources.find((other) => other.group === stored[0] && other.version === stored[1] && other.kind === fact.kind);
  return {
    fact,
    kind,
    rules: rulesFor(kind),
    storagePrefix: storagePrefix(fact.group, fact.resource),
    storageKind: storageFact ? kindOf(storageFact) : kind,
    ...(deprecations[`${fact.group}/${fact.resource}`] && { deprecation: deprecations[`${fact.group}/${fact.resource}`]! }),
  };
}
