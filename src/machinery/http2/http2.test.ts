/** The server side against node:http2's client, and against clients that break the protocol frame by frame. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { connect as connectSocket, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { systemClock } from '#machinery/clock';
import { Connection } from './mod.ts';
import type { Stream } from './mod.ts';
import { code, flag, frame, headSize, preface } from './protocol.ts';

const connections = new Set<Connection>();
/** Requests for /held are not done before this resolves. */
let held = Promise.withResolvers<void>();
let started = 0;
const server = createServer((socket) => {
  const connection = new Connection(socket, {
    clock: systemClock,
    maxStreams: 20,
    onRequest: async (stream) => {
      started++;
      const { path } = stream.head;
      if (path === '/held') return held.promise;
      if (path.startsWith('/bytes/')) return sendBytes(stream, Number(path.slice(7)));
      return echo(stream);
    },
    onClose: () => void connections.delete(connection),
  });
  connections.add(connection);
});

function sendBytes(stream: Stream, size: number): void {
  stream.respond(200, { 'content-type': 'application/octet-stream' });
  for (let at = 0; at < size; at += 10_000) stream.write(pattern.subarray(0, Math.min(10_000, size - at)));
  stream.end();
}

/** Answers with what it was sent, and what it was asked. */
function echo(stream: Stream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.respond(200, { 'x-method': stream.head.method, 'x-path': stream.head.path, 'x-seen': JSON.stringify(stream.head.headers) });
  stream.onClose = () => resolve();
  stream.receive({
    data: (chunk) => stream.write(Buffer.from(chunk), () => stream.consumed(chunk.length)),
    end: () => stream.end(),
  });
  return promise;
}

const pattern = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 251));
let port = 0;
let session: ClientHttp2Session;

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
  session = connect(`http://127.0.0.1:${port}`);
});

after(() => {
  session.destroy();
  for (const connection of connections) connection.destroy();
  server.close();
});

async function call(headers: OutgoingHttpHeaders, body?: Buffer): Promise<{ headers: IncomingHttpHeaders; body: Buffer }> {
  const stream = session.request(headers, { endStream: body === undefined });
  if (body) stream.end(body);
  const answered = once(stream, 'response') as Promise<[IncomingHttpHeaders]>;
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return { headers: (await answered)[0], body: Buffer.concat(chunks) };
}

test('requests come with their fields, and bodies of any size go both ways', async () => {
  const { headers } = await call({ ':path': '/a?b=%20', 'x-umlaut': 'ä', cookie: 'a=1', 'x-several': ['1', '2'] });
  assert.equal(headers[':status'], 200);
  assert.equal(headers['x-method'], 'GET');
  assert.equal(headers['x-path'], '/a?b=%20');
  assert.deepEqual(JSON.parse(String(headers['x-seen'])), {
    host: `127.0.0.1:${port}`,
    'x-umlaut': 'ä',
    cookie: 'a=1',
    'x-several': '1, 2',
  });
  assert.match(String(headers['date']), /GMT$/);
  const digest = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex');
  await Promise.all(
    [0, 1, 100, 16_384, 16_385, 70_000, 3_000_000].map(async (size) => {
      const sent = Buffer.alloc(size, `${size}/`);
      const answer = await call({ ':method': 'POST', ':path': '/echo' }, sent);
      assert.equal(answer.body.length, size);
      assert.equal(digest(answer.body), digest(sent));
    }),
  );
  const big = await call({ ':path': '/bytes/5000000' });
  assert.equal(big.body.length, 5_000_000);
  // The table of fields is filled, emptied and filled again.
  for (let round = 0; round < 60; round++) {
    const value = `${round}`.repeat(40);
    const answer = await call({ ':path': `/r${round}`, [`x-${round % 7}`]: value });
    assert.equal((JSON.parse(String(answer.headers['x-seen'])) as Record<string, string>)[`x-${round % 7}`], value);
  }
});

test('a reader that stops stops its own stream alone', async () => {
  const slow = session.request({ ':path': '/bytes/20000000' });
  await once(slow, 'response');
  const answer = await call({ ':path': '/bytes/100000' });
  assert.equal(answer.body.length, 100_000);
  let size = 0;
  slow.on('data', (chunk: Buffer) => (size += chunk.length));
  await once(slow, 'end');
  assert.equal(size, 20_000_000);
});

// ---- frame by frame ----

function framed(type: number, flags: number, id: number, payload: Buffer | number[] = []): Buffer {
  const head = Buffer.alloc(headSize);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, Buffer.from(payload)]);
}

const literal = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), length7(value.length), Buffer.from(value)]);
function length7(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const out = [127];
  for (value -= 127; value >= 128; value >>>= 7) out.push((value & 127) | 128);
  return Buffer.from([...out, value]);
}
/** GET, http, /path. */
const get = (path: string, ...more: Buffer[]): Buffer => Buffer.concat([Buffer.from([0x82, 0x86]), literal(':path', path), ...more]);
const asked = (id: number, block: Buffer): Buffer => framed(frame.headers, flag.endHeaders | flag.endStream, id, block);
const number = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];

interface Seen {
  type: number;
  id: number;
  flags: number;
  payload: Buffer;
}

/** Sends frames and gathers what comes until `until` is satisfied or the connection ends. */
async function speak(
  bytes: Buffer[],
  until: (seen: Seen) => boolean,
  opening: Buffer = preface,
): Promise<{ seen: Seen[]; ended: boolean; socket: Socket }> {
  const socket = connectSocket(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(Buffer.concat([opening, framed(frame.settings, 0, 0), ...bytes]));
  const seen: Seen[] = [];
  let rest = Buffer.alloc(0);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= headSize && rest.length >= headSize + rest.readUIntBE(0, 3)) {
      const end = headSize + rest.readUIntBE(0, 3);
      const next = { type: rest[3]!, flags: rest[4]!, id: rest.readUInt32BE(5), payload: rest.subarray(headSize, end) };
      seen.push(next);
      if (until(next)) resolve(false);
      rest = rest.subarray(end);
    }
  });
  socket.on('error', () => resolve(true));
  socket.on('close', () => resolve(true));
  const ended = await promise;
  return { seen, ended, socket };
}

test('what breaks the protocol breaks the connection, with its code', async () => {
  const cases: [what: string, bytes: Buffer[], wanted: number][] = [
    ['DATA of an idle stream', [framed(frame.data, 0, 1, [1])], code.protocolError],
    ['an even stream', [asked(2, get('/'))], code.protocolError],
    ['streams that go back', [asked(5, get('/')), asked(3, get('/'))], code.streamClosed],
    ['a frame that is too big', [framed(frame.data, 0, 1, Buffer.alloc(300_000))], code.frameSizeError],
    ['PING of the wrong size', [framed(frame.ping, 0, 0, [1])], code.frameSizeError],
    ['SETTINGS of the wrong size', [framed(frame.settings, 0, 0, [1])], code.frameSizeError],
    ['a window that is too big', [framed(frame.windowUpdate, 0, 0, number(2 ** 31 - 1))], code.flowControlError],
    ['an update by nothing', [framed(frame.windowUpdate, 0, 0, number(0))], code.protocolError],
    ['a push', [framed(frame.pushPromise, 0, 1, [0, 0, 0, 2])], code.protocolError],
    ['a continuation of nothing', [framed(frame.continuation, 4, 1, [])], code.protocolError],
    [
      'something inside of a header block',
      [framed(frame.headers, 0, 1, get('/')), framed(frame.ping, 0, 0, Buffer.alloc(8))],
      code.protocolError,
    ],
    [
      'a header block without end',
      [framed(frame.headers, 0, 1, get('/')), ...Array.from({ length: 300 }, () => framed(frame.continuation, 0, 1))],
      code.enhanceYourCalm,
    ],
    ['fields that are not there', [asked(1, Buffer.from([0xff, 0x7f]))], code.compressionError],
    ['an integer without end', [asked(1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))], code.compressionError],
    ['a Huffman code that is none', [asked(1, Buffer.from([0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x01, 0x61]))], code.compressionError],
    ['a table that is too big', [asked(1, Buffer.from([0x3f, 0xff, 0xff, 0x03]))], code.compressionError],
    ['a reset of no stream', [framed(frame.reset, 0, 9, number(8))], code.protocolError],
  ];
  for (const [what, bytes, wanted] of cases) {
    const { seen } = await speak(bytes, ({ type }) => type === frame.goAway);
    const farewell = seen.find(({ type }) => type === frame.goAway);
    assert.equal(farewell?.payload.readUInt32BE(4), wanted, what);
  }
  const { ended } = await speak([], () => false, Buffer.from('GET / HTTP/1.1\r\n\r\n      '));
  assert.ok(ended, 'not a preface');
});

test('what breaks one request resets its stream, and others go on', async () => {
  const cases: [what: string, block: Buffer, wanted: number][] = [
    ['no path', Buffer.from([0x82, 0x86]), code.protocolError],
    ['upper case', get('/', literal('X-A', '1')), code.protocolError],
    ['a field of connections', get('/', literal('connection', 'close')), code.protocolError],
    ['an unknown pseudo field', get('/', literal(':x', '1')), code.protocolError],
    ['a pseudo field after others', Buffer.concat([literal('a', 'b'), get('/')]), code.protocolError],
    ['two paths', get('/', literal(':path', '/b')), code.protocolError],
  ];
  for (const [what, block, wanted] of cases) {
    const { seen, socket } = await speak(
      [asked(1, block), asked(3, get('/bytes/3'))],
      ({ id, flags, type }) => id === 3 && type === frame.data && flags === flag.endStream,
    );
    assert.equal(seen.find(({ type, id }) => type === frame.reset && id === 1)?.payload.readUInt32BE(0), wanted, what);
    socket.destroy();
  }
});

test('fields beyond the limit are answered with 431, and the connection goes on', async () => {
  const block = get('/', ...Array.from({ length: 40 }, (_, index) => literal(`x-${index}`, 'y'.repeat(30_000))));
  const frames: Buffer[] = [framed(frame.headers, flag.endStream, 1, block.subarray(0, 200_000))];
  for (let at = 200_000; at < block.length; at += 200_000)
    frames.push(framed(frame.continuation, at + 200_000 >= block.length ? flag.endHeaders : 0, 1, block.subarray(at, at + 200_000)));
  const { seen, socket } = await speak(
    [...frames, asked(3, get('/bytes/3'))],
    ({ id, flags, type }) => id === 3 && type === frame.data && flags === flag.endStream,
  );
  const refused = seen.find(({ type, id }) => type === frame.headers && id === 1)!;
  assert.ok(refused.payload.toString('latin1').includes('431'));
  socket.destroy();
});

test('who opens streams and gives them up at once is sent away; what it set going is bounded', async () => {
  started = 0;
  const frames: Buffer[] = [];
  for (let id = 1; id < 2000; id += 2) frames.push(asked(id, get('/held')), framed(frame.reset, 0, id, number(code.cancel)));
  const { seen } = await speak(frames, ({ type }) => type === frame.goAway);
  assert.equal(seen.find(({ type }) => type === frame.goAway)?.payload.readUInt32BE(4), code.enhanceYourCalm);
  assert.equal(started, 20);
  held.resolve();
  held = Promise.withResolvers();
});

test('more streams at once than allowed are refused', async () => {
  const frames: Buffer[] = [];
  for (let id = 1; id <= 43; id += 2) frames.push(asked(id, get('/held')));
  const { seen, socket } = await speak(frames, ({ type, id }) => type === frame.reset && id === 43);
  assert.deepEqual(
    seen.filter(({ type }) => type === frame.reset).map(({ id, payload }) => [id, payload.readUInt32BE(0)]),
    [
      [41, code.refusedStream],
      [43, code.refusedStream],
    ],
  );
  socket.destroy();
  held.resolve();
  held = Promise.withResolvers();
});

test('whose answers to pings pile up unread is cut', async () => {
  const socket = connectSocket(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.pause();
  socket.write(Buffer.concat([preface, framed(frame.settings, 0, 0)]));
  const pings = Buffer.concat(Array.from({ length: 10_000 }, () => framed(frame.ping, 0, 0, Buffer.alloc(8))));
  const closed = once(socket, 'close');
  socket.on('error', () => undefined);
  // More than sockets' buffers and ours can hold.
  for (let round = 0; round < 200 && !socket.destroyed; round++) {
    if (!socket.write(pings)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
  }
  socket.resume();
  await closed;
});

test('leave() lets requests finish and takes no new ones', async () => {
  const own = connect(`http://127.0.0.1:${port}`);
  const known = new Set(connections);
  await once(own, 'connect');
  const stream = own.request({ ':path': '/echo', ':method': 'POST' });
  await once(stream, 'response');
  const connection = [...connections].find((candidate) => !known.has(candidate)) ?? [...connections].at(-1)!;
  connection.leave();
  await once(own, 'goaway');
  stream.end('last words');
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(own, 'close');
  assert.equal(text, 'last words');
});
