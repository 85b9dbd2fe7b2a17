import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputFormat } from './media-types.ts';

test('YAML is read as Go reads it', async () => {
  const cases: [text: string, wanted: unknown][] = [
    ['2020-01-02T03:04:05Z', '2020-01-02T03:04:05Z'],
    ['2020-01-02', '2020-01-02'],
    ['22:22', '22:22'],
    ['1:30:00.5', '1:30:00.5'],
    ['yes', true],
    ['"yes"', 'yes'],
    ['017', 15],
    ['1_000', 1000],
    ['~', null],
  ];
  for (const [text, wanted] of cases) {
    const { value } = await inputFormat('application/yaml').parse(Buffer.from(`a: ${text}\n`), false);
    assert.deepEqual(value, { a: wanted }, text);
  }
});
