import { StorageClass } from '#api';
import type { PersistentVolumeClaim } from '#api';
import type { AdmissionPluginFactory } from '../contract.ts';
import { isFor } from './attributes.ts';
import { defaultClass } from './default-class.ts';

const annotations = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'];

/** The class of a claim by annotation, from before the field. */
export const betaClass = 'volume.beta.kubernetes.io/storage-class';

/** Claims that name no class get the default one. upstream: plugin/pkg/admission/storage/storageclass/setdefault. */
export const defaultStorageClass: AdmissionPluginFactory = ({ informers }) => {
  const classes = informers.for(StorageClass);
  return {
    name: 'DefaultStorageClass',
    handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, '', 'persistentvolumeclaims'),
    admit({ object }) {
      const claim = object as PersistentVolumeClaim;
      if (claim.spec?.storageClassName !== undefined || claim.metadata?.annotations?.[betaClass] !== undefined) return;
      const found = defaultClass(classes.list(), annotations)?.metadata?.name;
      if (found) (claim.spec ??= {}).storageClassName = found;
    },
  };
};
