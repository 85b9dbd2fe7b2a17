import { crc32 } from 'node:zlib';
import type { Database, DatabaseOptions, RootDatabase, Transaction } from 'lmdb';
import type { Record } from '../mvcc/record.ts';
import { plus, readHeader } from './format.ts';
import { bytesOf, eachHeader, isGone } from './packs.ts';
import type { Packs } from './packs.ts';

/**
 * The table of records once more, for who reads all of it: an entry is copied to one place, and each header to another, for a Buffer
 * each would take longer than all the rest of opening a big store.
 */
export class Headers {
  readonly #table: Database<number, number>;
  readonly #gone: Database<Buffer, number> | undefined;
  #entry = Buffer.alloc(64 * 1024);
  #place = Buffer.alloc(1024);
  /** That place, by how much of it is a header. */
  #views: { header: Buffer; view: DataView }[] = [];
  #sum = 0;

  /** `gone`: undefined in a store of before the third format that is only read. */
  constructor(root: RootDatabase<Buffer, string>, gone: Database<Buffer, number> | undefined) {
    this.#gone = gone;
    // lmdb's types know no encoder of a caller's.
    const options = {
      encoder: {
        encode: () => {
          throw new Error('Cannot write a header: the table of records does that');
        },
        decode: (bytes: Uint8Array, size: number) => this.#copy(bytes, size),
      },
    };
    this.#table = root.openDB<number, number>('records', options as DatabaseOptions);
  }

  /** All records in the order of their sequences, and the sum of their headers' checksums. `packs` is told of its packs. */
  read(within: { transaction?: Transaction }, packs: Packs): { records: Record[]; checksum: number } {
    const records: Record[] = [];
    const goneFrom = new Map(Array.from(this.#gone?.getRange(within) ?? [], ({ key, value }) => [key, value]));
    this.#sum = 0;
    // `forEach` of the range, not an iterator: the packs of a big store are many.
    this.#table.getRange({ snapshot: within.transaction !== undefined, ...within }).forEach(({ key, value: size }) => {
      if (key < packs.first) {
        records.push(this.#header(key, 0, size, true));
        return;
      }
      const gone = goneFrom.get(key);
      let [count, live, written] = [0, 0, 0];
      eachHeader(this.#entry, size, (slot, from, to) => {
        const there = !isGone(gone, slot);
        const record = this.#header(key + slot, from, to, there);
        const bytes = bytesOf(record);
        written += bytes;
        if (!there) return;
        records.push(record);
        count++;
        live += bytes;
      });
      packs.set(key, { gone, count, live, written });
    });
    return { records, checksum: this.#sum };
  }

  #copy(bytes: Uint8Array, size: number): number {
    if (size > this.#entry.length) this.#entry = Buffer.alloc(2 * size);
    this.#entry.set(bytes.byteLength === size ? bytes : bytes.subarray(0, size));
    return size;
  }

  /** One of the entry, `counted` or not. */
  #header(sequence: number, from: number, to: number, counted: boolean): Record {
    const size = to - from;
    if (size > this.#place.length) {
      this.#place = Buffer.alloc(2 * size);
      this.#views = [];
    }
    this.#entry.copy(this.#place, 0, from, to);
    const { header, view } = (this.#views[size] ??= {
      header: this.#place.subarray(0, size),
      view: new DataView(this.#place.buffer, this.#place.byteOffset, size),
    });
    if (counted) this.#sum = plus(this.#sum, crc32(header));
    return readHeader(sequence, header, view);
  }
}
