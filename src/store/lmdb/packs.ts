/**
 * What one commit writes lies together in packs: up to 128 headers in an entry of the table of records, their values in one of the table
 * of values. So LMDB takes pages and gets them back many at a time, next to each other, and few entries at a time. Of single pages, those
 * that are free come to lie ever further apart, and every commit has more places to write to.
 *
 *   headers   slot (1), bytes (4), header; and so on
 *   values    how many (1), slot (1) and bytes (4) of each, all the values
 *   gone      which of the pack's records are there no more (16 bytes, a bit for each slot); absent where all are
 *
 * A pack's key is a multiple of 128, and a record's sequence the pack's key and its slot: who knows a record finds its value.
 * Invariant: what is gone takes less than half of a pack; where it would take more, the pack is written anew without it.
 */
import type { Record } from '../mvcc/record.ts';
import { headerSize, writeHeader } from './format.ts';
import { pageSize } from './room.ts';

const slots = 128;
/** Bytes that an entry of more than one record may have: what fits into 16 pages. */
const length = 16 * pageSize - 16;
/** Bytes before each header, and for each value. */
const lead = 5;

const slotOf = (sequence: number): number => sequence % slots;

/** The key of a record's pack. Before sequence `first` there are none: each header and each value is an entry by itself. */
export const packOf = (sequence: number, first: number): number => (sequence < first ? sequence : sequence - slotOf(sequence));

/** Where packs may begin in a table that has this one last. */
export const packAfter = (newest: number): number => newest - slotOf(newest) + slots;

/** Bytes that a record takes in its pack. */
export const bytesOf = (record: Record): number => headerSize(record) + record.size + 2 * lead;

export const isGone = (gone: Uint8Array | undefined, slot: number): boolean =>
  gone !== undefined && (gone[slot >> 3]! & (1 << (slot & 7))) !== 0;

/** Calls `each` with every header in a pack: its slot, where it begins and where it ends. Throws RangeError where there is something else. */
export function eachHeader(bytes: Uint8Array, size: number, each: (slot: number, from: number, to: number) => void): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  for (let at = 0; at < size;) {
    const from = at + lead;
    const to = from + view.getUint32(at + 1, true);
    if (to > size) throw new RangeError(`A header ends at ${to} in ${size} bytes`);
    each(bytes[at]!, from, to);
    at = to;
  }
}

/** The value of a record, a part of the entry that it lies in; undefined where there is none. */
export function valueIn(bytes: Uint8Array, sequence: number, first: number): Uint8Array | undefined {
  // lmdb's own buffer tells how much of it is an entry by a `length` that may be less than there is room for.
  if (sequence < first) return bytes.subarray(0, bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const slot = slotOf(sequence);
  const end = 1 + bytes[0]! * lead;
  if (end > bytes.length) return undefined;
  for (let place = 1, at = end; place < end; place += lead) {
    const size = view.getUint32(place + 1, true);
    if (bytes[place] === slot) return at + size <= bytes.length ? bytes.subarray(at, at + size) : undefined;
    at += size;
  }
  return undefined;
}

/** A pack of values, with their slots. */
function packed(values: readonly (readonly [slot: number, value: Uint8Array])[]): Buffer {
  let at = 1 + values.length * lead;
  const bytes = Buffer.allocUnsafeSlow(values.reduce((sum, [, value]) => sum + value.length, at));
  bytes[0] = values.length;
  let place = 1;
  for (const [slot, value] of values) {
    bytes[place] = slot;
    place = bytes.writeUInt32LE(value.length, place + 1);
    bytes.set(value, at);
    at += value.length;
  }
  return bytes;
}

/** What becomes of the pack with this key. */
export interface Pack {
  key: number;
  headers: Buffer;
  /** undefined: none of its records has one. */
  values: Buffer | undefined;
}

/** Puts the records of a commit into packs, and gives them their sequences. */
export class Packer {
  readonly packs: Pack[] = [];
  readonly #headers: Buffer;
  /** Where the headers of the pack begin, and where the next goes. */
  #start = 0;
  #at = 0;
  #next: number;
  #values: [number, Uint8Array][] = [];
  /** In the entry of values. */
  #bytes = 1;

  /** For so many records; `newest` is the last sequence that was given. */
  constructor(newest: number, records: readonly Record[]) {
    this.#next = packAfter(newest);
    this.#headers = Buffer.allocUnsafeSlow(records.reduce((sum, record) => sum + lead + headerSize(record), 0));
  }

  /** The newest sequence now. */
  get newest(): number {
    return this.#next - 1;
  }

  /** One of them, with its value. */
  add(record: Record): { sequence: number; header: Buffer } {
    const { size, value } = record;
    const head = headerSize(record);
    if (Math.max(this.#at - this.#start + head, this.#bytes + size) + lead > length) this.end();
    const sequence = this.#next++;
    const slot = slotOf(sequence);
    this.#headers[this.#at] = slot;
    const from = this.#headers.writeUInt32LE(head, this.#at + 1);
    const header = this.#headers.subarray(from, (this.#at = from + head));
    writeHeader(record, header);
    if (size > 0) {
      this.#values.push([slot, value!]);
      this.#bytes += lead + size;
    }
    if (slot === slots - 1) this.end();
    return { sequence, header };
  }

  /** The pack is complete. */
  end(): void {
    if (this.#at === this.#start) return;
    this.packs.push({
      key: packOf(this.newest, 0),
      headers: this.#headers.subarray(this.#start, this.#at),
      values: this.#values.length > 0 ? packed(this.#values) : undefined,
    });
    this.#next = packAfter(this.newest);
    this.#start = this.#at;
    this.#values = [];
    this.#bytes = 1;
  }
}

/** A pack without what is gone. `headers` and `values` are what lies there; the latter may be lmdb's own. */
function cleared(key: number, gone: Uint8Array, headers: Buffer, values: Uint8Array | undefined): Pack {
  const kept: Buffer[] = [];
  const keptValues: [number, Uint8Array][] = [];
  eachHeader(headers, headers.length, (slot, from, to) => {
    if (isGone(gone, slot)) return;
    kept.push(headers.subarray(from - lead, to));
    const value = values && valueIn(values, key + slot, 0);
    if (value) keptValues.push([slot, value]);
  });
  return { key, headers: Buffer.concat(kept), values: keptValues.length > 0 ? packed(keptValues) : undefined };
}

/** What is known of a pack: which records are gone, how many are not, the bytes that those take, and the bytes of all. */
export interface Known {
  gone: Uint8Array | undefined;
  count: number;
  live: number;
  written: number;
}

/** What becomes of a pack when records are removed. */
export interface Shrunk {
  key: number;
  /** undefined: nothing is left. */
  left: Known | undefined;
  /** It, written anew. */
  pack: Pack | undefined;
}

/** The packs that have more than one record. The others go with it. */
export class Packs {
  /** The least sequence in a pack. */
  readonly first: number;
  readonly #known = new Map<number, Readonly<Known>>();

  constructor(first: number) {
    this.first = first;
  }

  /** Where it is more than one record's, there is such a pack. */
  set(key: number, pack: Known | undefined): void {
    if (pack && pack.count > 1) this.#known.set(key, pack);
    else this.#known.delete(key);
  }

  /** Records that have been written, in packs of their own. */
  add(records: readonly Record[]): void {
    let last: number | undefined;
    let [count, live] = [0, 0];
    const end = (): void => {
      if (last !== undefined) this.set(last, { gone: undefined, count, live, written: live });
    };
    for (const record of records) {
      const key = packOf(record.sequence, this.first);
      if (key !== last) {
        end();
        [last, count, live] = [key, 0, 0];
      }
      count++;
      live += bytesOf(record);
    }
    end();
  }

  get(key: number): Readonly<Known> | undefined {
    return this.#known.get(key);
  }
}

/** Removes records from packs, all at once in the end: until `set`, what is known of these is what it was. */
export class Shrinking {
  readonly #packs: Packs;
  readonly #shrunk = new Map<number, (Known & { gone: Uint8Array }) | undefined>();

  constructor(packs: Packs) {
    this.#packs = packs;
  }

  remove(record: Record): void {
    const key = packOf(record.sequence, this.#packs.first);
    let left = this.#shrunk.get(key);
    if (!left && !this.#shrunk.has(key)) {
      const known = this.#packs.get(key);
      left = known && { ...known, gone: known.gone ? Uint8Array.from(known.gone) : new Uint8Array(slots >> 3) };
      this.#shrunk.set(key, left);
    }
    if (!left) return;
    const slot = slotOf(record.sequence);
    left.gone[slot >> 3]! |= 1 << (slot & 7);
    left.count--;
    left.live -= bytesOf(record);
  }

  /** What becomes of their packs, one by one. `read` gets what lies there. */
  *packs(read: (key: number) => { headers: Buffer; values: Uint8Array | undefined }): Iterable<Shrunk> {
    for (const [key, left] of this.#shrunk)
      if (!left || left.count === 0) yield { key, left: undefined, pack: undefined };
      else if (left.live * 2 > left.written) yield { key, left, pack: undefined };
      else {
        const { headers, values } = read(key);
        yield { key, left: { ...left, gone: undefined, written: left.live }, pack: cleared(key, left.gone, headers, values) };
      }
  }
}
