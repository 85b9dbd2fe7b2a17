import { chmod, mkdir } from 'node:fs/promises';
import type { Pod } from '#api';
import { value } from '#machinery/quantity';
import { podLimits } from '../pod-resources.ts';
import type { VolumePlugin } from './contract.ts';
import { setOwnership } from './ownership.ts';

/** No more than the pod may use, nor than the volume is meant to hold. */
function memorySize(pod: Pod, limit: number, nodeMemory: number): number {
  const bounds = [nodeMemory, podLimits(pod).get('memory')?.value() ?? 0, limit].filter((bound) => bound > 0);
  return bounds.length ? Math.min(...bounds) : 0;
}

/** upstream: pkg/volume/emptydir. */
export const emptyDirPlugin: VolumePlugin = {
  name: 'kubernetes.io/empty-dir',
  handles: (volume) => volume.emptyDir !== undefined,
  async setUp(pod, volume, directory, deps) {
    if (deps.simulated) return { path: directory, readOnly: false };
    const { medium = '', sizeLimit } = volume.emptyDir!;
    const made = await mkdir(directory, { recursive: true, mode: 0o777 });
    if (medium === 'Memory') {
      if (!(await deps.mounter.below(directory)).includes(directory)) {
        const sizeBytes = memorySize(pod, value(sizeLimit as string | undefined), deps.allocatable().memoryBytes);
        await deps.mounter.tmpfs(directory, sizeBytes ? { sizeBytes } : {});
        await chmod(directory, 0o777);
        await setOwnership(pod, directory, false);
      }
    } else if (medium.startsWith('HugePages')) {
      if (!(await deps.mounter.below(directory)).includes(directory)) {
        const pageSize = medium.slice('HugePages-'.length).replace(/i$/, '');
        await deps.mounter.hugetlbfs(directory, pageSize || undefined);
        await chmod(directory, 0o777);
        await setOwnership(pod, directory, false);
      }
    } else if (medium !== '') throw new Error(`unknown storage medium "${medium}"`);
    else if (made !== undefined) {
      await chmod(directory, 0o777);
      await setOwnership(pod, directory, false);
    }
    return { path: directory, readOnly: false };
  },
};
