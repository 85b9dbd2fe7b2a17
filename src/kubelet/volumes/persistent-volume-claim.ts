import { stat } from 'node:fs/promises';
import type { PersistentVolume, Pod, Volume } from '#api';
import { nameOf, namespaceOf, uidOf } from '../pod-spec.ts';
import type { MountedVolume, VolumeDependencies, VolumePlugin } from './contract.ts';
import { checkHostPath } from './host-path.ts';
import { setOwnership } from './ownership.ts';

const gidAnnotation = 'pv.beta.kubernetes.io/gid';

async function mounted(pod: Pod, volume: PersistentVolume, readOnly: boolean, deps: VolumeDependencies): Promise<MountedVolume> {
  const { spec = {} } = volume;
  const gid = Number(volume.metadata?.annotations?.[gidAnnotation]);
  const groups = Number.isInteger(gid) && gid > 0 ? { groups: [gid] } : {};
  if (spec.hostPath) {
    if (!deps.simulated) await checkHostPath(spec.hostPath);
    return { path: spec.hostPath.path, readOnly, ...groups };
  }
  if (spec.local) {
    if (!deps.simulated) {
      await stat(spec.local.path).catch((error: unknown) => {
        throw new Error(`path "${spec.local!.path}" does not exist`, { cause: error });
      });
      if (!readOnly) await setOwnership(pod, spec.local.path, false);
    }
    return { path: spec.local.path, readOnly, ...groups };
  }
  throw new Error(`no volume plugin matched for PersistentVolume "${volume.metadata?.name ?? ''}"`);
}

function claimName(pod: Pod, volume: Volume): string {
  return volume.persistentVolumeClaim?.claimName ?? `${nameOf(pod)}-${volume.name}`;
}

/** Claims, and the ones made for a pod alone (ephemeral). upstream: pkg/kubelet/volumemanager/populator, pkg/volume/{hostpath,local}. */
export const persistentVolumeClaimPlugin: VolumePlugin = {
  name: 'kubernetes.io/local-volume',
  handles: (volume) => volume.persistentVolumeClaim !== undefined || volume.ephemeral !== undefined,
  async setUp(pod, volume, _directory, deps) {
    const name = claimName(pod, volume);
    const namespace = namespaceOf(pod);
    const claim = await deps.objects.claim(namespace, name);
    if (!claim)
      throw new Error(
        `error processing PVC ${namespace}/${name}: failed to fetch PVC from API server: persistentvolumeclaims "${name}" not found`,
      );
    if (volume.ephemeral && !claim.metadata?.ownerReferences?.some(({ uid, controller }) => uid === uidOf(pod) && controller))
      throw new Error(`PVC ${namespace}/${name} was not created for pod ${namespace}/${nameOf(pod)} (pod is not owner)`);
    if (claim.metadata?.deletionTimestamp && !claim.metadata.finalizers?.length)
      throw new Error(`error processing PVC ${namespace}/${name}: PVC is being deleted`);
    if (claim.status?.phase !== 'Bound' || !claim.spec?.volumeName)
      throw new Error(`error processing PVC ${namespace}/${name}: PVC is not bound`);
    const found = await deps.objects.volume(claim.spec.volumeName);
    if (!found) throw new Error(`persistentvolumes "${claim.spec.volumeName}" not found`);
    if (found.spec?.claimRef?.uid && found.spec.claimRef.uid !== claim.metadata?.uid)
      throw new Error(`PV ${claim.spec.volumeName} does not have the correct claim: it is bound to another`);
    const readOnly = volume.persistentVolumeClaim?.readOnly === true;
    return mounted(pod, found, readOnly, deps);
  },
};
