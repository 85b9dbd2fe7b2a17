/**
 * A path inside a volume, made safe: a container that may write to the volume must not lead the node's own file system into another
 * container by a link. Every step is opened below the one before without following links, and the last one is bound to a place that
 * no container can change. upstream: pkg/volume/util/subpath/subpath_linux.go.
 */
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat, mkdir, open, readlink, realpath, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Mounter } from './mounter.ts';

// O_PATH opens without touching what is there; Node has no name for it.
const openPath = 0o10000000;

const through = (handle: FileHandle, name: string): string => `/proc/self/fd/${handle.fd}/${name}`;

function steps(subpath: string): string[] {
  if (path.isAbsolute(subpath)) throw new Error(`error SubPath \`${subpath}\` must not be an absolute path`);
  const parts = subpath.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new Error(`unable to provision SubPath \`${subpath}\`: must not contain '..'`);
  return parts;
}

/** Where the links of the volume itself lead, still inside it. The atomic writer's own links are such. */
async function resolved(volume: string, subpath: string): Promise<{ base: string; inside: string }> {
  const base = await realpath(volume);
  const whole = path.join(base, ...steps(subpath));
  const real = await realpath(whole).catch(() => undefined);
  if (real === undefined) return { base, inside: path.relative(base, whole) };
  const inside = path.relative(base, real);
  if (inside === '..' || inside.startsWith('../') || path.isAbsolute(inside))
    throw new Error(`subpath "${whole}" not within volume path "${volume}"`);
  return { base, inside };
}

/** Makes what is missing of the path as directories with the volume's own mode, without following links out of it. */
export async function makeSubpath(volume: string, subpath: string): Promise<void> {
  const base = await realpath(volume);
  const { mode, uid, gid } = await stat(base);
  let handle = await open(base, openPath | constants.O_DIRECTORY);
  try {
    for (const part of steps(subpath)) {
      const next = through(handle, part);
      const there = await lstat(next).catch(() => undefined);
      if (!there) {
        await mkdir(next, { mode: mode & 0o777 });
        const made = await open(next, constants.O_DIRECTORY | constants.O_NOFOLLOW);
        await made.chmod(mode & 0o7777);
        await made.chown(uid, gid);
        await made.close();
      } else if (there.isSymbolicLink()) {
        // It exists, then, or leads nowhere: binding decides whether it stays inside.
        await readlink(next);
        return;
      }
      const following = await open(next, openPath | constants.O_NOFOLLOW);
      await handle.close();
      handle = following;
    }
  } finally {
    await handle.close();
  }
}

/** Binds volume/subpath to `target` and answers that. */
export async function bindSubpath(volume: string, subpath: string, target: string, mounter: Mounter): Promise<string> {
  if ((await mounter.below(target)).includes(target)) return target;
  const { base, inside } = await resolved(volume, subpath);
  let handle = await open(base, openPath | constants.O_DIRECTORY);
  try {
    for (const part of inside.split('/').filter(Boolean)) {
      const following = await open(through(handle, part), openPath | constants.O_NOFOLLOW);
      await handle.close();
      handle = following;
      if ((await handle.stat()).isSymbolicLink()) throw new Error(`subpath "${subpath}" of volume "${volume}" leads through a link`);
    }
    await mkdir(path.dirname(target), { recursive: true, mode: 0o750 });
    if ((await handle.stat()).isDirectory()) await mkdir(target, { recursive: true, mode: 0o750 });
    else await writeFile(target, '', { mode: 0o640 });
    await mounter.bind(`/proc/${process.pid}/fd/${handle.fd}`, target);
    return target;
  } finally {
    await handle.close();
  }
}
