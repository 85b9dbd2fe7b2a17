import { createHash } from 'node:crypto';
import type { PersistentVolume, Pod } from '#api';
import {
  CSIDriver as DriverKind,
  Node as NodeKind,
  PersistentVolume as VolumeKind,
  PersistentVolumeClaim as ClaimKind,
  Pod as PodKind,
  VolumeAttachment as AttachmentKind,
} from '#api';
import { keyOf } from '#machinery/meta';
import { isAlreadyExists, isNotFound } from '#machinery/status';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { isPodTerminal } from '../pods.ts';
import { claimsUsedBy } from './protection.ts';

/** upstream: pkg/volume/csi getAttachmentName: drivers and people find it by this name. */
export const attachmentName = (handle: string, driver: string, node: string): string =>
  `csi-${createHash('sha256').update(`${handle}${driver}${node}`).digest('hex')}`;

/** A node may still have it mounted so long after the last pod went. */
const maxWaitForUnmount = 6 * 60_000;

const uses = (pod: Pod): boolean => Boolean(pod.spec?.nodeName) && !isPodTerminal(pod);
const uniqueName = (volume: PersistentVolume): string => `kubernetes.io/csi/${volume.spec!.csi!.driver}^${volume.spec!.csi!.volumeHandle}`;

/**
 * Asks CSI drivers, by VolumeAttachments, to attach what pods on a node need, and to detach what none needs and the kubelet has let go of.
 * Volumes of other kinds need no attaching. upstream: pkg/controller/volume/attachdetach.
 */
export const attachDetachController: ControllerFactory = () => {
  /** Attachments that no pod needs: since when. */
  const unneeded = new Map<string, number>();

  const nodeOf = (pod: Pod): string[] => (pod.spec?.nodeName && claimsUsedBy(pod).length > 0 ? [pod.spec.nodeName] : []);
  const nodesOfVolume = (volume: PersistentVolume, context: ControllerContext): string[] => {
    const reference = volume.spec?.claimRef;
    if (!volume.spec?.csi || !reference) return [];
    return context.lister(PodKind).byIndex('claim', `${reference.namespace}/${reference.name}`).flatMap(nodeOf);
  };

  /** CSI volumes that the pods of a node need attached, by the name of their attachment. */
  const wantedOn = (context: ControllerContext, node: string): Map<string, PersistentVolume> => {
    const wanted = new Map<string, PersistentVolume>();
    for (const pod of context.lister(PodKind).byIndex('node', node)) {
      if (!uses(pod)) continue;
      for (const key of claimsUsedBy(pod)) {
        const claim = context.lister(ClaimKind).get(key);
        const volume = claim?.spec?.volumeName ? context.lister(VolumeKind).get(claim.spec.volumeName) : undefined;
        const csi = volume?.spec?.csi;
        if (!volume || !csi || context.lister(DriverKind).get(csi.driver)?.spec.attachRequired === false) continue;
        wanted.set(attachmentName(csi.volumeHandle, csi.driver, node), volume);
      }
    }
    return wanted;
  };

  return {
    name: 'persistentvolume-attach-detach-controller',
    serviceAccount: 'attachdetach-controller',
    component: 'attachdetach-controller',
    watches: [
      source(PodKind, { keys: nodeOf, when: (pod, old) => !old || old.spec?.nodeName !== pod.spec?.nodeName || uses(old) !== uses(pod) }),
      source(VolumeKind, { keys: nodesOfVolume }),
      source(ClaimKind, { keys: (claim, context) => context.lister(PodKind).byIndex('claim', keyOf(claim)).flatMap(nodeOf) }),
      source(AttachmentKind, { keys: (attachment) => [attachment.spec.nodeName] }),
      source(DriverKind, { keys: () => [] }),
      source(NodeKind, {
        when: (node, old, event) =>
          event === 'deleted' || JSON.stringify(node.status?.volumesInUse) !== JSON.stringify(old?.status?.volumesInUse),
      }),
    ],
    setup(context) {
      context.lister(PodKind).addIndex('node', (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
      context.lister(PodKind).addIndex('claim', claimsUsedBy);
      context.lister(AttachmentKind).addIndex('node', (attachment) => [attachment.spec.nodeName]);
    },
    async reconcile(context, key) {
      const { client, clock } = context;
      const node = context.lister(NodeKind).get(key);
      const wanted = wantedOn(context, key);
      const attachments = context.lister(AttachmentKind).byIndex('node', key);
      const existing = new Map(attachments.map((each) => [each.metadata!.name!, each]));
      if (node)
        for (const [name, volume] of wanted) {
          unneeded.delete(name);
          if (existing.has(name)) continue;
          await client
            .create(AttachmentKind, {
              metadata: { name },
              spec: {
                attacher: volume.spec!.csi!.driver,
                nodeName: key,
                source: { persistentVolumeName: volume.metadata!.name! },
              },
            })
            .catch((error: unknown) => {
              if (!isAlreadyExists(error)) throw error;
            });
        }
      const inUse = new Set(node?.status?.volumesInUse);
      let again = Infinity;
      for (const attachment of attachments) {
        const name = attachment.metadata!.name!;
        const volume = context.lister(VolumeKind).get(attachment.spec.source.persistentVolumeName ?? '');
        if (wanted.has(name) || !volume?.spec?.csi || attachment.metadata!.deletionTimestamp) continue;
        const since = unneeded.get(name) ?? clock.monotonic();
        unneeded.set(name, since);
        const left = since + maxWaitForUnmount - clock.monotonic();
        if (inUse.has(uniqueName(volume)) && left > 0) {
          again = Math.min(again, left);
          continue;
        }
        await client.delete(AttachmentKind, { name }).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
        unneeded.delete(name);
      }
      if (node) await reportAttached(context, key, attachments);
      return Number.isFinite(again) ? { requeueAfter: again } : undefined;
    },
  };
};

/** Kubelets mount only what node.status.volumesAttached lists. */
async function reportAttached(
  context: ControllerContext,
  name: string,
  attachments: readonly {
    metadata?: { name?: string };
    spec: { source: { persistentVolumeName?: string } };
    status?: { attached: boolean; attachmentMetadata?: Record<string, string> };
  }[],
): Promise<void> {
  const node = context.lister(NodeKind).get(name)!;
  const attached = attachments
    .filter((each) => each.status?.attached)
    .flatMap((each) => {
      const volume = context.lister(VolumeKind).get(each.spec.source.persistentVolumeName ?? '');
      return volume?.spec?.csi ? [{ name: uniqueName(volume), devicePath: each.status!.attachmentMetadata?.['devicePath'] ?? '' }] : [];
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const old = (node.status?.volumesAttached ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (JSON.stringify(attached) === JSON.stringify(old)) return;
  await context.client.updateStatus(NodeKind, { ...node, status: { ...node.status, volumesAttached: attached } });
}
