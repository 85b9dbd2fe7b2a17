/** Tests of many cases from upstream's tables. */
import assert from 'node:assert/strict';

export const unless = (directory: string | undefined, name: string): { skip: string | false } => ({
  skip: directory ? false : `the Go module ${name} is not on this machine`,
});

/** Runs every case and tells all that are wrong. */
export function check(cases: Iterable<[name: string, run: () => void]>, atLeast: number): void {
  const wrong: string[] = [];
  let seen = 0;
  for (const [name, run] of cases) {
    seen++;
    try {
      run();
    } catch (error) {
      wrong.push(`${name}: ${(error as Error).message.slice(0, 600)}`);
    }
  }
  assert.deepEqual(wrong, [], `${wrong.length} of ${seen} cases`);
  assert.ok(seen >= atLeast, `only ${seen} cases were found`);
}
