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
  readonly #known = new Map<string, Comparison | undefined | 'gone'>();
  readonly #apiVersion: string;

  constructor(before: object, after: object, schema: TypeSchema, apiVersion: string, versions: Versions | undefined) {
    this.#before = before;
    this.#after = after;
    this.#apiVersion = apiVersion;
    this.#versions = versions;
    this.#known.set(apiVersion, compare(before, after, schema));
  }

  /** The comparison in a version; "gone" where that is not served any more. */
  at(apiVersion: string): Comparison | undefined | 'gone' {
    const version = this.#versions ? apiVersion : this.#apiVersion;
    if (this.#known.has(version)) return this.#known.get(version);
    const before = this.#versions!(this.#before, version);
    const after = this.#versions!(this.#after, version);
    const found = before && after ? compare(before.object, after.object, after.schema) : 'gone';
    this.#known.set(version, found);
    return found;
  }
}
