import type { VolumePlugin } from './contract.ts';
import { downwardFiles } from './payload.ts';
import { project } from './projection.ts';

/** upstream: pkg/volume/downwardapi. */
export const downwardApiPlugin: VolumePlugin = {
  name: 'kubernetes.io/downward-api',
  handles: (volume) => volume.downwardAPI !== undefined,
  memory: true,
  setUp(pod, volume, directory, deps) {
    const { items, defaultMode } = volume.downwardAPI!;
    return project(pod, directory, downwardFiles(pod, items, defaultMode, deps), deps);
  },
};
