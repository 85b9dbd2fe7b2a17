/**
 * Watchers of ranges, found by the keys that change: those of one range together, prefixes by a look-up for each length that there is,
 * so that a thousand watches of a hundred prefixes cost a change of one of them what ten do.
 */
import { covers, prefixEnd } from '../key-range.ts';
import type { Record } from './record.ts';

interface Group<W> {
  key: string;
  end: string;
  members: Set<W>;
}

export class RangeGroups<W> {
  readonly #prefixes = new Map<string, Group<W>>();
  /** How many prefixes there are of each length. */
  readonly #lengths = new Map<number, number>();
  /** Ranges that are no prefix's. */
  readonly #spans = new Map<string, Group<W>>();

  add(key: string, end: string, member: W): void {
    const [groups, name] = this.#place(key, end);
    const present = groups.get(name);
    if (present) present.members.add(member);
    else {
      groups.set(name, { key, end, members: new Set([member]) });
      if (groups === this.#prefixes) this.#lengths.set(key.length, (this.#lengths.get(key.length) ?? 0) + 1);
    }
  }

  delete(key: string, end: string, member: W): boolean {
    const [groups, name] = this.#place(key, end);
    const group = groups.get(name);
    if (!group?.members.delete(member)) return false;
    if (group.members.size > 0) return true;
    groups.delete(name);
    if (groups === this.#prefixes) {
      const left = this.#lengths.get(key.length)! - 1;
      if (left > 0) this.#lengths.set(key.length, left);
      else this.#lengths.delete(key.length);
    }
    return true;
  }

  *all(): Iterable<W> {
    for (const groups of [this.#spans, this.#prefixes]) for (const { members } of groups.values()) yield* members;
  }

  /** Each group that some of the records are in the range of, with those records in their order. */
  covering(records: readonly Record[]): Map<ReadonlySet<W>, readonly Record[]> {
    const found = new Map<ReadonlySet<W>, readonly Record[]>();
    for (const group of this.#spans.values()) {
      const list = records.filter((record) => covers(group, record.key));
      if (list.length > 0) found.set(group.members, list);
    }
    const lists = new Map<Group<W>, Record[]>();
    for (const record of records)
      for (const length of this.#lengths.keys()) {
        if (length > record.key.length) continue;
        const group = this.#prefixes.get(record.key.slice(0, length));
        if (!group) continue;
        const list = lists.get(group);
        if (list) list.push(record);
        else lists.set(group, [record]);
      }
    for (const [group, list] of lists) found.set(group.members, list);
    return found;
  }

  #place(key: string, end: string): [groups: Map<string, Group<W>>, name: string] {
    return end === prefixEnd(key) ? [this.#prefixes, key] : [this.#spans, `${key.length} ${key}${end}`];
  }
}
