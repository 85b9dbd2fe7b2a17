import type { Pod, ResourceV1ResourceClaim as ResourceClaim } from '#api';
import { Pod as PodKind, ResourceClaimTemplate as TemplateKind, ResourceV1ResourceClaim as ClaimKind } from '#api';
import { controllerOf, draft, keyOf } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { ControllerContext, ControllerFactory } from './contract.ts';
import { source } from './contract.ts';
import { messageOf } from './pod-control.ts';
import { isPodTerminal } from './pods.ts';

type PodClaim = NonNullable<NonNullable<Pod['spec']>['resourceClaims']>[number];

const podClaimAnnotation = 'resource.kubernetes.io/pod-claim-name';
/** Of claims that the scheduler allocated. */
const finalizer = 'resource.kubernetes.io/delete-protection';
/** A claim serves so many pods at most. */
const mostConsumers = 256;

const podPrefix = 'pod ';
const claimPrefix = 'claim ';

const isDone = (pod: Pod): boolean => isPodTerminal(pod) || (pod.metadata!.deletionTimestamp !== undefined && !pod.spec?.nodeName);

/** The claim's name as the pod gives or its status says; undefined while it is not made, '' where none is needed. */
function claimName(pod: Pod, { name, resourceClaimName, resourceClaimTemplateName }: PodClaim): string | undefined {
  if (resourceClaimName !== undefined) return resourceClaimName;
  if (resourceClaimTemplateName === undefined) return '';
  const status = pod.status?.resourceClaimStatuses?.find((each) => each.name === name);
  return status && (status.resourceClaimName ?? '');
}

const claimKeys = (pod: Pod): string[] =>
  (pod.spec?.resourceClaims ?? []).flatMap((each) => {
    const name = claimName(pod, each);
    return name ? [`${pod.metadata!.namespace}/${name}`] : [];
  });
const owningPod = (claim: ResourceClaim): string[] => {
  const owner = controllerOf(claim);
  return owner?.kind === 'Pod' ? [owner.uid] : [];
};
const isFor = (claim: ResourceClaim, pod: Pod): boolean => controllerOf(claim)?.uid === pod.metadata!.uid;

/** "pod-claim-", both shortened in proportion where that is too long for a name. */
function generateName(pod: string, claim: string): string {
  const whole = `${pod}-${claim}-`;
  const most = 57;
  if (whole.length <= most) return whole;
  const cut = (text: string): string => text.slice(0, Math.floor((text.length * most) / whole.length));
  return `${cut(pod)}-${cut(claim)}`;
}

/** Makes the claims that pods want from templates, reserves claims for pods on nodes, and gives up what nobody uses. upstream: pkg/controller/resourceclaim. */
export const resourceClaimController: ControllerFactory = () => ({
  name: 'resourceclaim-controller',
  serviceAccount: 'resource-claim-controller',
  component: 'resource_claim',
  watches: [
    source(PodKind, {
      keys: (pod) => [podPrefix + keyOf(pod), ...claimKeys(pod).map((key) => claimPrefix + key)],
      when: (pod) => (pod.spec?.resourceClaims?.length ?? 0) > 0,
    }),
    source(ClaimKind, {
      keys: (claim, context) => [
        claimPrefix + keyOf(claim),
        ...context
          .lister(PodKind)
          .byIndex('resource-claim', keyOf(claim))
          .map((pod) => podPrefix + keyOf(pod)),
      ],
    }),
    source(TemplateKind, {
      // Pods that wait for their template.
      keys: (template, context) =>
        context
          .lister(PodKind)
          .list(template.metadata!.namespace)
          .filter((pod) => pod.spec?.resourceClaims?.some((each) => each.resourceClaimTemplateName === template.metadata!.name))
          .map((pod) => podPrefix + keyOf(pod)),
      when: (_template, _old, event) => event === 'added',
    }),
  ],
  setup(context) {
    context.lister(PodKind).addIndex('resource-claim', claimKeys);
    context.lister(ClaimKind).addIndex('owning-pod', owningPod);
  },
  async reconcile(context, key) {
    if (key.startsWith(podPrefix)) {
      const pod = context.lister(PodKind).get(key.slice(podPrefix.length));
      if (pod) await syncPod(context, pod);
      return;
    }
    const claim = context.lister(ClaimKind).get(key.slice(claimPrefix.length));
    if (claim) await syncClaim(context, claim);
  },
});

async function syncPod(context: ControllerContext, pod: Pod): Promise<void> {
  if (isDone(pod) || pod.metadata!.deletionTimestamp) {
    // A pod that will not run holds on to nothing.
    for (const key of claimKeys(pod)) context.enqueue(claimPrefix + key);
    return;
  }
  const made = new Map<string, string>();
  for (const wanted of pod.spec?.resourceClaims ?? [])
    try {
      const name = await claimFor(context, pod, wanted);
      if (name !== undefined) made.set(wanted.name, name);
    } catch (error) {
      context.events.event(pod, 'Warning', 'FailedResourceClaimCreation', `PodResourceClaim ${wanted.name}: ${messageOf(error)}`);
      throw error;
    }
  if (made.size) {
    const resourceClaimStatuses = [...made].map(([name, resourceClaimName]) => ({ name, resourceClaimName }));
    const body = { metadata: { uid: pod.metadata!.uid }, status: { resourceClaimStatuses } };
    const ref = pod.metadata as { namespace: string; name: string };
    await context.client.patch(PodKind, ref, 'strategic', body, { subresource: 'status' });
    return;
  }
  if (!pod.spec?.nodeName) return;
  // A pod that was put on its node without the scheduler: its claims, if they are allocated, are reserved for it.
  for (const key of claimKeys(pod)) {
    const claim = context.lister(ClaimKind).get(key);
    const { allocation, reservedFor = [] } = claim?.status ?? {};
    if (!claim || !allocation || reservedFor.some(({ uid }) => uid === pod.metadata!.uid) || reservedFor.length >= mostConsumers) continue;
    const consumer = { resource: 'pods', name: pod.metadata!.name!, uid: pod.metadata!.uid! };
    await context.client.updateStatus(ClaimKind, { ...claim, status: { ...claim.status, reservedFor: [...reservedFor, consumer] } });
  }
}

/** The name of the claim made for a pod, where the pod's status does not say it yet. */
async function claimFor(context: ControllerContext, pod: Pod, wanted: PodClaim): Promise<string | undefined> {
  const name = claimName(pod, wanted);
  if (name === '' || wanted.resourceClaimTemplateName === undefined) return undefined;
  const { namespace } = pod.metadata!;
  if (name !== undefined) {
    const claim = context.lister(ClaimKind).get(`${namespace}/${name}`);
    if (claim && isFor(claim, pod)) return undefined;
  }
  const existing = context
    .lister(ClaimKind)
    .byIndex('owning-pod', pod.metadata!.uid!)
    .find((each) => each.metadata!.annotations?.[podClaimAnnotation] === wanted.name);
  if (existing) return existing.metadata!.name!;
  const template = context.lister(TemplateKind).get(`${namespace}/${wanted.resourceClaimTemplateName}`);
  if (!template)
    throw new Error(
      `resource claim template "${wanted.resourceClaimTemplateName}": resourceclaimtemplate.resource.k8s.io "${wanted.resourceClaimTemplateName}" not found`,
    );
  const { metadata, spec } = template.spec;
  const claim = await context.client.create(ClaimKind, {
    metadata: {
      generateName: generateName(pod.metadata!.name!, wanted.name),
      namespace: namespace!,
      ...(metadata?.labels && { labels: { ...metadata.labels } }),
      annotations: { ...metadata?.annotations, [podClaimAnnotation]: wanted.name },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: pod.metadata!.name!, uid: pod.metadata!.uid!, controller: true }],
    },
    spec: draft(spec),
  });
  return claim.metadata!.name!;
}

async function consumerExists(
  context: ControllerContext,
  namespace: string,
  { name, uid }: { name: string; uid: string },
): Promise<boolean> {
  let pod = context.lister(PodKind).get(`${namespace}/${name}`);
  if (!pod)
    try {
      pod = await context.client.get(PodKind, { namespace, name });
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  return pod.metadata!.uid === uid && !isDone(pod);
}

async function syncClaim(context: ControllerContext, claim: ResourceClaim): Promise<void> {
  const { client } = context;
  const namespace = claim.metadata!.namespace!;
  const reservedFor = claim.status?.reservedFor ?? [];
  const valid: typeof reservedFor = [];
  for (const consumer of reservedFor) {
    if (consumer.apiGroup || consumer.resource !== 'pods') throw new Error(`unsupported ReservedFor entry: ${JSON.stringify(consumer)}`);
    if (await consumerExists(context, namespace, consumer)) valid.push(consumer);
  }
  let current = claim;
  const ours = claim.metadata!.finalizers?.includes(finalizer) === true;
  const release = ours && valid.length === 0 && (reservedFor.length > 0 || claim.metadata!.deletionTimestamp !== undefined);
  if (valid.length < reservedFor.length || (release && claim.status?.allocation)) {
    const { allocation, ...status } = claim.status!;
    current = await client.updateStatus(ClaimKind, {
      ...claim,
      status: { ...status, reservedFor: valid, ...(allocation && !release && { allocation }) },
    });
  }
  if (release) {
    const finalizers = current.metadata!.finalizers!.filter((each) => each !== finalizer);
    current = await client.update(ClaimKind, { ...current, metadata: { ...current.metadata, finalizers } });
  }
  const owner = controllerOf(claim);
  if (valid.length > 0 || owner?.kind !== 'Pod') return;
  // A claim made for a pod goes when that pod is done; should the pod be gone, the garbage collector sees to it.
  const pod = context.lister(PodKind).get(`${namespace}/${owner.name}`);
  if (!pod || (pod.metadata!.uid === owner.uid && !isDone(pod))) return;
  await client.delete(ClaimKind, { namespace, name: claim.metadata!.name! }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}
