/**
 * The log: two files of fixed length, written in turn, each entry with one write that is on the disk when it returns. Their blocks are
 * there from the start, so writing to them changes nothing but their content, and a full disk is no matter to them.
 * upstream: etcd server/storage/wal.
 *
 *   log-0  [41][42][43]......      what is in LMDB up to 43 may be written over
 *   log-1  [44][45]..........      active: 46 goes here
 * Invariant: an entry is written only when all before it are on the disk; a file is begun anew only when all of its entries are in LMDB.
 */
import { closeSync, constants, existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, write, writeSync } from 'node:fs';
import { join } from 'node:path';
import { entrySize, writeEntry } from './log-format.ts';
import type { Logged } from './log-format.ts';
import { pageSize } from './room.ts';

const names = ['log-0', 'log-1'];
/** Bytes of a file. */
export const fileLength = 4 * 1024 * 1024;

interface File {
  descriptor: number;
  /** Whole pages that the disk has given us. */
  length: number;
  /** Where the next entry goes. */
  end: number;
  /** The number of its newest entry. */
  newest: number;
}

/** What the files of the log hold; nothing where there is none. */
export const readLog = (path: string): Buffer[] =>
  names.map((name) => (existsSync(join(path, name)) ? readFileSync(join(path, name)) : Buffer.alloc(0)));

export class Log {
  readonly #salt: number;
  readonly #files: File[];
  #active = 0;
  #number: number;
  /** Everything up to this entry is in LMDB. */
  #applied: number;
  /** Where an entry lies that could not be synced and may be on the disk all the same: nothing is written before it surely is not. */
  #failed: { file: File; at: number } | undefined;
  #buffer = Buffer.alloc(64 * 1024);

  /** Of a store whose log is in LMDB up to `number`, its newest entry. Entries are marked with `salt`. */
  constructor(path: string, number: number, salt: number) {
    this.#number = this.#applied = number;
    this.#salt = salt;
    this.#files = names.map((name) => open(join(path, name)));
    if (this.capacity < fileLength) for (const file of this.#files) giveBack(file);
    const directory = openSync(path, 'r');
    fsyncSync(directory);
    closeSync(directory);
  }

  /** Bytes that an entry may have. None where the disk had no room for both files when the store was opened: what there is is LMDB's then. */
  get capacity(): number {
    return Math.min(...this.#files.map(({ length }) => length));
  }

  /** Goes on in the other file, where nothing in it is needed any more. Answers whether it does. */
  turn(): boolean {
    const other = this.#files[1 - this.#active]!;
    if (other.newest > this.#applied) return false;
    this.#active = 1 - this.#active;
    other.end = 0;
    return true;
  }

  /** There is room for an entry of so many bytes where the log goes on. */
  fits(size: number): boolean {
    const { length, end } = this.#files[this.#active]!;
    return end + size <= length;
  }

  /** Resolves to its number when it is on the disk; on rejection it is not in the log. Never called again before it has settled. */
  async append(logged: Logged): Promise<number> {
    if (this.#failed) await this.#void();
    const size = entrySize(logged);
    if (size > this.#buffer.length) this.#buffer = Buffer.alloc(size);
    const number = this.#number + 1;
    const file = this.#files[this.#active]!;
    const at = file.end;
    const before = file.newest;
    writeEntry(number, this.#salt, logged, this.#buffer);
    file.newest = number;
    try {
      await writeAt(file.descriptor, this.#buffer, size, at);
    } catch (error) {
      file.newest = before;
      this.#failed = { file, at };
      await this.#void().catch(() => undefined);
      throw error;
    }
    file.end = at + size;
    this.#number = number;
    // A buffer that was big once is not kept.
    if (this.#buffer.length > 1024 * 1024) this.#buffer = Buffer.alloc(64 * 1024);
    return number;
  }

  /** Entries up to `number` are in LMDB. */
  applied(number: number): void {
    this.#applied = number;
  }

  close(): void {
    for (const { descriptor } of this.#files) closeSync(descriptor);
  }

  async #void(): Promise<void> {
    const { file, at } = this.#failed!;
    await writeAt(file.descriptor, Buffer.alloc(pageSize), pageSize, at);
    this.#failed = undefined;
  }
}

function open(path: string): File {
  const { O_RDWR, O_CREAT, O_DSYNC } = constants;
  // macOS has no O_DSYNC in Node.
  const descriptor = openSync(path, O_RDWR | O_CREAT | (O_DSYNC ?? 0), 0o600);
  try {
    return { descriptor, length: lengthen(path, fstatSync(descriptor).size), end: 0, newest: 0 };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function giveBack(file: File): void {
  ftruncateSync(file.descriptor);
  file.length = 0;
}

/** Answers how long the file is now: on a full disk less than it should be. */
function lengthen(path: string, before: number): number {
  let length = before;
  if (length < fileLength) {
    // Not the descriptor of the entries, which would sync each part.
    const descriptor = openSync(path, 'r+');
    try {
      const zeros = Buffer.alloc(1024 * 1024);
      while (length < fileLength) length += writeSync(descriptor, zeros, 0, Math.min(zeros.length, fileLength - length), length);
      fsyncSync(descriptor);
    } catch (error) {
      if (!['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    } finally {
      closeSync(descriptor);
    }
  }
  return Math.floor(length / pageSize) * pageSize;
}

/** Of all bytes, or rejects. */
function writeAt(descriptor: number, bytes: Buffer, size: number, place: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (from: number): void =>
      write(descriptor, bytes, from, size - from, place + from, (error, written) => {
        if (error) reject(error);
        else if (from + written >= size) resolve();
        else next(from + written);
      });
    next(0);
  });
}
