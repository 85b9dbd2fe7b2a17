/**
 * One APIService for every group version that this server itself serves. Built-in ones are made at the start, those of custom
 * resources come and go with them. upstream: kube-aggregator/pkg/controllers/autoregister, pkg/controlplane/controller/crdregistration.
 */
import { APIService, CustomResourceDefinition } from '#api';
import { groups } from '#api/facts';
import type { KubeObject } from '#machinery/meta';
import { isAlreadyExists, isConflict, isNotFound } from '#machinery/status';
import type { ServerParts } from '../options.ts';

const automanaged = 'kube-aggregator.kubernetes.io/automanaged';
const untilDeleted = 'onstart';
const always = 'true';

type Priority = readonly [group: number, version: number];

/** How groups rank; the rest of the built-in ones come after. upstream: cmd/kube-apiserver/app/aggregator.go, pkg/controlplane/apiserver/aggregator.go. */
const groupRanks: Record<string, number> = {
  '': 18000,
  apps: 17800,
  'events.k8s.io': 17750,
  'authentication.k8s.io': 17700,
  'authorization.k8s.io': 17600,
  autoscaling: 17500,
  batch: 17400,
  'certificates.k8s.io': 17300,
  'networking.k8s.io': 17200,
  policy: 17100,
  'rbac.authorization.k8s.io': 17000,
  'storage.k8s.io': 16800,
  'apiextensions.k8s.io': 16700,
  'admissionregistration.k8s.io': 16700,
  'scheduling.k8s.io': 16600,
  'coordination.k8s.io': 16500,
  'node.k8s.io': 16300,
  'discovery.k8s.io': 16200,
  'resource.k8s.io': 16200,
  'flowcontrol.apiserver.k8s.io': 16100,
};
const versionRanks: Record<string, number> = {
  '/v1': 1,
  'autoscaling/v2': 30,
  'flowcontrol.apiserver.k8s.io/v1': 21,
  'resource.k8s.io/v1': 21,
};
const custom: Priority = [1000, 100];

const priorityOf = (group: string, version: string): Priority => [
  groupRanks[group] ?? 15000,
  versionRanks[`${group}/${version}`] ?? (/^v\d+$/.test(version) ? 15 : version.includes('beta') ? 9 : 1),
];

function serviceFor(group: string, version: string, [groupPriorityMinimum, versionPriority]: Priority, managed: string): APIService {
  return {
    metadata: { name: `${version}.${group}`, labels: { [automanaged]: managed } },
    spec: { ...(group && { group }), version, groupPriorityMinimum, versionPriority },
  };
}

/** Creates what is missing at the start. */
export async function registerBuiltIn({ client, informers }: ServerParts): Promise<void> {
  const informer = informers.for(APIService);
  await informer.synced;
  const wanted = groups
    .filter(({ name }) => name !== 'apiregistration.k8s.io')
    .flatMap(({ name, versions }) => versions.map((version) => serviceFor(name, version, priorityOf(name, version), untilDeleted)));
  await Promise.all(wanted.map((service) => ensure(client, informer.get(service.metadata!.name!), service)));
}

async function ensure(client: ServerParts['client'], present: KubeObject | undefined, service: APIService): Promise<void> {
  if (present) return;
  try {
    await client.create(APIService, service);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

/** Brings the APIService of one group version of custom resources to what definitions say. */
export async function registerCustom({ client, informers }: ServerParts, group: string, version: string): Promise<void> {
  const name = `${version}.${group}`;
  const present = informers.for(APIService).get(name);
  const served = informers
    .for(CustomResourceDefinition)
    .list()
    .some(
      ({ spec, status }) =>
        spec.group === group &&
        spec.versions.some((each) => each.name === version && each.served) &&
        status?.conditions?.some((condition) => condition.type === 'Established' && condition.status === 'True'),
    );
  const managed = present?.metadata?.labels?.[automanaged] === always;
  try {
    if (served) await ensure(client, present, serviceFor(group, version, custom, always));
    else if (present && managed && !present.spec?.service)
      await client.delete(APIService, { name }, { preconditions: { uid: present.metadata!.uid! } });
  } catch (error) {
    // Someone else was faster: the change comes by the informer.
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}
