/**
 * A disk in memory with the faults of real ones: it forgets what was not synced, fills up, fails and is slow.
 * What is written is seen by every reader at once and is durable after the file's next sync; `powerLoss` gives a machine's disk as it
 * may be found after the power failed: what was synced, and any part of what was written since, in 512-byte sectors.
 * Names are durable at once: a store's files are made when it is made, and none later.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '#machinery/clock';
import { errno } from './errno.ts';
import type { Attributes, FileSystem } from './fuse.ts';

interface Change {
  offset: number;
  /** Undefined: the file was cut, or made longer, to `offset`. */
  data: Buffer | undefined;
}

interface Node {
  node: number;
  name: string;
  /** Present: a directory. */
  entries?: Map<string, Node>;
  content: Content;
  durable: Content;
  /** Since the last sync. */
  pending: Change[];
}

const sector = 512;

/** Bytes that can grow. */
class Content {
  bytes = Buffer.alloc(0);
  size = 0;

  apply({ offset, data }: Change): void {
    const end = offset + (data?.length ?? 0);
    if (end > this.bytes.length) {
      const bigger = Buffer.alloc(Math.max(this.bytes.length * 2, end, 64 * 1024));
      this.bytes.copy(bigger, 0, 0, this.size);
      this.bytes = bigger;
    }
    if (data) {
      data.copy(this.bytes, offset);
      this.size = Math.max(this.size, end);
    } else {
      if (offset < this.size) this.bytes.fill(0, offset, this.size);
      this.size = offset;
    }
  }

  get view(): Buffer {
    return this.bytes.subarray(0, this.size);
  }

  copy(): Content {
    const other = new Content();
    other.bytes = Buffer.from(this.view);
    other.size = this.size;
    return other;
  }
}

/** What happens to the next operations. Zeros and absent fields: nothing. */
export interface Faults {
  /** To those on files of this name; absent: on all. */
  file?: string;
  /** Errno of writes, syncs. */
  write?: number;
  sync?: number;
  /** Resolves when a sync may go on. */
  beforeSync?: () => Promise<void>;
  /** Told of every write and sync, before and after it takes effect. */
  observe?: (step: 'before write' | 'after write' | 'before sync' | 'after sync') => void;
}

export class FaultyDisk implements FileSystem {
  faults: Faults = {};
  readonly #nodes = new Map<number, Node>();
  readonly #capacity: () => number;
  #next = 1;

  /** `capacity`: bytes that all files together may have. */
  constructor(capacity: () => number = () => Infinity) {
    this.#capacity = capacity;
    this.#create('', true);
  }

  /** Takes a plain directory with all that is in it, as synced, as a directory `name`. Nothing where there is none. */
  load(directory: string, name: string): void {
    if (existsSync(directory)) this.#load(directory, this.make(1, name, true).node);
  }

  #load(directory: string, parent: number): void {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      const made = this.make(parent, entry.name, entry.isDirectory());
      if (entry.isDirectory()) this.#load(path, made.node);
      else this.#nodes.get(made.node)!.durable.apply({ offset: 0, data: readFileSync(path) });
      const node = this.#nodes.get(made.node)!;
      node.content = node.durable.copy();
    }
  }

  /** Writes directory `name` into a plain one, as it is seen, or as a failure of the power may have left it. */
  copyTo(directory: string, name: string, powerLoss?: Random): void {
    this.#copyTo(directory, this.#nodes.get(1)!.entries!.get(name), powerLoss);
  }

  #copyTo(directory: string, from: Node | undefined, powerLoss: Random | undefined): void {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const [name, node] of from?.entries ?? []) {
      const path = join(directory, name);
      if (node.entries) this.#copyTo(path, node, powerLoss);
      else writeFileSync(path, powerLoss ? survivors(node, powerLoss) : node.content.view);
    }
  }

  /** Changes that no sync has made durable yet. */
  get pending(): number {
    return [...this.#nodes.values()].reduce((sum, node) => sum + node.pending.length, 0);
  }

  get used(): number {
    return [...this.#nodes.values()].reduce((sum, node) => sum + node.content.size, 0);
  }

  lookup(parent: number, name: string): Attributes | undefined {
    const found = this.#nodes.get(parent)?.entries?.get(name);
    return found && attributesOf(found);
  }

  attributes(node: number): Attributes | undefined {
    const found = this.#nodes.get(node);
    return found && attributesOf(found);
  }

  make(parent: number, name: string, directory: boolean): Attributes {
    const made = this.#create(name, directory);
    this.#nodes.get(parent)!.entries!.set(name, made);
    return attributesOf(made);
  }

  remove(parent: number, name: string): boolean {
    // A removed file stays for those who have it open.
    return this.#nodes.get(parent)!.entries!.delete(name);
  }

  rename(parent: number, name: string, newParent: number, newName: string): boolean {
    const entries = this.#nodes.get(parent)!.entries!;
    const found = entries.get(name);
    if (!found) return false;
    entries.delete(name);
    this.#nodes.get(newParent)!.entries!.set(newName, found);
    return true;
  }

  names(node: number): [name: string, attributes: Attributes][] {
    return [...this.#nodes.get(node)!.entries!].map(([name, child]) => [name, attributesOf(child)]);
  }

  truncate(node: number, size: number): number {
    const found = this.#nodes.get(node)!;
    if (size > found.content.size && this.used + size - found.content.size > this.#capacity()) return -errno.ENOSPC;
    this.#change(found, { offset: size, data: undefined });
    return 0;
  }

  read(node: number, offset: number, size: number): Buffer {
    return Buffer.from(this.#nodes.get(node)!.content.view.subarray(offset, offset + size));
  }

  write(node: number, offset: number, data: Buffer): number {
    const found = this.#nodes.get(node)!;
    this.faults.observe?.('before write');
    if (this.faults.write && this.#concerns(found)) return -this.faults.write;
    const grown = Math.max(0, offset + data.length - found.content.size);
    if (grown > 0 && this.used + grown > this.#capacity()) return -errno.ENOSPC;
    this.#change(found, { offset, data });
    this.faults.observe?.('after write');
    return 0;
  }

  async sync(node: number): Promise<number> {
    const found = this.#nodes.get(node)!;
    // What comes while a slow sync lasts is not covered by it.
    const covered = found.pending.length;
    if (this.#concerns(found)) await this.faults.beforeSync?.();
    this.faults.observe?.('before sync');
    if (this.faults.sync && this.#concerns(found)) return -this.faults.sync;
    for (const change of found.pending.splice(0, covered)) found.durable.apply(change);
    this.faults.observe?.('after sync');
    return 0;
  }

  space(): { total: number; free: number } {
    const total = Math.min(this.#capacity(), 2 ** 40);
    return { total, free: total - this.used };
  }

  #create(name: string, directory: boolean): Node {
    const made: Node = { node: this.#next++, name, content: new Content(), durable: new Content(), pending: [] };
    if (directory) made.entries = new Map();
    this.#nodes.set(made.node, made);
    return made;
  }

  #concerns({ name }: Node): boolean {
    return this.faults.file === undefined || this.faults.file === name;
  }

  #change(node: Node, change: Change): void {
    node.content.apply(change);
    node.pending.push(change);
  }
}

const attributesOf = ({ node, entries, content }: Node): Attributes => ({ node, directory: entries !== undefined, size: content.size });

/** What was synced, and, of what was not: all, nothing, or any sectors of it. */
function survivors({ durable, pending }: Node, random: Random): Buffer {
  const found = durable.copy();
  const kept = [0, 1, random.next()][Math.floor(random.next() * 3)]!;
  for (const { offset, data } of pending) {
    if (!data) {
      if (random.next() < kept) found.apply({ offset, data });
      continue;
    }
    for (let at = 0; at < data.length; at += sector)
      if (random.next() < kept) found.apply({ offset: offset + at, data: data.subarray(at, at + sector) });
  }
  return found.view;
}
