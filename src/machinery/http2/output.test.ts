import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { Output } from './output.ts';

const head = 9;

/** A socket that takes a write when it is told to. */
function slowSocket(): { socket: Duplex; writes: Buffer[]; take(): void } {
  const writes: Buffer[] = [];
  const taken: (() => void)[] = [];
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      writes.push(Buffer.from(chunk));
      taken.push(done);
    },
  });
  return { socket, writes, take: () => taken.shift()!() };
}

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

/** The payloads of DATA frames, each filled with the number of its stream. */
function assertFrames(bytes: Buffer, sizes: readonly number[]): void {
  let at = 0;
  for (const [index, size] of sizes.entries()) {
    assert.deepEqual([bytes.readUIntBE(at, 3), bytes.readUInt32BE(at + 5)], [size, index + 1]);
    assert(bytes.subarray(at + head, at + head + size).every((byte) => byte === index + 1));
    at += head + size;
  }
  assert.equal(bytes.length, at);
}

test('Output: all that was written, in order, one write at a time', async () => {
  const table: { name: string; sizes: number[] }[] = [
    { name: 'small frames of one turn are one write', sizes: [1, 100, 2000] },
    { name: 'more than a buffer', sizes: Array.from({ length: 30 }, () => 16_384) },
    { name: 'a frame of more than a buffer', sizes: [400_000, 5] },
    { name: 'a head at the very end of a buffer', sizes: [147_456 - head - 5, 10, 147_456] },
  ];
  for (const { name, sizes } of table) {
    const { socket, writes, take } = slowSocket();
    let drained = 0;
    const output = new Output(socket, () => drained++);
    for (const [index, size] of sizes.entries()) output.data(index + 1, Buffer.alloc(size, index + 1), 0, size, false);
    const total = sizes.reduce((sum, size) => sum + head + size, 0);
    assert.equal(output.backlog, total, name);
    await turn();
    for (let count = 1; output.backlog > 0; count++) {
      assert.deepEqual([writes.length, socket.writableLength], [count, writes[count - 1]!.length], name);
      take();
      await turn();
      assert.equal(drained, count, name);
    }
    assertFrames(Buffer.concat(writes), sizes);
    if (total < 16_384) assert.equal(writes.length, 1, name);
  }
});

test('Output: finish() hands over what waits, after which the socket may end', async () => {
  const { socket, writes, take } = slowSocket();
  const output = new Output(socket, () => {});
  const sizes = [300_000, 200_000, 7];
  for (const [index, size] of sizes.entries()) output.data(index + 1, Buffer.alloc(size, index + 1), 0, size, false);
  output.finish();
  socket.end();
  while (output.backlog > 0) {
    take();
    await turn();
  }
  assertFrames(Buffer.concat(writes), sizes);
  assert(socket.writableFinished);
});
