import { CSINode, PersistentVolume, PersistentVolumeClaim, StorageClass } from '#api';
import type { Pod } from '#api';
import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import { constant, skip, unschedulable } from '../framework/status.ts';
import { claimNameOf, classOf } from './volume-binder.ts';

const name = 'NodeVolumeLimits';
const reason = constant(name, unschedulable('node(s) exceed max volume count'));

/** Nodes take as many volumes of a CSI driver as their CSINode says. upstream: plugins/nodevolumelimits/csi.go. */
export const nodeVolumeLimits: PluginFactory = ({ informers }) => {
  const csiNodes = informers.for(CSINode);
  const claims = informers.for(PersistentVolumeClaim);
  const volumes = informers.for(PersistentVolume);
  const classes = informers.for(StorageClass);

  /** Unique volume → its driver, for all volumes of a pod that CSI drivers attach. */
  function attached(pod: Pod): Map<string, string> {
    const result = new Map<string, string>();
    for (const volume of pod.spec?.volumes ?? []) {
      const claimName = claimNameOf(pod, volume);
      if (claimName === undefined) continue;
      const key = `${pod.metadata?.namespace}/${claimName}`;
      const claim = claims.get(key);
      if (!claim) continue;
      const csi = claim.spec?.volumeName ? volumes.get(claim.spec.volumeName)?.spec?.csi : undefined;
      if (csi) result.set(`${csi.driver}/${csi.volumeHandle}`, csi.driver);
      else {
        // Not bound yet: one more of whatever will provision it.
        const provisioner = classes.get(classOf(claim))?.provisioner;
        if (provisioner && !claim.spec?.volumeName) result.set(`${provisioner}/${key}`, provisioner);
      }
    }
    return result;
  }

  return {
    name,
    events: () => [
      { event: { resource: 'CSINode', actions: action.add | action.other } },
      {
        event: { resource: 'Pod', actions: action.delete },
        hint: (_pod, old: Pod | undefined) => (old && attached(old).size ? 'queue' : 'skip'),
      },
      { event: { resource: 'PersistentVolumeClaim', actions: action.add } },
      { event: { resource: 'VolumeAttachment', actions: action.delete } },
    ],
    preFilter: (_state, { pod }) =>
      pod.spec?.volumes?.some((volume) => claimNameOf(pod, volume) !== undefined) ? undefined : { status: skip },
    filter(_state, { pod }, node) {
      const added = attached(pod);
      if (added.size === 0) return undefined;
      const limits = new Map<string, number>();
      for (const driver of csiNodes.get(node.name)?.spec.drivers ?? [])
        if (driver.allocatable?.count !== undefined) limits.set(driver.name, driver.allocatable.count);
      if (limits.size === 0) return undefined;
      const present = new Map<string, string>();
      for (const other of node.pods.values()) for (const [volume, driver] of attached(other.pod)) present.set(volume, driver);
      const counts = new Map<string, number>();
      for (const driver of present.values()) counts.set(driver, (counts.get(driver) ?? 0) + 1);
      for (const [volume, driver] of added) if (!present.has(volume)) counts.set(driver, (counts.get(driver) ?? 0) + 1);
      for (const driver of new Set(added.values())) {
        const limit = limits.get(driver);
        if (limit !== undefined && counts.get(driver)! > limit) return reason;
      }
      return undefined;
    },
  };
};
