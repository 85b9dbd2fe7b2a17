import type { Pod } from '#api';
import { invalid, notSupported } from '#machinery/status';
import type { AdmissionPluginFactory } from '../contract.ts';
import { isFor } from './attributes.ts';
import { containersOf } from './pod-security/check.ts';

/** An image is asked for anew for every pod, so that nobody runs one that only others may pull. Off by default. upstream: plugin/pkg/admission/alwayspullimages. */
export const alwaysPullImages: AdmissionPluginFactory = () => ({
  name: 'AlwaysPullImages',
  handles: (attributes) =>
    (attributes.operation === 'CREATE' && isFor(attributes, '', 'pods')) ||
    (attributes.operation === 'UPDATE' && isFor(attributes, '', 'pods', '', 'ephemeralcontainers')),
  admit({ object }) {
    const { spec } = object as Pod;
    for (const container of containersOf(spec!)) container.imagePullPolicy = 'Always';
    for (const volume of spec!.volumes ?? []) if (volume.image) volume.image.pullPolicy = 'Always';
  },
  validate({ object, name }) {
    const { spec } = object as Pod;
    const errors = containersOf(spec!)
      .filter((container) => container.imagePullPolicy !== 'Always')
      .map((container) => notSupported(`spec.containers[${container.name}].imagePullPolicy`, container.imagePullPolicy, ['Always']));
    if (errors.length > 0) throw invalid({ group: '', kind: 'Pod' }, name, errors);
  },
});
