/**
 * Upstream's answers, kept so that they can be compared where upstream is not. A line a request, in the corpus' order; an answer is kept
 * as what differs from the last one of its kind in its scenario.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { idOf, questionOf } from './ask.ts';
import type { Asked } from './ask.ts';
import type { Scenario, Step } from './corpus/scenario.ts';
import { changed, changes } from './delta.ts';
import type { Change } from './delta.ts';
import type { Answer } from './normalize.ts';
import { parseJson } from '#machinery/json';

const file = join(import.meta.dirname, 'recorded.jsonl');

/** Id, question, and the whole answer or what differs. */
type Line = [id: string, question: string, answer: Answer | 0, changes?: Change[]];

const baseOf = ({ body }: Answer): string => (body as { kind?: string } | undefined)?.kind ?? '';

export class Recording {
  readonly #lines: Line[] = [];
  readonly #byId = new Map<string, Line>();
  /** The last answer of a kind, in the scenario that is walked. */
  #last = new Map<string, Answer>();
  #scenario = '';

  static read(): Recording {
    const recording = new Recording();
    for (const text of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
      const line = parseJson(text) as Line;
      recording.#byId.set(line[0], line);
    }
    return recording;
  }

  add(scenario: Scenario, step: Step, answer: Answer): void {
    if (this.#scenario !== scenario.name) this.#last = new Map();
    this.#scenario = scenario.name;
    const kind = baseOf(answer);
    const last = this.#last.get(kind);
    const question = `${questionOf(step)}${kind && `:${kind}`}`;
    const found = last && changes(last, answer);
    const whole: Line = [idOf(scenario, step), question, answer];
    const small: Line | undefined = found && ([whole[0], question, 0, ...(found.length > 0 ? [found] : [])] as unknown as Line);
    this.#lines.push(small && JSON.stringify(small).length < JSON.stringify(whole).length ? small : whole);
    this.#last.set(kind, answer);
  }

  answers(scenario: Scenario): Asked[] {
    const last = new Map<string, Answer>();
    return scenario.steps.map((step) => {
      const id = idOf(scenario, step);
      const [, question = '', whole, delta] = this.#byId.get(id) ?? [];
      const [asked, kind = ''] = question.split(':') as [string, string?];
      if (whole === undefined || asked !== questionOf(step))
        throw new Error(`No answer to ${id} is kept: npm run differential -- --record`);
      const answer = whole === 0 ? (changed(last.get(kind)!, delta ?? []) as Answer) : whole;
      last.set(kind, answer);
      return { id, step, answer };
    });
  }

  write(): void {
    writeFileSync(file, this.#lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
}
