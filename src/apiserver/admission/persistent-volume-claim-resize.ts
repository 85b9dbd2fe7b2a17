import { StorageClass } from '#api';
import type { PersistentVolumeClaim } from '#api';
import { compareQuantities, parseQuantity } from '#machinery/quantity';
import type { AdmissionPluginFactory } from '../contract.ts';
import { forbid, isFor } from './attributes.ts';
import { betaClass } from './default-storage-class.ts';

const classOf = ({ metadata, spec }: PersistentVolumeClaim): string => metadata?.annotations?.[betaClass] ?? spec?.storageClassName ?? '';

/** Claims grow where their class lets them. upstream: plugin/pkg/admission/storage/persistentvolume/resize. */
export const persistentVolumeClaimResize: AdmissionPluginFactory = ({ informers }) => {
  const classes = informers.for(StorageClass);
  return {
    name: 'PersistentVolumeClaimResize',
    handles: (attributes) => attributes.operation === 'UPDATE' && isFor(attributes, '', 'persistentvolumeclaims'),
    validate(attributes) {
      const claim = attributes.object as PersistentVolumeClaim;
      const old = attributes.oldObject as PersistentVolumeClaim;
      const size = ({ spec }: PersistentVolumeClaim) => parseQuantity(spec?.resources?.requests?.['storage'] ?? '0');
      if (compareQuantities(size(claim), size(old)) <= 0) return;
      if (old.status?.phase !== 'Bound') throw forbid(attributes, 'Only bound persistent volume claims can be expanded');
      const name = classOf(claim);
      if (!name || name !== classOf(old) || !classes.get(name)?.allowVolumeExpansion)
        throw forbid(
          attributes,
          'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
        );
    },
  };
};
