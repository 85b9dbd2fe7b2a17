/** The images every containerd machine gets at its start: the sandbox's own, and busybox where the machine has a static one. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { imageArchive } from './archive.ts';
import type { ImageSource } from './archive.ts';
import { pauseProgram } from './pause.ts';

export const sandboxImage = 'coxswain.internal/pause:1';
export const busyboxImage = 'coxswain.internal/busybox:1';

/** Debian's busybox-static; another distribution's busybox may be dynamic and is then of no use in an empty image. */
const busyboxPaths = ['/bin/busybox', '/usr/bin/busybox'];

function busyboxSource(architecture: string): ImageSource | undefined {
  const path = busyboxPaths.find((candidate) => existsSync(candidate));
  if (!path) return undefined;
  const content = readFileSync(path);
  // A dynamic program names its loader in a PT_INTERP segment; the loader's path stands in the first pages.
  if (content.subarray(0, 4096).includes('/ld-')) return undefined;
  const applets = execFileSync(path, ['--list'], { encoding: 'utf8' })
    .split('\n')
    .filter((name) => name && name !== 'busybox');
  const directories = ['bin', 'etc', 'tmp', 'home', 'root', 'usr', 'usr/bin', 'var', 'var/run'];
  return {
    name: busyboxImage,
    architecture,
    command: ['sh'],
    files: [
      ...directories.map((directory) => ({ path: directory, directory: true, mode: directory === 'tmp' ? 0o1777 : 0o755 })),
      { path: 'bin/busybox', content, mode: 0o755 },
      ...applets.map((applet) => ({ path: `bin/${applet}`, link: 'busybox' })),
      { path: 'etc/passwd', content: Buffer.from('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n') },
      { path: 'etc/group', content: Buffer.from('root:x:0:\nnogroup:x:65534:\n') },
    ],
  };
}

/** One OCI archive with all of them. */
export function bundledImages(architecture: string): Promise<Buffer> {
  const busybox = busyboxSource(architecture);
  return imageArchive([
    {
      name: sandboxImage,
      architecture,
      entrypoint: ['/pause'],
      files: [{ path: 'pause', content: pauseProgram(architecture), mode: 0o755 }],
    },
    ...(busybox ? [busybox] : []),
  ]);
}
