import type { Kind, Pod } from '#api';
import { PersistentVolume as VolumeKind, PersistentVolumeClaim as ClaimKind, Pod as PodKind } from '#api';
import type { KubeObject } from '#machinery/meta';
import { keyOf } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { isPodTerminal } from '../pods.ts';

const claimFinalizer = 'kubernetes.io/pvc-protection';
const volumeFinalizer = 'kubernetes.io/pv-protection';

/** Keys of the claims a pod uses, those made for its ephemeral volumes included. */
export const claimsUsedBy = (pod: Pod): string[] =>
  (pod.spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    const claim = persistentVolumeClaim?.claimName ?? (ephemeral ? `${pod.metadata!.name}-${name}` : undefined);
    return claim ? [`${pod.metadata!.namespace}/${claim}`] : [];
  });

/** A pod uses its claims from when it is on a node until it has ended. */
const uses = (pod: Pod): boolean => Boolean(pod.spec?.nodeName) && !isPodTerminal(pod);

async function setFinalizers<T extends KubeObject>(
  context: ControllerContext,
  kind: Kind<T>,
  object: T,
  finalizers: string[],
): Promise<void> {
  await context.client.update(kind, { ...object, metadata: { ...object.metadata, finalizers } }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}

/** Keeps a claim that is being deleted until no pod uses it. upstream: pkg/controller/volume/pvcprotection. */
export const claimProtectionController: ControllerFactory = () => ({
  name: 'persistentvolumeclaim-protection-controller',
  serviceAccount: 'pvc-protection-controller',
  watches: [
    source(ClaimKind, { when: (_claim, _old, event) => event !== 'deleted' }),
    source(PodKind, {
      keys: claimsUsedBy,
      when: (pod, old, event) => event === 'deleted' || !uses(pod) || (old !== undefined && old.metadata!.uid !== pod.metadata!.uid),
    }),
  ],
  setup(context) {
    context.lister(PodKind).addIndex('claim', claimsUsedBy);
  },
  async reconcile(context, key) {
    const claim = context.lister(ClaimKind).get(key);
    if (!claim) return;
    const finalizers = claim.metadata!.finalizers ?? [];
    const has = finalizers.includes(claimFinalizer);
    if (!claim.metadata!.deletionTimestamp) {
      if (!has) await setFinalizers(context, ClaimKind, claim, [...finalizers, claimFinalizer]);
      return;
    }
    if (!has) return;
    if (context.lister(PodKind).byIndex('claim', key).some(uses)) return;
    // The cache may lack a pod that was bound just now.
    const live = await context.client.list(PodKind, { namespace: claim.metadata!.namespace! });
    if (live.items.some((pod) => uses(pod) && claimsUsedBy(pod).includes(key))) return;
    await setFinalizers(
      context,
      ClaimKind,
      claim,
      finalizers.filter((each) => each !== claimFinalizer),
    );
  },
});

/** Keeps a volume that is being deleted while it is bound. upstream: pkg/controller/volume/pvprotection. */
export const volumeProtectionController: ControllerFactory = () => ({
  name: 'persistentvolume-protection-controller',
  serviceAccount: 'pv-protection-controller',
  watches: [source(VolumeKind, { when: (_volume, _old, event) => event !== 'deleted' })],
  async reconcile(context, key) {
    const volume = context.lister(VolumeKind).get(key);
    if (!volume) return;
    const finalizers = volume.metadata!.finalizers ?? [];
    const has = finalizers.includes(volumeFinalizer);
    if (!volume.metadata!.deletionTimestamp) {
      if (!has) await setFinalizers(context, VolumeKind, volume, [...finalizers, volumeFinalizer]);
      return;
    }
    if (!has || volume.status?.phase === 'Bound') return;
    context.log.debug('A volume that nobody uses may go', { volume: keyOf(volume) });
    await setFinalizers(
      context,
      VolumeKind,
      volume,
      finalizers.filter((each) => each !== volumeFinalizer),
    );
  },
});
