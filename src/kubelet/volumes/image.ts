import type { VolumePlugin } from './contract.ts';

/** Images are mounted by the runtime: the kubelet pulls them when a container that uses them starts. upstream: pkg/volume/image. */
export const imagePlugin: VolumePlugin = {
  name: 'kubernetes.io/image',
  handles: (volume) => volume.image !== undefined,
  setUp: () => Promise.resolve({ path: '', readOnly: true }),
};
