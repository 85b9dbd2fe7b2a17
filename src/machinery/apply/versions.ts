import { compare } from './compare.ts';
import type { Comparison } from './compare.ts';
import type { TypeSchema } from './schema.ts';

/**
 * How an object looks in another version of its group, and that version's schema. Undefined where the version is not served any more:
 * its managers are forgotten. Without it, all versions are taken to be alike.
 */
export type Versions = (object: object, apiVersion: string) => { object: object; schema: TypeSchema } | undefined;

/** Compares two states of one object in the versions that their managers wrote in, each once. */
export class VersionedComparison {
  readonly #before: object;
  readonly #after: object;
  readonly #versions: Versions | undefined;
  readonly #apiVersion: string;
  readonly #changes: Comparison | undefined;
  /** In other versions. */
  #others: Map<string, Comparison | undefined | 'gone'> | undefined;

  constructor(before: object, after: object, schema: TypeSchema, apiVersion: string, versions: Versions | undefined) {
    this.#before = before;
    this.#after = after;
    this.#apiVersion = apiVersion;
    this.#versions = versions;
    this.#changes = compare(before, after, schema);
  }

  /** The comparison in a version; "gone" where that is not served any more. */
  at(apiVersion: string): Comparison | undefined | 'gone' {
    if (!this.#versions || apiVersion === this.#apiVersion) return this.#changes;
    const others = (this.#others ??= new Map());
    if (others.has(apiVersion)) return others.get(apiVersion);
    const before = this.#versions(this.#before, apiVersion);
    const after = this.#versions(this.#after, apiVersion);
    const found = before && after ? compare(before.object, after.object, after.schema) : 'gone';
    others.set(apiVersion, found);
    return found;
  }
}
