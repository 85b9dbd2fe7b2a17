/** Heads that are known by their bytes, against the table that gives these their meaning. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderDecoder } from './header-decoder.ts';
import { KnownHeads } from './known-heads.ts';
import { RequestHead } from './request-head.ts';

const literal = (name: string, value: string): number[] => [0x40, name.length, ...Buffer.from(name), value.length, ...Buffer.from(value)];

test('KnownHeads: the same bytes are the same head until the table changes', () => {
  const decoder = new HeaderDecoder();
  const known = new KnownHeads();
  const read = (bytes: number[]): RequestHead => {
    const block = Buffer.from(bytes);
    const found = known.find(block, decoder.changes);
    if (found) return found;
    const { changes } = decoder;
    const head = new RequestHead(1000);
    decoder.decode(block, (name, value) => head.add(name, value));
    if (changes === decoder.changes) known.keep(block, changes, head);
    return head;
  };
  // :method POST, :scheme http, :path /, and the newest field of the table.
  const indexed = [0x83, 0x86, 0x84, 0xbe];
  assert.deepEqual({ ...read([0x83, 0x86, 0x84, ...literal('x-a', '1')]).headers }, { 'x-a': '1' });
  const first = read(indexed);
  assert.deepEqual({ ...first.headers }, { 'x-a': '1' });
  assert.equal(read(indexed), first);
  assert.notEqual(read([0x83, 0x86, 0x84]), first);
  assert.equal(read(indexed), first);
  read([0x83, 0x86, 0x84, ...literal('x-a', '2')]);
  const second = read(indexed);
  assert.deepEqual({ ...second.headers }, { 'x-a': '2' });
  assert.equal(read(indexed), second);
  // A table of no size, and one of the usual size again: what was in it is gone.
  read([0x20, 0x3f, 0xe1, 0x1f, 0x83, 0x86, 0x84]);
  assert.throws(() => read(indexed), /no field/);
});
