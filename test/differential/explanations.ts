/** Which differences are known, and why they are there. */
import type { Difference } from './compare.ts';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { explained } from './explained.ts';

export interface Explanation {
  /** Requests, "*" for any run of characters: "verbs pods v1/*". */
  request: string;
  /** Where in the answer, the same way: "body.metadata.managedFields*". */
  path: string;
  /** Only where upstream, or Coxswain, answers just that, or a text like that. */
  upstream?: unknown;
  coxswain?: unknown;
  why: string;
}

const pattern = (text: string): RegExp => new RegExp(`^${text.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*')}$`);

const isLike = (found: unknown, wanted: unknown): boolean =>
  wanted instanceof RegExp ? typeof found === 'string' && wanted.test(found) : JSON.stringify(wanted) === JSON.stringify(found);

const file = join(import.meta.dirname, 'open.tsv');

/** Exact differences that are still to be mended: request, path, and what is known of it. */
const readOpen = (): Set<string> => {
  try {
    return new Set(
      readFileSync(file, 'utf8')
        .split('\n')
        .map((line) => line.split('\t').slice(0, 2).join('\t')),
    );
  } catch {
    return new Set();
  }
};

/** Keeps what is open now, so that anything new is seen. */
export function writeOpen(found: readonly { id: string; path: string }[]): void {
  writeFileSync(file, found.map(({ id, path }) => `${id}\t${path}\tnot looked into\n`).join(''));
}

/** Forgets what was open and is not `still`; how much that is. What was not asked stays. */
export function dropMended(asked: ReadonlySet<string>, still: readonly { id: string; path: string }[]): number {
  const left = new Set(still.map(({ id, path }) => `${id}\t${path}`));
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  const kept = lines.filter((line) => {
    const [id = '', path] = line.split('\t');
    return !asked.has(id) || left.has(`${id}\t${path}`);
  });
  writeFileSync(file, kept.map((line) => `${line}\n`).join(''));
  return lines.length - kept.length;
}

export class Explanations {
  readonly #open = readOpen();
  readonly #known = explained.map((explanation) => ({
    explanation,
    request: pattern(explanation.request),
    path: pattern(explanation.path),
    used: false,
  }));

  /** `open` false: only what is decided counts. */
  explains(id: string, difference: Difference, open = true): boolean {
    const same = (explanation: Explanation, side: 'upstream' | 'coxswain'): boolean =>
      !(side in explanation) || isLike(difference[side], explanation[side]);
    const found = this.#known.filter(
      ({ request, path, explanation }) =>
        request.test(id) && path.test(difference.path) && same(explanation, 'upstream') && same(explanation, 'coxswain'),
    );
    for (const known of found) known.used = true;
    return found.length > 0 || (open && this.#open.has(`${id}\t${difference.path}`));
  }

  /** Explanations of nothing in the corpus: what they spoke of is mended. */
  unused(): string[] {
    return this.#known
      .filter(({ used, explanation }) => !used && !explanation.request.startsWith('random '))
      .map(({ explanation: { request, path } }) => `${request}: ${path}`);
  }
}
