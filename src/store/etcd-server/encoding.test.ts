/** What is written by hand against the table-driven codec. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeyValue, RangeResult, StoreEvent } from '../contract.ts';
import { codec, rangeResultFromWire } from '../etcd/protocol.ts';
import { encodeAnswer, encodedEvent, encodeEventsHead, HeaderAnswer, RangeAnswer } from './encoding.ts';

const header = { clusterId: 0xc0c5, memberId: 0xc0c5, revision: 2 ** 40, raftTerm: 1 };

function keyValue(index: number, size: number): KeyValue {
  const value = Buffer.alloc(size, index);
  return {
    key: `/ü\0\xff/${index}`,
    value,
    createRevision: index,
    modRevision: index * 1e9,
    version: index % 3,
    lease: index % 2 ? 2 ** 52 : 0,
  };
}

function whole(answer: RangeAnswer | HeaderAnswer): Buffer {
  const encoded = encodeAnswer('RangeResponse', answer);
  if (encoded instanceof Uint8Array) return Buffer.from(encoded);
  const parts: Buffer[] = [];
  for (let part = encoded.next(); part; part = encoded.next()) parts.push(Buffer.from(part));
  const bytes = Buffer.concat(parts);
  assert.equal(bytes.length, encoded.size);
  return bytes;
}

const results: { name: string; result: RangeResult }[] = [
  { name: 'nothing', sizes: [] },
  { name: 'a count alone', sizes: [], count: 300 },
  { name: 'a few', sizes: [0, 1, 127, 128, 1000], more: true, count: 70_000 },
  { name: 'more than was at hand', sizes: [20_000, 20_000] },
  { name: 'a long list', sizes: Array.from({ length: 500 }, (_, index) => index * 7) },
  { name: 'values longer than a piece', sizes: [10, 70_000, 200_000, 10, 1_500_000], more: true },
].map(({ name, sizes, more = false, count = sizes.length }) => ({
  name,
  result: { revision: header.revision, keyValues: sizes.map((size, index) => keyValue(index, size)), more, count },
}));

for (const { name, result } of results)
  test(`a range's answer: ${name}`, () => {
    const wire = codec.decode('RangeResponse', whole(new RangeAnswer(result, header)));
    assert.deepEqual(wire['header'], header);
    const plain = rangeResultFromWire(wire);
    assert.deepEqual({ ...plain, keyValues: plain.keyValues.map((item) => ({ ...item, value: Buffer.from(item.value) })) }, result);
  });

test('an answer that is its header, and one watch after the other with the same events', () => {
  assert.deepEqual(codec.decode('PutResponse', whole(new HeaderAnswer(header))), { header });
  const events: StoreEvent[] = [
    { type: 'put', keyValue: keyValue(1, 100) },
    { type: 'put', keyValue: keyValue(2, 40_000), previous: keyValue(3, 0) },
    { type: 'delete', keyValue: { key: 'k', value: Buffer.alloc(0), createRevision: 0, modRevision: 5, version: 0, lease: 0 } },
  ];
  for (const [watchId, fragment] of [
    [0, false],
    [1000, true],
  ] as const) {
    const wire = codec.decode('WatchResponse', Buffer.concat([encodeEventsHead(header, watchId, fragment), ...events.map(encodedEvent)]));
    const { events: made, ...rest } = wire as { events: { type?: string; kv: { key: Buffer }; prevKv?: { key: Buffer } }[] };
    assert.deepEqual(rest, { header, ...(watchId && { watchId }), ...(fragment && { fragment }) });
    assert.deepEqual(
      made.map(({ type = 'PUT', kv, prevKv }) => [type, kv.key.toString('latin1'), prevKv?.key.toString('latin1')]),
      [
        ['PUT', keyValue(1, 0).key, undefined],
        ['PUT', keyValue(2, 0).key, keyValue(3, 0).key],
        ['DELETE', 'k', undefined],
      ],
    );
  }
});
