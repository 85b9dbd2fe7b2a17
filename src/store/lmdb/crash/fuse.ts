/**
 * The kernel's file system protocol, as far as a store's directory needs it: requests are read from /dev/fuse and answered.
 * upstream: Linux include/uapi/linux/fuse.h (version 7.31). What the files are is in disk.ts.
 */
import { spawn } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, read, writeSync } from 'node:fs';
import { errno } from './errno.ts';

export interface Attributes {
  node: number;
  directory: boolean;
  size: number;
}

/** Answers are made at once or later; a number below 0 is an errno. */
export interface FileSystem {
  lookup(parent: number, name: string): Attributes | undefined;
  attributes(node: number): Attributes | undefined;
  make(parent: number, name: string, directory: boolean): Attributes;
  remove(parent: number, name: string): boolean;
  rename(parent: number, name: string, newParent: number, newName: string): boolean;
  names(node: number): [name: string, attributes: Attributes][];
  truncate(node: number, size: number): number;
  read(node: number, offset: number, size: number): Buffer;
  write(node: number, offset: number, data: Buffer): number | Promise<number>;
  sync(node: number): number | Promise<number>;
  space(): { total: number; free: number };
}

const opcode = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  create: 35,
  interrupt: 36,
  batchForget: 42,
  rename2: 45,
} as const;

const maxWrite = 1 << 20;
const headerSize = 40;

/** Why nothing can be mounted here; undefined where it can. */
export function whyNoFuse(): string | undefined {
  if (process.platform !== 'linux' || !existsSync('/dev/fuse')) return 'there is no /dev/fuse';
  return process.getuid?.() === 0 ? undefined : 'only root may mount';
}

export interface Mounted {
  /** Forgets the mount, whoever still has files open in it. */
  unmount(): Promise<void>;
}

/**
 * Mounts `files` at `directory`. This process answers the kernel from its event loop: it must not itself touch what lies under
 * `directory`, or it waits for its own answer.
 */
export async function mount(files: FileSystem, directory: string): Promise<Mounted> {
  const descriptor = openSync('/dev/fuse', constants.O_RDWR);
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0,allow_other';
  try {
    await run('mount', ['-i', '-t', 'fuse', '-o', options, 'coxswain-faults', directory], descriptor);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  const ended = serve(files, descriptor);
  return {
    async unmount() {
      await run('umount', ['-l', directory]);
      await ended;
      closeSync(descriptor);
    },
  };
}

function run(command: string, parameters: string[], descriptor?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, parameters, {
      stdio: ['ignore', 'ignore', 'inherit', ...(descriptor === undefined ? [] : [descriptor])],
    });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${command} ended with code ${code}`))));
  });
}

/** Resolves when the kernel has let go of the mount. */
function serve(files: FileSystem, descriptor: number): Promise<void> {
  return new Promise((resolve) => {
    const buffer = Buffer.alloc(maxWrite + 4096);
    const next = (): void =>
      read(descriptor, buffer, 0, buffer.length, null, (error, length) => {
        if (error?.code === 'ENODEV' || error?.code === 'EBADF') return resolve();
        // Requests that were interrupted before they could be read.
        if (error) return next();
        void answer(files, descriptor, Buffer.from(buffer.subarray(0, length)));
        next();
      });
    next();
  });
}

async function answer(files: FileSystem, descriptor: number, request: Buffer): Promise<void> {
  const code = request.readUInt32LE(4);
  if (code === opcode.forget || code === opcode.batchForget || code === opcode.interrupt) return;
  const given = handle(files, code, Number(request.readBigUInt64LE(16)), request.subarray(headerSize));
  const found = given instanceof Promise ? await given : given;
  const body = typeof found === 'number' ? Buffer.alloc(0) : found;
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + body.length, 0);
  head.writeInt32LE(typeof found === 'number' ? found : 0, 4);
  request.copy(head, 8, 8, 16);
  try {
    writeSync(descriptor, Buffer.concat([head, body]));
  } catch (error) {
    // Who asked was killed meanwhile, or the mount is gone.
    if (!['ENOENT', 'ENODEV', 'EBADF', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

const text = (body: Buffer, at = 0): string => body.toString('utf8', at, body.indexOf(0, at));
const long = (body: Buffer, at: number): number => Number(body.readBigUInt64LE(at));

function handle(files: FileSystem, code: number, node: number, body: Buffer): number | Buffer | Promise<number | Buffer> {
  switch (code) {
    case opcode.init:
      return init();
    case opcode.lookup: {
      const found = files.lookup(node, text(body));
      return found ? entryOf(found) : -errno.ENOENT;
    }
    case opcode.getattr:
      return attributesAnswer(files, node);
    case opcode.setattr: {
      const sizeIsSet = 8;
      const failed = body.readUInt32LE(0) & sizeIsSet ? files.truncate(node, long(body, 16)) : 0;
      return failed < 0 ? failed : attributesAnswer(files, node);
    }
    case opcode.mkdir:
      return entryOf(files.make(node, text(body, 8), true));
    case opcode.create:
      return Buffer.concat([entryOf(files.make(node, text(body, 16), false)), Buffer.alloc(16)]);
    case opcode.unlink:
    case opcode.rmdir:
      return files.remove(node, text(body)) ? 0 : -errno.ENOENT;
    case opcode.rename:
    case opcode.rename2: {
      const names = code === opcode.rename ? 8 : 16;
      const from = text(body, names);
      return files.rename(node, from, long(body, 0), text(body, names + from.length + 1)) ? 0 : -errno.ENOENT;
    }
    case opcode.open:
    case opcode.opendir:
      return Buffer.alloc(16);
    case opcode.read:
      return files.read(node, long(body, 8), body.readUInt32LE(16));
    case opcode.write: {
      const size = body.readUInt32LE(16);
      return settled(files.write(node, long(body, 8), body.subarray(40, 40 + size)), () => {
        const wrote = Buffer.alloc(8);
        wrote.writeUInt32LE(size, 0);
        return wrote;
      });
    }
    case opcode.fsync:
      return files.sync(node);
    case opcode.release:
    case opcode.releasedir:
    case opcode.flush:
    case opcode.fsyncdir:
      return 0;
    case opcode.readdir:
      return directoryOf(files.names(node), long(body, 8), body.readUInt32LE(16));
    case opcode.statfs:
      return statistics(files.space());
    default:
      return -errno.ENOSYS;
  }
}

const settled = (result: number | Promise<number>, body: () => Buffer): number | Buffer | Promise<number | Buffer> => {
  const settle = (value: number): number | Buffer => (value < 0 ? value : body());
  return typeof result === 'number' ? settle(result) : result.then(settle);
};

function init(): Buffer {
  const body = Buffer.alloc(64);
  const bigWrites = 1 << 5;
  const maxPages = 1 << 22;
  body.writeUInt32LE(7, 0);
  body.writeUInt32LE(31, 4);
  body.writeUInt32LE(128 * 1024, 8);
  body.writeUInt32LE(bigWrites | maxPages, 12);
  body.writeUInt16LE(16, 16);
  body.writeUInt16LE(12, 18);
  body.writeUInt32LE(maxWrite, 20);
  body.writeUInt32LE(1, 24);
  body.writeUInt16LE(maxWrite / 4096, 28);
  return body;
}

function attributesOf({ node, directory, size }: Attributes): Buffer {
  const body = Buffer.alloc(88);
  body.writeBigUInt64LE(BigInt(node), 0);
  body.writeBigUInt64LE(BigInt(size), 8);
  body.writeBigUInt64LE(BigInt(Math.ceil(size / 512)), 16);
  body.writeUInt32LE(directory ? 0o40700 : 0o100600, 60);
  body.writeUInt32LE(1, 64);
  body.writeUInt32LE(4096, 80);
  return body;
}

/** Valid for an hour: nobody but the kernel changes anything. */
const valid = 3600n;

function attributesAnswer(files: FileSystem, node: number): Buffer | number {
  const found = files.attributes(node);
  if (!found) return -errno.ENOENT;
  const head = Buffer.alloc(16);
  head.writeBigUInt64LE(valid, 0);
  return Buffer.concat([head, attributesOf(found)]);
}

function entryOf(found: Attributes): Buffer {
  const head = Buffer.alloc(40);
  head.writeBigUInt64LE(BigInt(found.node), 0);
  head.writeBigUInt64LE(valid, 16);
  head.writeBigUInt64LE(valid, 24);
  return Buffer.concat([head, attributesOf(found)]);
}

function directoryOf(names: [name: string, attributes: Attributes][], offset: number, room: number): Buffer {
  const parts: Buffer[] = [];
  let size = 0;
  for (const [index, [name, { node, directory }]] of names.entries()) {
    if (index < offset) continue;
    const length = Buffer.byteLength(name);
    const part = Buffer.alloc(Math.ceil((24 + length) / 8) * 8);
    if (size + part.length > room) break;
    part.writeBigUInt64LE(BigInt(node), 0);
    part.writeBigUInt64LE(BigInt(index + 1), 8);
    part.writeUInt32LE(length, 16);
    part.writeUInt32LE(directory ? 4 : 8, 20);
    part.write(name, 24);
    parts.push(part);
    size += part.length;
  }
  return Buffer.concat(parts);
}

function statistics({ total, free }: { total: number; free: number }): Buffer {
  const body = Buffer.alloc(80);
  const blocks = (bytes: number): bigint => BigInt(Math.max(0, Math.floor(bytes / 4096)));
  body.writeBigUInt64LE(blocks(total), 0);
  body.writeBigUInt64LE(blocks(free), 8);
  body.writeBigUInt64LE(blocks(free), 16);
  body.writeUInt32LE(4096, 40);
  body.writeUInt32LE(255, 44);
  body.writeUInt32LE(4096, 48);
  return body;
}
