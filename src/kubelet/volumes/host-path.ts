import { mkdir, open, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import type { HostPathVolumeSource } from '#api';
import type { VolumePlugin } from './contract.ts';

const checks: Record<string, { is(stats: Stats): boolean; what: string }> = {
  Directory: { is: (stats) => stats.isDirectory(), what: 'a directory' },
  File: { is: (stats) => stats.isFile(), what: 'a file' },
  Socket: { is: (stats) => stats.isSocket(), what: 'a socket file' },
  CharDevice: { is: (stats) => stats.isCharacterDevice(), what: 'a character device' },
  BlockDevice: { is: (stats) => stats.isBlockDevice(), what: 'a block device' },
};

/** Rejects with upstream's text where the path is not of the type asked for; makes it where the type says so. */
export async function checkHostPath({ path, type = '' }: HostPathVolumeSource): Promise<void> {
  if (type === '') return;
  const stats = await stat(path).catch(() => undefined);
  const wanted = type.replace(/OrCreate$/, '');
  if (!stats && type === 'DirectoryOrCreate') {
    await mkdir(path, { recursive: true, mode: 0o755 });
    return;
  }
  if (!stats && type === 'FileOrCreate') {
    await (await open(path, 'a', 0o644)).close();
    return;
  }
  const check = checks[wanted];
  if (!check) throw new Error(`${type} is an invalid volume type`);
  if (!stats || !check.is(stats)) throw new Error(`hostPath type check failed: ${path} is not ${check.what}`);
}

/** upstream: pkg/volume/hostpath. */
export const hostPathPlugin: VolumePlugin = {
  name: 'kubernetes.io/host-path',
  handles: (volume) => volume.hostPath !== undefined,
  async setUp(_pod, volume, _directory, deps) {
    if (!deps.simulated) await checkHostPath(volume.hostPath!);
    return { path: volume.hostPath!.path, readOnly: false };
  },
};
