/** Which differences are known, and why they are there. */
import type { Difference } from './compare.ts';
import { explained } from './explained.ts';

export interface Explanation {
  /** Requests, "*" for any run of characters: "verbs pods v1/*". */
  request: string;
  /** Where in the answer, the same way: "body.metadata.managedFields*". */
  path: string;
  /** Only where upstream, or Coxswain, answers just that. */
  upstream?: unknown;
  coxswain?: unknown;
  why: string;
}

const pattern = (text: string): RegExp => new RegExp(`^${text.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*')}$`);

export class Explanations {
  readonly #known = explained.map((explanation) => ({
    explanation,
    request: pattern(explanation.request),
    path: pattern(explanation.path),
    used: false,
  }));

  explains(id: string, difference: Difference): boolean {
    const same = (explanation: Explanation, side: 'upstream' | 'coxswain'): boolean =>
      !(side in explanation) || JSON.stringify(explanation[side]) === JSON.stringify(difference[side]);
    const found = this.#known.filter(
      ({ request, path, explanation }) =>
        request.test(id) && path.test(difference.path) && same(explanation, 'upstream') && same(explanation, 'coxswain'),
    );
    for (const known of found) known.used = true;
    return found.length > 0;
  }

  /** Explanations of nothing: what they spoke of is mended. */
  unused(): string[] {
    return this.#known.filter(({ used }) => !used).map(({ explanation: { request, path } }) => `${request}: ${path}`);
  }
}
