import { PersistentVolume, PersistentVolumeClaim, StorageClass } from '#api';
import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import { constant, skip, unresolvable } from '../framework/status.ts';
import { claimNameOf, classOf } from './volume-binder.ts';

const name = 'VolumeZone';
const reason = constant(name, unresolvable('node(s) had no available volume zone'));

const keys = [
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
];
/** The older and newer names of one label stand for each other. */
const otherName: Record<string, string> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone': 'failure-domain.beta.kubernetes.io/zone',
  'topology.kubernetes.io/region': 'failure-domain.beta.kubernetes.io/region',
};

interface Place {
  key: string;
  values: Set<string>;
}

/** Volumes with zone labels are reached from their zone alone. upstream: plugins/volumezone. */
export const volumeZone: PluginFactory = ({ informers }) => {
  const claims = informers.for(PersistentVolumeClaim);
  const volumes = informers.for(PersistentVolume);
  const classes = informers.for(StorageClass);
  return {
    name,
    events: () => [
      { event: { resource: 'StorageClass', actions: action.add } },
      { event: { resource: 'Node', actions: action.add | action.nodeLabel } },
      { event: { resource: 'PersistentVolumeClaim', actions: action.add | action.other } },
      { event: { resource: 'PersistentVolume', actions: action.add | action.other } },
    ],
    preFilter(state, { pod }) {
      const places: Place[] = [];
      for (const volume of pod.spec?.volumes ?? []) {
        const claimName = claimNameOf(pod, volume);
        if (claimName === undefined) continue;
        const claim = claims.get(`${pod.metadata?.namespace}/${claimName}`);
        if (!claim) return { status: unresolvable(`persistentvolumeclaim "${claimName}" not found`) };
        const volumeName = claim.spec?.volumeName;
        if (!volumeName) {
          const className = classOf(claim);
          if (!className) return { status: unresolvable('PersistentVolumeClaim had no pv name and storageClass name') };
          // Bound when the pod's node is known: then there is no zone to keep to yet.
          if (classes.get(className)?.volumeBindingMode === 'WaitForFirstConsumer') continue;
          return { status: unresolvable('PersistentVolume had no name') };
        }
        const labels = volumes.get(volumeName)?.metadata?.labels ?? {};
        for (const key of keys) {
          const value = labels[key];
          if (value !== undefined) places.push({ key, values: new Set(value.split('__')) });
        }
      }
      if (places.length === 0) return { status: skip };
      state.write(name, places);
      return undefined;
    },
    filter(state, _pod, node) {
      const labels = node.labels;
      // A node without any such label is taken for one in the only zone there is.
      if (!keys.some((key) => labels[key] !== undefined)) return undefined;
      for (const { key, values } of state.read<Place[]>(name)!) {
        const value = labels[key] ?? labels[otherName[key]!];
        if (value === undefined || !values.has(value)) return reason;
      }
      return undefined;
    },
  };
};
