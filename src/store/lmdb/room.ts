/**
 * Sees to it that LMDB meets neither a full disk nor one that takes no writes: before a write, the file is made longer by as much as the
 * write may need at most, and one page of it that is not in use is written. So what is wrong shows here, before anything has happened.
 * (lmdb 3.5.6 writes beyond a buffer of its own when the system refuses it a page, which ends the process sooner or later.)
 * Puts leave some of the room alone, so that what makes space again (deletions, compaction) has what it needs: LMDB writes new pages even then.
 */
import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { noSpace } from '../mvcc/errors.ts';
import type { Record } from '../mvcc/record.ts';
import { headerSize } from './format.ts';

export const pageSize = 4096;
/** Pages that any write may touch: the ways from the roots of all trees to their leaves, and the list of free pages. */
const base = 48;
/** Pages that are kept for those who make space. */
const reserve = 256;
const chunk = { least: 256, most: 4096 };
/** Bytes that come to an entry: LMDB's before its pages, and those of a pack. */
const beside = 16 + 6;

/** Pages that an entry of so many bytes may need at most, with a split leaf. */
const pagesOfEntry = (size: number): number => (size > pageSize / 4 ? Math.ceil((size + beside) / pageSize) : 0.5);
export const pagesOfPack = ({ headers, values }: { headers: Buffer; values: Buffer | undefined }): number =>
  pagesOfEntry(headers.length) + pagesOfEntry(values?.length ?? 0);
/** Pages that records may need at most, however they lie in packs. */
export const pagesOf = (records: readonly Record[]): number =>
  records.reduce((sum, record) => sum + Math.max(1, pagesOfEntry(headerSize(record))) + pagesOfEntry(record.size), 0);

const cost = (pages: number, puts: boolean): number => base + Math.ceil(pages) + (puts ? reserve : 0);

export class Room {
  readonly #path: string;
  /** Pages of the file that the file system has given us. */
  #allocated: number;
  /** Of them, surely not in use. */
  #left = 0;

  constructor(path: string) {
    this.#path = path;
    const { size, blocks } = statSync(path);
    this.#allocated = Math.floor(Math.min(size, blocks * 512) / pageSize);
  }

  /** Rejects with StoreError 'no-space'. `now` says what LMDB uses at the moment. */
  async reserve(pages: number, puts: boolean, now: () => { last: number; free: number }): Promise<void> {
    if (this.has(pages, puts)) return;
    const wanted = cost(pages, puts);
    const { last, free } = now();
    this.#allocated = Math.max(this.#allocated, last + 1);
    this.#left = this.#allocated - (last + 1);
    if (this.#left < wanted) await this.#grow(wanted - this.#left, (last + 1) >> 2, free);
  }

  /** So many pages need not be reserved. */
  has(pages: number, puts: boolean): boolean {
    return this.#left >= cost(pages, puts);
  }

  /** Writes the last page, where it is surely not in use. Rejects with the system's error where the disk takes no writes. */
  async probe(): Promise<void> {
    if (this.#left < 1) return;
    await using file = await open(this.#path, 'r+');
    await file.write(Buffer.alloc(pageSize), 0, pageSize, (this.#allocated - 1) * pageSize);
  }

  /** A commit has taken so many at most. */
  spend(pages: number): void {
    this.#left -= cost(pages, false);
  }

  async #grow(missing: number, share: number, free: number): Promise<void> {
    const ample = Math.max(missing, Math.min(chunk.most, Math.max(chunk.least, share)));
    for (const pages of ample > missing ? [ample, missing] : [missing])
      try {
        await this.#extend(pages);
        return;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'EFBIG') throw error;
        // Free pages may lie apart, and the newest of them cannot be used yet.
        if (pages === missing && free < missing * 4) throw noSpace(error);
      }
  }

  async #extend(pages: number): Promise<void> {
    await using file = await open(this.#path, 'r+');
    const zeros = Buffer.alloc(Math.min(pages, 256) * pageSize);
    for (let left = pages; left > 0;) {
      const { bytesWritten } = await file.write(zeros, 0, Math.min(left * pageSize, zeros.length), this.#allocated * pageSize);
      const written = Math.floor(bytesWritten / pageSize);
      if (written === 0) throw Object.assign(new Error('the disk took less than a page'), { code: 'ENOSPC' });
      this.#allocated += written;
      this.#left += written;
      left -= written;
    }
  }
}
