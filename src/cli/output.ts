/** What the command prints: step lines with ✓ and ✗ on a terminal, plain ones elsewhere; tables; JSON and YAML. */

const colours = process.stderr.isTTY && !process.env['NO_COLOR'];
const paint = (code: number, text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);

export interface Steps {
  done(text: string): void;
  failed(text: string): void;
  note(text: string): void;
}

/** Steps go to standard error, so that standard output is for what can be used further. */
export const steps: Steps = {
  done: (text) => void process.stderr.write(` ${paint(32, '✓')} ${text}\n`),
  failed: (text) => void process.stderr.write(` ${paint(31, '✗')} ${text}\n`),
  note: (text) => void process.stderr.write(`${text}\n`),
};

/** Columns as kubectl sets them: left-aligned, three spaces apart. */
export function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  return (
    [head, ...rows]
      .map((row) =>
        row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('   ')
          .trimEnd(),
      )
      .join('\n') + '\n'
  );
}

/** Prints `value` as asked: with -o json or yaml, else `text()`. */
export async function print(value: unknown, format: string | boolean | undefined, text: () => string): Promise<void> {
  if (format === undefined) process.stdout.write(text());
  else if (format === 'json') process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  else if (format === 'yaml') {
    const { stringify } = await import('yaml');
    process.stdout.write(stringify(value));
  } else throw new Error(`Cannot print as ${format}: the formats are json and yaml`);
}

/** The cluster that a command means. */
export const clusterName = (options: Record<string, unknown>): string =>
  (options['name'] as string | undefined) ?? process.env['COXSWAIN_NAME'] ?? 'coxswain';
