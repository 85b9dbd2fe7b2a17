import type { PersistentVolume, PersistentVolumeClaim } from '#api';
import { PersistentVolume as VolumeKind, PersistentVolumeClaim as ClaimKind, VolumeAttributesClass } from '#api';
import { isNotFound } from '#machinery/status';
import type { ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';

const finalizer = 'kubernetes.io/vac-protection';

const classesOfClaim = ({ spec, status }: PersistentVolumeClaim): string[] =>
  [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].filter((name) => name !== undefined);
const classesOfVolume = ({ spec }: PersistentVolume): string[] => (spec?.volumeAttributesClassName ? [spec.volumeAttributesClassName] : []);

/** Keeps a class that is being deleted while a claim or volume names it. upstream: pkg/controller/volume/vacprotection. */
export const attributesClassProtectionController: ControllerFactory = () => ({
  name: 'volumeattributesclass-protection-controller',
  serviceAccount: 'volumeattributesclass-protection-controller',
  watches: [
    source(VolumeAttributesClass, { when: (_object, _old, event) => event !== 'deleted' }),
    source(ClaimKind, { keys: classesOfClaim }),
    source(VolumeKind, { keys: classesOfVolume }),
  ],
  setup(context) {
    context.lister(ClaimKind).addIndex('attributes-class', classesOfClaim);
    context.lister(VolumeKind).addIndex('attributes-class', classesOfVolume);
  },
  async reconcile(context, key) {
    const object = context.lister(VolumeAttributesClass).get(key);
    if (!object) return;
    const finalizers = object.metadata?.finalizers ?? [];
    const has = finalizers.includes(finalizer);
    const leaving = object.metadata?.deletionTimestamp !== undefined;
    if (has !== leaving) return;
    const used =
      context.lister(ClaimKind).byIndex('attributes-class', key).length > 0 ||
      context.lister(VolumeKind).byIndex('attributes-class', key).length > 0;
    if (leaving && used) return;
    const wanted = leaving ? finalizers.filter((each) => each !== finalizer) : [...finalizers, finalizer];
    await context.client
      .update(VolumeAttributesClass, { ...object, metadata: { ...object.metadata, finalizers: wanted } })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
  },
});
