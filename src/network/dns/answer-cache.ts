/**
 * Answers about the cluster as they went out, by the bytes of their question: pods ask the same few names again and again.
 * Invariant: an answer is given only while the zone is the one it was made from.
 */
import { Buffer } from 'node:buffer';

const mostEntries = 4096;
/** Beyond it a question is hardly one that comes again. */
const longestQuestion = 512;

/** All of a message but its id, which is the asker's own. */
const keyOf = (question: Buffer): string => question.toString('latin1', 2);

export class AnswerCache {
  readonly #answers = new Map<string, Buffer>();
  #version = 0;

  /** An answer of the caller's own, with the question's id; `version` is the zone's now. */
  get(question: Buffer, version: number): Buffer | undefined {
    if (version !== this.#version) {
      this.#answers.clear();
      this.#version = version;
    }
    if (this.#answers.size === 0 || question.length > longestQuestion) return undefined;
    const kept = this.#answers.get(keyOf(question));
    if (!kept) return undefined;
    const answer = Buffer.from(kept);
    answer[0] = question[0]!;
    answer[1] = question[1]!;
    return answer;
  }

  /** `version`: of the zone that the answer was made from. */
  set(question: Buffer, version: number, answer: Buffer): void {
    if (version !== this.#version || question.length > longestQuestion) return;
    if (this.#answers.size >= mostEntries) this.#answers.delete(this.#answers.keys().next().value!);
    this.#answers.set(keyOf(question), answer);
  }
}
