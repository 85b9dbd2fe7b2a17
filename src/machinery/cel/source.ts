/** The text of an expression, and errors at places in it. upstream: cel-go common/error.go, errors.go, source.go. */

export interface Issue {
  /** Position in code points from the start; negative where there is none. */
  offset: number;
  message: string;
}

const maxSnippet = 16_384;
const maxIssues = 100;
const dot = '.';
const mark = '^';
const wideDot = '．';
const wideMark = '＾';

export class Source {
  readonly text: string;
  /** Code points: columns count them. */
  readonly characters: readonly string[];
  readonly #lines: readonly string[];
  readonly #starts: readonly number[];

  constructor(text: string) {
    this.text = text;
    this.characters = Array.from(text);
    this.#lines = text.split('\n');
    let start = 0;
    this.#starts = this.#lines.map((line) => {
      const at = start;
      start += Array.from(line).length + 1;
      return at;
    });
  }

  /** Lines count from 1, columns from 0. */
  location(offset: number): { line: number; column: number } {
    if (offset < 0) return { line: -1, column: -1 };
    let line = this.#starts.length - 1;
    while (line > 0 && this.#starts[line]! > offset) line--;
    return { line: line + 1, column: offset - this.#starts[line]! };
  }

  format({ offset, message }: Issue): string {
    // Nothing has no first column.
    if (this.text === '') return `ERROR: <input>:1:0: ${message}`;
    const { line, column } = this.location(offset);
    const head = `ERROR: <input>:${line}:${column + 1}: ${message}`;
    const text = this.#lines[line - 1];
    if (text === undefined || text.length > maxSnippet) return head;
    const characters = Array.from(text.replaceAll('\t', ' '));
    const wide = (character: string | undefined): boolean => character !== undefined && character.codePointAt(0)! > 127;
    const indent = characters.slice(0, column).map((character) => (wide(character) ? wideDot : dot));
    return `${head}\n | ${characters.join('')}\n | ${indent.join('')}${wide(characters[column]) ? wideMark : mark}`;
  }

  /** All issues in one text, by their places. */
  formatAll(issues: readonly Issue[]): string {
    const shown = issues
      .slice(0, maxIssues)
      .toSorted((a, b) => a.offset - b.offset)
      .map((issue) => this.format(issue));
    if (issues.length > maxIssues) shown.push(`${issues.length - maxIssues} more errors were truncated`);
    return shown.join('\n');
  }
}

/** An expression that does not parse or does not check. The message is cel-go's, with every issue and its place. */
export class CelCompileError extends Error {
  override name = 'CelCompileError';
  readonly issues: readonly Issue[];

  constructor(source: Source, issues: readonly Issue[]) {
    super(source.formatAll(issues));
    this.issues = issues;
  }
}
