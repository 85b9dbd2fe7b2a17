/** upstream: pkg/registry/storage/volumeattachment/strategy.go. */
import { VolumeAttachment } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { byteLength, fieldImmutable, nameIsDNSSubdomain } from '#machinery/names';
import { forbiddenField, invalidField, invalidFor, required, tooLong } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkVolumeSpec } from '../core/persistent-volume-validation.ts';
import { checkCsiDriverName } from '../core/validation/volume-sources.ts';
import type { VolumeAttachmentSource, VolumeError } from '../facts/types.ts';
import { same } from '../same.ts';
import { sizeOf } from './parameters.ts';
import { ageColumn, text, truth } from '../columns.ts';
import { keepMetadata, keepSpec, keepStatus } from '../strategy.ts';
import { canonicalResources } from '../core/resource-list.ts';

const largestMetadata = 256 * 1024;
const longestMessage = 1024;
const largestInt32 = 2 ** 31 - 1;

function checkSource(errors: Errors, path: string, { inlineVolumeSpec, persistentVolumeName }: VolumeAttachmentSource): void {
  const one = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (inlineVolumeSpec === undefined && persistentVolumeName === undefined) errors.push(required(path, one));
  else if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined) errors.push(forbiddenField(path, one));
  else if (inlineVolumeSpec) checkVolumeSpec(errors, `${path}.inlineVolumeSpec`, inlineVolumeSpec, '', true);
  else if (!persistentVolumeName) errors.push(required(`${path}.persistentVolumeName`, 'must specify non empty persistentVolumeName'));
}

function checkVolumeError(errors: Errors, path: string, error: VolumeError | undefined): void {
  if (byteLength(error?.message ?? '') > longestMessage) errors.push(tooLong(`${path}.message`, largestMetadata));
  const code = error?.errorCode;
  if (code !== undefined && code < 0)
    errors.push(invalidField(`${path}.errorCode`, code, `must be between 0 and ${largestInt32}, inclusive`));
}

function validateStored({ spec, status }: VolumeAttachment): Errors {
  const errors: Errors = [];
  if (!spec?.attacher) errors.push(required('spec.attacher'));
  checkSource(errors, 'spec.source', spec?.source ?? {});
  invalidFor(errors, 'spec.nodeName', spec?.nodeName ?? '', nameIsDNSSubdomain(spec?.nodeName ?? '', false));
  if (sizeOf(status?.attachmentMetadata ?? {}) > largestMetadata) errors.push(tooLong('status.attachmentMetadata', largestMetadata));
  checkVolumeError(errors, 'status.attachError', status?.attachError);
  checkVolumeError(errors, 'status.detachError', status?.detachError);
  return errors;
}

function validateVolumeAttachment(attachment: VolumeAttachment): Errors {
  const errors = validateStored(attachment);
  checkCsiDriverName(errors, 'spec.attacher', attachment.spec?.attacher);
  const name = attachment.spec?.source?.persistentVolumeName;
  if (name !== undefined) invalidFor(errors, 'spec.source.persistentVolumeName', name, nameIsDNSSubdomain(name, false));
  return errors;
}

function validateVolumeAttachmentUpdate(attachment: VolumeAttachment, old: VolumeAttachment): Errors {
  const errors = validateStored(attachment);
  if (!same(attachment.spec, old.spec)) errors.push(invalidField('spec', attachment.spec, fieldImmutable));
  return errors;
}

export const volumeAttachmentRules = defineKind<VolumeAttachment>({
  kind: VolumeAttachment,
  statusResetFields: ['metadata', 'spec'],
  applyDefaults: (attachment) => {
    const inline = attachment.spec?.source?.inlineVolumeSpec;
    if (inline?.capacity) canonicalResources(inline.capacity);
    if (inline?.hostPath) inline.hostPath.type ??= '';
  },
  prepareForCreate: (attachment) => {
    attachment.status = { attached: false };
  },
  prepareForUpdate: keepStatus,
  validate: validateVolumeAttachment,
  validateUpdate: validateVolumeAttachmentUpdate,
  subresources: {
    status: {
      validateUpdate: validateVolumeAttachmentUpdate,
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
