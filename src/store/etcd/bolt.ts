/**
 * bbolt's file format: what etcd keeps its data in. Reads a file as it lies; writes one anew, from sorted entries, without free pages.
 * upstream: go.etcd.io/bbolt internal/common (page.go, meta.go, bucket.go).
 *
 *   page     id 8, flags 2, count 2, overflow 4, then `count` elements, then the keys and values they point to
 *   0, 1     meta pages: the newer valid one counts; its root is a bucket of buckets
 *   bucket   the page of its root, or, where that is 0, a page of its own right behind
 */
import { closeSync, openSync, readSync } from 'node:fs';

export type Entry = [key: Uint8Array, value: Uint8Array];

const flags = { branch: 1, leaf: 2, meta: 4, freelist: 16 } as const;
const bucketFlag = 1;
const header = 16;
const element = 16;
const magic = 0xed0cdaed;
const version = 2;
const pageSize = 4096;

export class BoltReader implements Disposable {
  readonly #descriptor: number;
  readonly #path: string;
  readonly #pageSize: number;
  readonly #buckets: ReadonlyMap<string, Buffer>;

  /** Throws Error where the file is none of bbolt's. */
  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openSync(path, 'r');
    try {
      const first = this.#read(0, header + 64);
      // The second meta page lies where the page size says; where the first is damaged, at the usual place.
      this.#pageSize = first.readUInt32LE(header) === magic ? first.readUInt32LE(header + 8) : pageSize;
      const metas = [first, this.#read(this.#pageSize, header + 64)]
        .map((page) => page.subarray(header))
        .filter((meta) => meta.readUInt32LE(0) === magic && meta.readUInt32LE(4) === version && checksum(meta) === meta.readBigUInt64LE(56))
        .sort((a, b) => Number(b.readBigUInt64LE(48) - a.readBigUInt64LE(48)));
      if (!metas[0]) throw new Error(`Cannot read ${path}: it is no file of etcd's (bbolt)`);
      const root = Number(metas[0].readBigUInt64LE(16));
      this.#buckets = new Map([...this.#walk(this.#page(root))].map(([key, value]) => [Buffer.from(key).toString(), value]));
    } catch (error) {
      closeSync(this.#descriptor);
      throw error;
    }
  }

  /** The entries of a bucket in the order of their keys; none where there is no such bucket. */
  *bucket(name: string): Iterable<[key: Buffer, value: Buffer]> {
    const found = this.#buckets.get(name);
    if (!found) return;
    const root = Number(found.readBigUInt64LE(0));
    yield* this.#walk(root === 0 ? found.subarray(header) : this.#page(root));
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  *#walk(page: Buffer): Iterable<[key: Buffer, value: Buffer]> {
    const kind = page.readUInt16LE(8);
    const count = page.readUInt16LE(10);
    for (let index = 0; index < count; index++) {
      const at = header + index * element;
      if (kind & flags.branch) {
        yield* this.#walk(this.#page(Number(page.readBigUInt64LE(at + 8))));
        continue;
      }
      if (!(kind & flags.leaf)) throw new Error(`Cannot read ${this.#path}: a page of kind ${kind} is in a tree`);
      const start = at + page.readUInt32LE(at + 4);
      const middle = start + page.readUInt32LE(at + 8);
      yield [page.subarray(start, middle), page.subarray(middle, middle + page.readUInt32LE(at + 12))];
    }
  }

  #page(id: number): Buffer {
    const first = this.#read(id * this.#pageSize, this.#pageSize);
    const overflow = first.readUInt32LE(12);
    return overflow === 0 ? first : this.#read(id * this.#pageSize, (overflow + 1) * this.#pageSize);
  }

  #read(position: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    const got = readSync(this.#descriptor, bytes, 0, length, position);
    if (got < length) throw new Error(`Cannot read ${this.#path}: it ends too soon`);
    return bytes;
  }
}

/** A file of these buckets, whose entries are in the order of their keys. Its parts in order. */
export function boltFile(buckets: ReadonlyMap<string, readonly Entry[]>): Buffer[] {
  const pages: Buffer[] = [];
  let next = 3;
  const add = (kind: number, entries: readonly Entry[], children?: readonly number[]): number => {
    const size = entries.reduce((sum, [key, value]) => sum + element + key.length + value.length, header);
    const page = Buffer.alloc(Math.ceil(size / pageSize) * pageSize);
    const id = next;
    next += page.length / pageSize;
    page.writeBigUInt64LE(BigInt(id), 0);
    page.writeUInt16LE(kind, 8);
    page.writeUInt16LE(entries.length, 10);
    page.writeUInt32LE(page.length / pageSize - 1, 12);
    let data = header + entries.length * element;
    for (const [index, [key, value]] of entries.entries()) {
      const at = header + index * element;
      if (children) {
        page.writeUInt32LE(data - at, at);
        page.writeUInt32LE(key.length, at + 4);
        page.writeBigUInt64LE(BigInt(children[index]!), at + 8);
      } else {
        page.writeUInt32LE(kind & flags.leaf && nested.has(value) ? bucketFlag : 0, at);
        page.writeUInt32LE(data - at, at + 4);
        page.writeUInt32LE(key.length, at + 8);
        page.writeUInt32LE(value.length, at + 12);
      }
      page.set(key, data);
      page.set(value, data + key.length);
      data += key.length + value.length;
    }
    pages.push(page);
    return id;
  };
  /** Values that are buckets. */
  const nested = new Set<Uint8Array>();
  const tree = (entries: readonly Entry[]): number => {
    let level = inPages(entries).map((part) => ({ key: part[0]?.[0] ?? Buffer.alloc(0), id: add(flags.leaf, part) }));
    while (level.length > 1) {
      const parts = inPages(level.map(({ key }): Entry => [key, Buffer.alloc(0)]));
      let at = 0;
      level = parts.map((part) => {
        const children = level.slice(at, (at += part.length)).map(({ id }) => id);
        return { key: part[0]![0], id: add(flags.branch, part, children) };
      });
    }
    return level[0]!.id;
  };
  const roots = [...buckets]
    .map(([name, entries]): Entry => {
      const value = Buffer.alloc(16);
      value.writeBigUInt64LE(BigInt(tree(entries)), 0);
      nested.add(value);
      return [Buffer.from(name), value];
    })
    .sort(([a], [b]) => Buffer.compare(a, b));
  const root = tree(roots);
  const metas = [0, 1].map((id) => {
    const page = Buffer.alloc(pageSize);
    page.writeBigUInt64LE(BigInt(id), 0);
    page.writeUInt16LE(flags.meta, 8);
    const meta = page.subarray(header);
    meta.writeUInt32LE(magic, 0);
    meta.writeUInt32LE(version, 4);
    meta.writeUInt32LE(pageSize, 8);
    meta.writeBigUInt64LE(BigInt(root), 16);
    meta.writeBigUInt64LE(2n, 32);
    meta.writeBigUInt64LE(BigInt(next), 40);
    meta.writeBigUInt64LE(BigInt(id + 1), 48);
    meta.writeBigUInt64LE(checksum(meta), 56);
    return page;
  });
  const freelist = Buffer.alloc(pageSize);
  freelist.writeBigUInt64LE(2n, 0);
  freelist.writeUInt16LE(flags.freelist, 8);
  return [...metas, freelist, ...pages];
}

/** Cut so that each part fills a page; an entry that is larger than one has a part of its own. */
function inPages(entries: readonly Entry[]): Entry[][] {
  const parts: Entry[][] = [[]];
  let size = header;
  for (const entry of entries) {
    const own = element + entry[0].length + entry[1].length;
    if (size + own > pageSize && parts.at(-1)!.length > 0) {
      parts.push([]);
      size = header;
    }
    parts.at(-1)!.push(entry);
    size += own;
  }
  return parts;
}

/** FNV-1a, 64 bits, of a meta page's fields. */
function checksum(meta: Buffer): bigint {
  let sum = 0xcbf29ce484222325n;
  for (let at = 0; at < 56; at++) sum = BigInt.asUintN(64, (sum ^ BigInt(meta[at]!)) * 0x100000001b3n);
  return sum;
}
