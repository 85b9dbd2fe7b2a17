import { namespaceOf } from '../pod-spec.ts';
import type { VolumePlugin } from './contract.ts';
import { secretFiles } from './payload.ts';
import { project } from './projection.ts';

/** upstream: pkg/volume/secret. */
export const secretPlugin: VolumePlugin = {
  name: 'kubernetes.io/secret',
  handles: (volume) => volume.secret !== undefined,
  memory: true,
  async setUp(pod, volume, directory, deps) {
    const { secretName: name = '', items, defaultMode, optional } = volume.secret!;
    const secret = await deps.objects.secret(namespaceOf(pod), name);
    if (!secret && !optional) throw new Error(`secret "${name}" not found`);
    return project(pod, directory, secretFiles(secret ?? {}, { items, mode: defaultMode, optional }), deps);
  },
};
