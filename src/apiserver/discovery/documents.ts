/**
 * What is served, as documents: the old ones (a group, a version at a time) and the aggregated ones (everything at once).
 * upstream: apiserver/pkg/endpoints/discovery, discovery/aggregated.
 */
import { createHash } from 'node:crypto';
import { groups as builtInGroups, resourceFact, resources as builtInResources } from '#api/facts';
import type { ResourceFact } from '#api/facts';
import type { KubeObject } from '#machinery/meta';
import type { ResourceTable } from '../registry/table.ts';

export interface VersionEntry {
  version: string;
  resources: readonly ResourceFact[];
  /** Of a server that does not answer at present. */
  stale?: boolean;
}

export interface DiscoveryGroup {
  name: string;
  /** Best first. */
  versions: VersionEntry[];
}

/** Groups beyond the built-in ones and the table's: aggregated APIs. */
export type GroupSource = () => readonly DiscoveryGroup[];

/** All groups, the core one ("") first, then built-in ones in their order, then the others by name. */
export function groupsOf(table: ResourceTable, sources: readonly GroupSource[]): DiscoveryGroup[] {
  const groups = new Map<string, DiscoveryGroup>();
  for (const { name, versions } of builtInGroups)
    groups.set(name, {
      name,
      versions: versions.map((version) => ({
        version,
        resources: builtInResources.filter((fact) => fact.group === name && fact.version === version),
      })),
    });
  const more: DiscoveryGroup[] = [];
  const added = new Map<string, DiscoveryGroup>();
  for (const { served } of table.entries()) {
    const { fact } = served;
    if (resourceFact(fact.group, fact.version, fact.resource) === fact) continue;
    let group = added.get(fact.group);
    if (!group) added.set(fact.group, (group = { name: fact.group, versions: [] }));
    let version = group.versions.find((entry) => entry.version === fact.version);
    if (!version) group.versions.push((version = { version: fact.version, resources: [] }));
    version.resources = [...version.resources, fact].sort((a, b) => (a.resource < b.resource ? -1 : 1));
  }
  for (const group of added.values()) group.versions.sort((a, b) => compareVersions(b.version, a.version));
  more.push(...added.values());
  for (const source of sources) more.push(...source());
  for (const group of more.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const known = groups.get(group.name);
    if (known) groups.set(group.name, { ...known, versions: [...known.versions, ...group.versions] });
    else groups.set(group.name, group);
  }
  return [...groups.values()];
}

const kubeVersion = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/;

/** GA over beta over alpha, then by number. upstream: apimachinery/pkg/version CompareKubeAwareVersionStrings. */
export function compareVersions(a: string, b: string): number {
  const left = kubeVersion.exec(a);
  const right = kubeVersion.exec(b);
  if (!left || !right) return left ? 1 : right ? -1 : a < b ? 1 : a > b ? -1 : 0;
  const rank = (level: string | undefined): number => (level === undefined ? 2 : level === 'beta' ? 1 : 0);
  return rank(left[2]) - rank(right[2]) || Number(left[1]) - Number(right[1]) || Number(left[3] ?? 0) - Number(right[3] ?? 0);
}

const groupVersion = (group: string, version: string): string => (group ? `${group}/${version}` : version);

export const apiVersions = (address: string): KubeObject & { versions: string[]; serverAddressByClientCIDRs: object[] } => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
});

export function apiGroup({ name, versions }: DiscoveryGroup): object {
  const listed = versions.map(({ version }) => ({ groupVersion: groupVersion(name, version), version }));
  return { name, versions: listed, preferredVersion: listed[0] };
}

export const apiGroupList = (groups: readonly DiscoveryGroup[]): KubeObject & { groups: object[] } => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: groups.filter(({ name }) => name !== '').map(apiGroup),
});

/** Kinds whose storage version upstream keeps behind the version they are served in. */
const storedBehind: Record<string, string> = {
  'apiextensions.k8s.io/CustomResourceDefinition': 'v1beta1',
  'storage.k8s.io/VolumeAttributesClass': 'v1beta1',
};

/** By which a client sees that the version changed in which a resource is stored. upstream: endpoints/discovery/storageversionhash.go. */
function storageVersionHash(fact: ResourceFact, table: ResourceTable): string {
  const { group, version, kind } = table.find(fact.group, fact.version, fact.resource)?.served.storageKind ?? fact;
  const stored = storedBehind[`${group}/${kind}`] ?? version;
  return createHash('sha256').update(`${group}/${stored}/${kind}`).digest().subarray(0, 8).toString('base64');
}

export function apiResourceList(group: string, { version, resources }: VersionEntry, table: ResourceTable): KubeObject {
  const listed: { name: string }[] = [];
  for (const fact of resources) {
    listed.push({
      name: fact.resource,
      singularName: fact.singular,
      namespaced: fact.namespaced,
      kind: fact.kind,
      verbs: fact.verbs,
      ...(fact.shortNames && { shortNames: fact.shortNames }),
      ...(fact.categories && { categories: fact.categories }),
      ...(fact.verbs.includes('watch') && { storageVersionHash: storageVersionHash(fact, table) }),
    } as { name: string });
    for (const sub of fact.subresources)
      listed.push({
        name: `${fact.resource}/${sub.name}`,
        singularName: '',
        namespaced: fact.namespaced,
        ...(sub.group !== undefined && { group: sub.group }),
        ...(sub.version !== undefined && { version: sub.version }),
        kind: sub.kind,
        verbs: sub.verbs,
      } as { name: string });
  }
  // Custom resources are listed in the order of their definitions. upstream: customresource_discovery_controller.go.
  if (resources.some(({ type }) => type !== '')) listed.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  // Upstream's core group says nothing of its document's own version.
  return {
    kind: 'APIResourceList',
    ...(group && { apiVersion: 'v1' }),
    groupVersion: groupVersion(group, version),
    resources: listed,
  } as KubeObject;
}

export function aggregated(groups: readonly DiscoveryGroup[], apiVersion: string): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${apiVersion}`,
    metadata: {},
    items: groups.map(({ name, versions }) => ({
      metadata: { ...(name && { name }) },
      versions: versions.map(({ version, resources, stale }) => ({
        version,
        resources: resources.map((fact) => ({
          resource: fact.resource,
          // Where a kind is of the group and version it is listed under, upstream leaves both empty.
          responseKind: { group: '', version: '', kind: fact.kind },
          scope: fact.namespaced ? 'Namespaced' : 'Cluster',
          singularResource: fact.singular,
          verbs: fact.verbs,
          ...(fact.shortNames && { shortNames: fact.shortNames }),
          ...(fact.categories && { categories: fact.categories }),
          ...(fact.subresources.length > 0 && {
            subresources: fact.subresources.map((sub) => ({
              subresource: sub.name,
              responseKind: { group: sub.group ?? '', version: sub.version ?? '', kind: sub.kind },
              verbs: sub.verbs,
            })),
          }),
        })),
        freshness: stale ? 'Stale' : 'Current',
      })),
    })),
  };
}
