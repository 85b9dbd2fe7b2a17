import { PersistentVolumeClaim as ClaimKind, Pod as PodKind } from '#api';
import { controllerOf, draft } from '#machinery/meta';
import { isAlreadyExists } from '#machinery/status';
import type { ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { controllerReference } from '../owner.ts';
import { messageOf } from '../pod-control.ts';

/** Makes the claims that pods bring along with their ephemeral volumes; they go with the pod. upstream: pkg/controller/volume/ephemeral. */
export const ephemeralVolumeController: ControllerFactory = () => ({
  name: 'ephemeral-volume-controller',
  serviceAccount: 'ephemeral-volume-controller',
  component: 'ephemeral_volume',
  watches: [
    source(PodKind, { when: (pod, _old, event) => event === 'added' && pod.spec?.volumes?.some(({ ephemeral }) => ephemeral) === true }),
    source(ClaimKind, {
      keys: (claim) => {
        const owner = controllerOf(claim);
        return owner?.kind === 'Pod' ? [`${claim.metadata!.namespace}/${owner.name}`] : [];
      },
      when: (_claim, _old, event) => event === 'deleted',
    }),
  ],
  async reconcile(context, key) {
    const pod = context.lister(PodKind).get(key);
    if (!pod || pod.metadata!.deletionTimestamp) return;
    const { namespace } = pod.metadata!;
    for (const { name: volume, ephemeral } of pod.spec?.volumes ?? []) {
      if (!ephemeral?.volumeClaimTemplate) continue;
      const name = `${pod.metadata!.name}-${volume}`;
      const { metadata, spec } = ephemeral.volumeClaimTemplate;
      try {
        const existing = context.lister(ClaimKind).get(`${namespace}/${name}`);
        if (existing && controllerOf(existing)?.uid !== pod.metadata!.uid)
          throw new Error(`PVC ${namespace}/${name} was not created for pod ${namespace}/${pod.metadata!.name} (pod is not owner)`);
        if (existing) continue;
        await context.client.create(ClaimKind, {
          metadata: {
            name,
            namespace: namespace!,
            ...(metadata?.labels && { labels: { ...metadata.labels } }),
            ...(metadata?.annotations && { annotations: { ...metadata.annotations } }),
            ownerReferences: [controllerReference(PodKind, pod)],
          },
          spec: draft(spec),
        });
      } catch (error) {
        if (isAlreadyExists(error)) throw error;
        context.events.event(pod, 'Warning', 'FailedBinding', `ephemeral volume ${volume}: ${messageOf(error)}`);
        throw error;
      }
    }
  },
});
