import { PersistentVolumeClaim } from '#api';
import type { Pod, Volume } from '#api';
import type { PodInfo } from '../cache/pod-info.ts';
import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import { constant, skip, unresolvable, unschedulable } from '../framework/status.ts';
import { claimNameOf } from './volume-binder.ts';

const name = 'VolumeRestrictions';
const diskReason = constant(name, unschedulable('node(s) had no available disk'));
const singlePodReason = constant(
  name,
  unschedulable('node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod'),
);

/** Disks that only one pod of a node may write to. upstream: isVolumeConflict. */
const isDisk = (volume: Volume): boolean =>
  (volume.gcePersistentDisk ?? volume.awsElasticBlockStore ?? volume.iscsi ?? volume.rbd) !== undefined;

function conflicts(a: Volume, b: Volume): boolean {
  if (a.gcePersistentDisk && b.gcePersistentDisk)
    return a.gcePersistentDisk.pdName === b.gcePersistentDisk.pdName && !(a.gcePersistentDisk.readOnly && b.gcePersistentDisk.readOnly);
  if (a.awsElasticBlockStore && b.awsElasticBlockStore) return a.awsElasticBlockStore.volumeID === b.awsElasticBlockStore.volumeID;
  if (a.iscsi && b.iscsi) return a.iscsi.iqn === b.iscsi.iqn && !(a.iscsi.readOnly && b.iscsi.readOnly);
  if (a.rbd && b.rbd)
    return (
      a.rbd.monitors.some((monitor) => b.rbd!.monitors.includes(monitor)) &&
      (a.rbd.pool ?? 'rbd') === (b.rbd.pool ?? 'rbd') &&
      a.rbd.image === b.rbd.image &&
      !(a.rbd.readOnly && b.rbd.readOnly)
    );
  return false;
}

interface State {
  /** Claims that one pod alone may use. */
  claims: ReadonlySet<string>;
  /** Pods that use one of them. */
  users: number;
  clone(): State;
}
const stateOf = (claims: ReadonlySet<string>, users: number): State => ({
  claims,
  users,
  clone() {
    return stateOf(claims, this.users);
  },
});

const claimKeys = (pod: Pod): string[] =>
  (pod.spec?.volumes ?? []).flatMap((volume) => {
    const claim = claimNameOf(pod, volume);
    return claim === undefined ? [] : [`${pod.metadata?.namespace}/${claim}`];
  });

/** Volumes that cannot be shared: the disks above, and claims with access mode ReadWriteOncePod. upstream: plugins/volumerestrictions. */
export const volumeRestrictions: PluginFactory = ({ cache, informers }) => {
  const claims = informers.for(PersistentVolumeClaim);
  const change = (state: State | undefined, other: PodInfo, by: number): void => {
    if (state) state.users += by * claimKeys(other.pod).filter((key) => state.claims.has(key)).length;
  };
  return {
    name,
    events: () => [
      {
        event: { resource: 'Pod', actions: action.delete },
        hint: (pod, old: Pod | undefined) => (old && sharesVolume(pod, old) ? 'queue' : 'skip'),
      },
      { event: { resource: 'Node', actions: action.add } },
      { event: { resource: 'PersistentVolumeClaim', actions: action.add | action.other } },
    ],
    preFilter(state, { pod }) {
      const volumes = pod.spec?.volumes ?? [];
      if (!volumes.some((volume) => isDisk(volume) || claimNameOf(pod, volume) !== undefined)) return { status: skip };
      const single = new Set<string>();
      let users = 0;
      for (const key of claimKeys(pod)) {
        const claim = claims.get(key);
        if (!claim) return { status: unresolvable(`persistentvolumeclaim "${key.split('/')[1]}" not found`) };
        if (!claim.spec?.accessModes?.includes('ReadWriteOncePod')) continue;
        single.add(key);
        users += cache.usersOfClaim(key)?.size ?? 0;
      }
      if (single.size === 0 && !volumes.some(isDisk)) return { status: skip };
      state.write(name, stateOf(single, users));
      return undefined;
    },
    addPod: (state, _pod, other) => change(state.read<State>(name), other, 1),
    removePod: (state, _pod, other) => change(state.read<State>(name), other, -1),
    filter(state, { pod }, node) {
      const disks = (pod.spec?.volumes ?? []).filter(isDisk);
      if (disks.length)
        for (const other of node.pods.values())
          if (other.pod.spec?.volumes?.some((volume) => disks.some((disk) => conflicts(disk, volume)))) return diskReason;
      return state.read<State>(name)!.users > 0 ? singlePodReason : undefined;
    },
  };
};

function sharesVolume(pod: Pod, old: Pod): boolean {
  const keys = new Set(claimKeys(pod));
  if (claimKeys(old).some((key) => keys.has(key))) return true;
  return (pod.spec?.volumes ?? []).some((volume) => old.spec?.volumes?.some((other) => conflicts(volume, other)));
}
