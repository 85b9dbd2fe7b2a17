import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { combineCrc32 } from './crc32.ts';

test('the CRC of a whole comes from those of its parts', () => {
  for (const [first, second] of [
    ['', ''],
    ['a', ''],
    ['', 'b'],
    ['head', 'x'],
    ['{"kind":"List"', 'y'.repeat(100_001)],
  ] as const)
    assert.equal(combineCrc32(crc32(first), crc32(second), second.length), crc32(first + second), `${first.length}, ${second.length}`);
});
