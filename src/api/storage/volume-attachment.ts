/** upstream: pkg/registry/storage/volumeattachment/strategy.go. */
import { VolumeAttachment } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text, truth } from '../columns.ts';
import { keepMetadata, keepSpec, keepStatus } from '../strategy.ts';
import { canonicalResources } from '../core/resource-list.ts';

export const volumeAttachmentRules = defineKind<VolumeAttachment>({
  kind: VolumeAttachment,
  applyDefaults: (attachment) => {
    const inline = attachment.spec?.source?.inlineVolumeSpec;
    if (inline?.capacity) canonicalResources(inline.capacity);
    if (inline?.hostPath) inline.hostPath.type ??= '';
  },
  prepareForCreate: (attachment) => {
    attachment.status = { attached: false };
  },
  prepareForUpdate: keepStatus,
  subresources: {
    status: {
      prepareForUpdate: (attachment, old) => {
        keepSpec(attachment, old);
        keepMetadata(attachment, old);
      },
    },
  },
  generation: false,
  allowUnconditionalUpdate: false,
  columns: [
    { name: 'Attacher', type: 'string', format: 'name', cell: (attachment) => attachment.spec?.attacher ?? '' },
    text('PV', (attachment) => attachment.spec?.source?.persistentVolumeName ?? ''),
    text('Node', (attachment) => attachment.spec?.nodeName ?? ''),
    truth('Attached', (attachment) => attachment.status?.attached ?? false),
    ageColumn,
  ],
});
