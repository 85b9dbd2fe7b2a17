/**
 * The suite's images, loaded once for all machines: a containerd root that holds them unpacked is made once an archive and then planted
 * into each machine's state by hard links. Blobs and the layers of images are never written to again, so machines may share them;
 * containerd's own databases are copied.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { bundledImages } from '#runtime';
import { tools } from './upstream/programs.ts';

export const imageArchive = join(tools, 'e2e-images.tar');

/** Where the images lie unpacked; made when the archive is newer. Seconds are 0 when it was there. */
export async function imageSeed(): Promise<{ directory: string; seconds: number }> {
  const { size, mtimeMs } = statSync(imageArchive);
  const directory = join(tools, 'image-seed');
  const mark = join(directory, 'made-of');
  const made = `${size} ${mtimeMs}`;
  if (existsSync(mark) && readFileSync(mark, 'utf8') === made) return { directory, seconds: 0 };
  const started = performance.now();
  const draft = join(tools, `image-seed.${process.pid}`);
  mkdirSync(draft, { recursive: true });
  try {
    const bundled = join(draft, 'bundled.tar');
    writeFileSync(bundled, await bundledImages(process.arch));
    await withContainerd(draft, async (socket) => {
      for (const archive of [bundled, imageArchive])
        execFileSync('ctr', ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', archive], { stdio: 'ignore' });
    });
    rmSync(bundled);
    rmSync(directory, { recursive: true, force: true });
    writeFileSync(join(draft, 'made-of'), made);
    renameSync(draft, directory);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return { directory, seconds: (performance.now() - started) / 1000 };
}

async function withContainerd(draft: string, work: (socket: string) => Promise<void>): Promise<void> {
  const state = `/run/coxswain-seed-${process.pid}`;
  mkdirSync(state, { recursive: true });
  const socket = join(state, 'c.sock');
  const config = join(state, 'config.toml');
  writeFileSync(
    config,
    `version = 2
root = ${JSON.stringify(join(draft, 'root'))}
state = ${JSON.stringify(join(state, 'state'))}
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = ${JSON.stringify(socket)}
`,
  );
  const log = openSync(join(state, 'log'), 'w');
  const child = spawn('containerd', ['--config', config], { stdio: ['ignore', log, log] });
  closeSync(log);
  const gone = new Promise((resolve) => child.once('close', resolve));
  try {
    for (const until = performance.now() + 30_000; !existsSync(socket); await wait(50))
      if (child.exitCode !== null || performance.now() > until)
        throw new Error(`Cannot start containerd to unpack the images: ${readFileSync(join(state, 'log'), 'utf8').slice(-500)}`);
    await work(socket);
  } finally {
    child.kill('SIGTERM');
    await gone;
    rmSync(state, { recursive: true, force: true });
  }
}

/** Files of a containerd root that it writes in place. */
const written = (name: string): boolean => name.endsWith('.db');

/** Makes `root` a containerd root that has the images. It must not exist yet. */
export function plant(seed: string, root: string): void {
  const from = join(seed, 'root');
  mkdirSync(join(root, '..'), { recursive: true });
  try {
    execFileSync('cp', ['--archive', '--link', from, root], { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch {
    // Another file system: no links reach over there.
    rmSync(root, { recursive: true, force: true });
    execFileSync('cp', ['--archive', '--reflink=auto', from, root], { stdio: ['ignore', 'ignore', 'pipe'] });
  }
  for (const plugin of readdirSync(root))
    for (const file of readdirSync(join(root, plugin)).filter(written)) {
      rmSync(join(root, plugin, file));
      execFileSync('cp', ['--archive', join(from, plugin, file), join(root, plugin, file)]);
    }
  // Each containerd names itself.
  rmSync(join(root, 'io.containerd.grpc.v1.introspection'), { recursive: true, force: true });
}
