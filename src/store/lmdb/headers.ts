import { crc32 } from 'node:zlib';
import type { Database, DatabaseOptions, RootDatabase, Transaction } from 'lmdb';
import type { Record } from '../mvcc/record.ts';
import { plus, readHeader } from './format.ts';

/**
 * The table of records once more, for who reads all of it: headers are read where lmdb puts one after the other, for a Buffer each
 * would take longer than all the rest of opening a big store.
 */
export class Headers {
  readonly #table: Database<Record, number>;
  /** That place, by how much of it is a header. */
  readonly #views: { header: Buffer; view: DataView }[] = [];
  #sum = 0;

  constructor(root: RootDatabase<Buffer, string>) {
    // lmdb's types know no encoder of a caller's.
    const options = {
      encoder: {
        encode: () => {
          throw new Error('Cannot write a header: the table of records does that');
        },
        decode: (bytes: Uint8Array, size: number) => this.#decode(bytes, size),
      },
    };
    this.#table = root.openDB<Record, number>('records', options as DatabaseOptions);
  }

  /** Calls `each` with all records in the order of their sequences. Answers the sum of their headers' checksums. */
  read(within: { transaction?: Transaction }, each: (record: Record) => void): number {
    this.#sum = 0;
    // `forEach` of the range, not an iterator: the headers of a big store are many.
    this.#table.getRange({ snapshot: within.transaction !== undefined, ...within }).forEach(({ key, value }) => {
      value.sequence = key;
      each(value);
    });
    return this.#sum;
  }

  #decode({ buffer, byteOffset }: Uint8Array, size: number): Record {
    let found = this.#views[size];
    if (found?.header.buffer !== buffer || found.header.byteOffset !== byteOffset)
      found = this.#views[size] = {
        header: Buffer.from(buffer as ArrayBuffer, byteOffset, size),
        view: new DataView(buffer, byteOffset, size),
      };
    this.#sum = plus(this.#sum, crc32(found.header));
    return readHeader(0, found.header, found.view);
  }
}
