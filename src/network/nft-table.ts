/**
 * One nftables table whose content is described piece by piece (a piece a Service) and kept up to date with the fewest commands.
 * Invariant: after a successful `apply`, the kernel holds the base script and the union of the pieces, chains that are being deleted aside.
 *
 * Two pieces may claim the same map element (two Services, one external IP): the first keeps it, the next takes over when it goes.
 */
import type { Machine } from './command.ts';

export interface Piece {
  /** Chain → rules. */
  chains: Map<string, string[]>;
  /** Set → definition. A name always has the same definition: what may change is part of the name. */
  sets: Map<string, string>;
  /** "map name" → element → value ('' in sets). */
  elements: Map<string, Map<string, string>>;
}

export const emptyPiece = (): Piece => ({ chains: new Map(), sets: new Map(), elements: new Map() });

export function addElement(piece: Piece, map: string, element: string, value = ''): void {
  let entries = piece.elements.get(map);
  if (!entries) piece.elements.set(map, (entries = new Map()));
  entries.set(element, value);
}

const none = emptyPiece();
const sameRules = (a: readonly string[] | undefined, b: readonly string[]): boolean =>
  a !== undefined && a.length === b.length && a.every((rule, index) => rule === b[index]);

export class NftTable {
  /** "ip coxswain-proxy". */
  readonly name: string;
  readonly #machine: Machine;
  readonly #base: () => string;
  #pieces = new Map<string, Piece>();
  #wanted = new Map<string, Piece | undefined>();
  /** "map\0element" → owner → value, in order of claiming. */
  #claims = new Map<string, Map<string, string>>();
  /** Chains and sets that are emptied and to be deleted with a later transaction. */
  #stale = new Map<string, 'chain' | 'set'>();
  #fresh = true;

  /** `base` answers the whole table ("table ip x { … }") without any piece. */
  constructor(name: string, machine: Machine, base: () => string) {
    this.name = name;
    this.#machine = machine;
    this.#base = base;
  }

  /** What this owner wants from the next `apply` on; undefined: nothing. */
  set(owner: string, piece: Piece | undefined): void {
    this.#wanted.set(owner, piece);
  }

  /** Whether this owner has something in the table, or will have. */
  knows(owner: string): boolean {
    return this.#pieces.has(owner) || this.#wanted.has(owner);
  }

  get hasStale(): boolean {
    return this.#stale.size > 0;
  }

  /** Makes the kernel's table what is wanted, in one transaction. After a failure everything is written anew by the next call. */
  async apply(): Promise<void> {
    const wanted = this.#wanted;
    this.#wanted = new Map();
    const fresh = this.#fresh;
    if (fresh) {
      // What was applied before counts for nothing: pieces are diffed against an empty table.
      for (const [owner, piece] of this.#pieces) if (!wanted.has(owner)) wanted.set(owner, piece);
      this.#pieces = new Map();
      this.#claims = new Map();
      this.#stale = new Map();
    } else if (wanted.size === 0) return;
    const commands = this.#diff(wanted);
    if (!fresh && commands.length === 0) return;
    const script = fresh ? [`add table ${this.name}`, `delete table ${this.name}`, this.#base(), ...commands] : commands;
    this.#fresh = true;
    await this.#machine.run('nft', ['-f', '-'], `${script.join('\n')}\n`);
    this.#fresh = false;
  }

  /** Deletes what earlier transactions left empty. The kernel may refuse for a moment after the last reference went: then it is tried again. */
  async sweep(): Promise<void> {
    const stale = [...this.#stale];
    if (stale.length === 0) return;
    // Chains first: their rules referred to the sets.
    const commands = stale
      .sort(([, a], [, b]) => (a === b ? 0 : a === 'chain' ? -1 : 1))
      .map(([name, type]) => `delete ${type} ${this.name} ${name}`);
    await this.#machine.run('nft', ['-f', '-'], `${commands.join('\n')}\n`);
    for (const [name] of stale) this.#stale.delete(name);
  }

  /** Writes everything anew with the next `apply`. */
  invalidate(): void {
    this.#fresh = true;
  }

  async remove(): Promise<void> {
    this.#fresh = true;
    await this.#machine.run('nft', ['-f', '-'], `add table ${this.name}\ndelete table ${this.name}\n`);
  }

  #diff(wanted: ReadonlyMap<string, Piece | undefined>): string[] {
    const create: string[] = [];
    const rules: string[] = [];
    const take: string[] = [];
    const give: string[] = [];
    const touched = new Map<string, string | undefined>();
    for (const [owner, next = none] of wanted) {
      const old = this.#pieces.get(owner) ?? none;
      for (const [name, definition] of next.sets) {
        if (old.sets.has(name)) continue;
        this.#stale.delete(name);
        create.push(`add set ${this.name} ${name} ${definition}`);
      }
      for (const [name, lines] of next.chains) {
        const known = old.chains.has(name) || this.#stale.has(name);
        if (!known) create.push(`add chain ${this.name} ${name}`);
        else if (sameRules(old.chains.get(name), lines) && !this.#stale.has(name)) continue;
        else rules.push(`flush chain ${this.name} ${name}`);
        this.#stale.delete(name);
        for (const line of lines) rules.push(`add rule ${this.name} ${name} ${line}`);
      }
      for (const name of old.chains.keys())
        if (!next.chains.has(name)) {
          rules.push(`flush chain ${this.name} ${name}`);
          this.#stale.set(name, 'chain');
        }
      for (const name of old.sets.keys()) if (!next.sets.has(name)) this.#stale.set(name, 'set');
      this.#claim(owner, old, next, touched);
      if (next === none) this.#pieces.delete(owner);
      else this.#pieces.set(owner, next);
    }
    for (const [key, before] of touched) {
      const claims = this.#claims.get(key);
      const after = claims?.values().next().value;
      if (before === after) continue;
      const [map = '', element = ''] = key.split('\0');
      if (before !== undefined) take.push(`delete element ${this.name} ${map} { ${element} }`);
      if (after !== undefined) give.push(`add element ${this.name} ${map} { ${element}${after && ` : ${after}`} }`);
    }
    return [...create, ...take, ...rules, ...give];
  }

  #claim(owner: string, old: Piece, next: Piece, touched: Map<string, string | undefined>): void {
    const effective = (key: string): string | undefined => this.#claims.get(key)?.values().next().value;
    for (const [map, elements] of old.elements)
      for (const element of elements.keys()) {
        if (next.elements.get(map)?.has(element)) continue;
        const key = `${map}\0${element}`;
        if (!touched.has(key)) touched.set(key, effective(key));
        const claims = this.#claims.get(key);
        claims?.delete(owner);
        if (claims?.size === 0) this.#claims.delete(key);
      }
    for (const [map, elements] of next.elements)
      for (const [element, value] of elements) {
        const key = `${map}\0${element}`;
        if (this.#claims.get(key)?.get(owner) === value) continue;
        if (!touched.has(key)) touched.set(key, effective(key));
        const claims = this.#claims.get(key);
        if (claims) claims.set(owner, value);
        else this.#claims.set(key, new Map([[owner, value]]));
      }
  }
}
