/** Upstream's answers, kept so that they can be compared where upstream is not. A line a request, in the corpus' order. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { idOf, questionOf } from './ask.ts';
import type { Asked } from './ask.ts';
import type { Scenario, Step } from './corpus/scenario.ts';
import type { Answer } from './normalize.ts';

const file = join(import.meta.dirname, 'recorded.jsonl');

interface Line {
  id: string;
  question: string;
  answer?: Answer;
  /** The answer is that of this earlier request. */
  as?: string;
}

export class Recording {
  readonly #lines: Line[] = [];
  readonly #byId = new Map<string, Line>();
  /** Answer → the request that had it first. */
  readonly #first = new Map<string, string>();

  static read(): Recording {
    const recording = new Recording();
    for (const text of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
      const line = JSON.parse(text) as Line;
      recording.#byId.set(line.id, line);
    }
    return recording;
  }

  add(id: string, step: Step, answer: Answer): void {
    const text = JSON.stringify(answer);
    const as = this.#first.get(text);
    if (as === undefined) this.#first.set(text, id);
    this.#lines.push({ id, question: questionOf(step), ...(as === undefined ? { answer } : { as }) });
  }

  answers(scenario: Scenario): Asked[] {
    return scenario.steps.map((step) => {
      const id = idOf(scenario, step);
      const line = this.#byId.get(id);
      if (line?.question !== questionOf(step)) throw new Error(`No answer to ${id} is kept: npm run differential -- --record`);
      const answer = line.answer ?? this.#byId.get(line.as ?? '')?.answer;
      if (!answer) throw new Error(`The answer to ${id} is that of a request that is not kept`);
      return { id, step, answer };
    });
  }

  write(): void {
    writeFileSync(file, this.#lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
}
