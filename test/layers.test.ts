/** Holds the tree to its layers: who may import whom, through which door, and who may touch the clock. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('..', import.meta.url).pathname;

/** Folder → the doors it may open. `machinery` and `flow` are open to all. `cluster` and `cli` compose, so they may open every door. */
const allowed: Record<string, string[]> = {
  machinery: ['machinery'],
  flow: ['machinery', 'api'],
  api: ['machinery', 'api'],
  store: ['machinery'],
  client: ['machinery', 'api', 'flow', 'client'],
  apiserver: ['machinery', 'api', 'flow', 'client', 'store', 'apiserver'],
  controllers: ['machinery', 'api', 'flow', 'client', 'controllers'],
  scheduler: ['machinery', 'api', 'flow', 'client', 'scheduler'],
  runtime: ['machinery', 'api', 'flow', 'runtime'],
  kubelet: ['machinery', 'api', 'flow', 'client', 'runtime', 'kubelet'],
  network: ['machinery', 'api', 'flow', 'client', 'network'],
  console: ['machinery', 'api', 'flow', 'client', 'console'],
};
const composers = new Set(['cluster', 'cli']);

const files = globSync('src/**/*.ts', { cwd: root }).map((path) => ({
  path,
  folder: path.split('/')[1]!,
  text: readFileSync(`${root}/${path}`, 'utf8'),
}));
const importsOf = (text: string): string[] =>
  [...text.matchAll(/^\s*(?:import|export)\b[^'"`;]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/gm)].map(
    (match) => match[1] ?? match[2]!,
  );

test('imports go through doors that the layer table allows', () => {
  const breaches: string[] = [];
  for (const { path, folder, text } of files) {
    if (composers.has(folder)) continue;
    for (const specifier of importsOf(text)) {
      if (!specifier.startsWith('#')) continue;
      const target = specifier.slice(1).split('/')[0]!;
      if (!(allowed[folder] ?? []).includes(target))
        breaches.push(
          `${path} imports ${specifier}: ${folder}/ may open only ${(allowed[folder] ?? []).map((door) => `#${door}`).join(', ')}; components meet through the API, only cluster/ composes`,
        );
    }
  }
  assert.deepEqual(breaches, []);
});

test('relative imports stay inside a folder of src', () => {
  const breaches: string[] = [];
  for (const { path, folder, text } of files)
    for (const specifier of importsOf(text)) {
      if (!specifier.startsWith('.')) continue;
      const target = new URL(specifier, `file:///${path}`).pathname.split('/')[2]!;
      // The generated tables lie under everything, the machinery of objects and errors included.
      if (target !== folder && !specifier.includes('api/facts/')) breaches.push(`${path} imports ${specifier}: use the door #${target}`);
    }
  assert.deepEqual(breaches, []);
});

test('only the clock touches time and chance', () => {
  const breaches: string[] = [];
  for (const { path, text } of files) {
    if (
      path.startsWith('src/machinery/clock/') ||
      path.endsWith('.test.ts') ||
      path.endsWith('testsuite.ts') ||
      /\/test-[^/]*\.ts$/.test(path)
    )
      continue;
    for (const [index, line] of text.split('\n').entries())
      if (/(?<![.\w])(?:setTimeout|setInterval)\(|\bDate\.now\(|\bMath\.random\(|\bnew Date\(\)/.test(line.replace(/\/\/.*|\*.*/, '')))
        breaches.push(`${path}:${index + 1}: pass a Clock or Random from #machinery/clock instead`);
  }
  assert.deepEqual(breaches, []);
});
