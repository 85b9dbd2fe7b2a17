/** Gives a volume's files to a pod's fsGroup. upstream: pkg/volume/volume_linux.go SetVolumeOwnership. */
import { chmod, lchown, lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Pod } from '#api';
import { specOf } from '../pod-spec.ts';

async function own(file: string, group: number, readOnly: boolean): Promise<void> {
  const stats = await lstat(file);
  await lchown(file, stats.uid, group);
  if (stats.isSymbolicLink()) return;
  let mask = readOnly ? 0o440 : 0o660;
  if (stats.isDirectory()) mask |= 0o2110;
  await chmod(file, (stats.mode & 0o7777) | mask);
  if (stats.isDirectory()) for (const entry of await readdir(file)) await own(path.join(file, entry), group, readOnly);
}

/** With OnRootMismatch a root that already is as it should be stands for all below it. */
export async function setOwnership(pod: Pod, directory: string, readOnly: boolean): Promise<void> {
  const context = specOf(pod).securityContext;
  if (context?.fsGroup === undefined) return;
  if (context.fsGroupChangePolicy === 'OnRootMismatch') {
    const stats = await lstat(directory);
    const wanted = (readOnly ? 0o440 : 0o660) | 0o2110;
    if (stats.gid === context.fsGroup && (stats.mode & wanted) === wanted) return;
  }
  await own(directory, context.fsGroup, readOnly);
}
