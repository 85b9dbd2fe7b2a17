import { namespaceOf } from '../pod-spec.ts';
import type { VolumePlugin } from './contract.ts';
import { configMapFiles } from './payload.ts';
import { project } from './projection.ts';

/** upstream: pkg/volume/configmap. */
export const configMapPlugin: VolumePlugin = {
  name: 'kubernetes.io/configmap',
  handles: (volume) => volume.configMap !== undefined,
  async setUp(pod, volume, directory, deps) {
    const { name = '', items, defaultMode, optional } = volume.configMap!;
    const configMap = await deps.objects.configMap(namespaceOf(pod), name);
    if (!configMap && !optional) throw new Error(`configmap "${name}" not found`);
    return project(pod, directory, configMapFiles(configMap ?? {}, { items, mode: defaultMode, optional }), deps);
  },
};
