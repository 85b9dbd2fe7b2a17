/**
 * The server's side of one HTTP/2 connection. upstream: RFC 9113.
 * What all streams send in one turn of the loop leaves in one write to the socket.
 * Invariant: a stream sends no more data than its window and the connection's allow; what does not fit waits in its `queue`, in order.
 */
import type { Socket } from 'node:net';
import { errorCode, flag, frame, frameHeader, makeFrame, number, preface, setting, settings, writeFrameHeader } from './frames.ts';
import { HeaderDecoder } from './hpack.ts';

export interface StreamHandler {
  onData(chunk: Buffer): void;
  onEnd(): void;
  onClose(): void;
}

/** What the other side may send before we say that it may go on: for the connection, for one stream. */
const window = { connection: 2 ** 30, stream: 2 ** 24 };
const maxFrame = 2 ** 20;
const maxHeaderBlock = 64 * 1024;
/** Bytes of answers to pings, settings and resets that may wait for a peer that does not read. */
const maxControl = 1024 * 1024;
/** Bytes that the socket may hold back before data waits in the streams' queues. */
const maxUnsent = 4 * 1024 * 1024;
const initialWindow = 65_535;

class ProtocolError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export class Http2Stream {
  readonly id: number;
  handler: StreamHandler | undefined;
  /** Bytes that may be sent. */
  window: number;
  queue: Buffer[] = [];
  /** Bytes in `queue`. */
  queued = 0;
  /** Frame to send when the queue is empty; the stream ends with it. */
  last: Buffer | undefined;
  received = 0;
  remoteEnded = false;
  closed = false;
  readonly #connection: Http2Connection;

  constructor(connection: Http2Connection, id: number, size: number) {
    this.#connection = connection;
    this.id = id;
    this.window = size;
  }

  headers(block: Buffer): void {
    if (!this.closed && !this.last) this.#connection.send(makeFrame(frame.headers, flag.endHeaders, this.id, block));
  }

  data(bytes: Buffer): void {
    if (this.closed || this.last) return;
    this.queue.push(bytes);
    this.queued += bytes.length;
    this.#connection.pump(this);
  }

  /** Ends with a block of trailers, or of headers alone. */
  end(block: Buffer): void {
    if (this.closed || this.last) return;
    this.last = makeFrame(frame.headers, flag.endHeaders | flag.endStream, this.id, block);
    this.#connection.pump(this);
  }
}

export class Http2Connection {
  readonly #socket: Socket;
  readonly #open: (stream: Http2Stream, path: string) => void;
  readonly #decoder = new HeaderDecoder();
  readonly #streams = new Map<number, Http2Stream>();
  #greeted = false;
  #input: Buffer[] = [];
  #inputSize = 0;
  /** Bytes that the next frame needs before it can be read. */
  #wanted = frameHeader;
  #out: Buffer[] = [];
  #window = initialWindow;
  #streamWindow = initialWindow;
  #maxFrame = 16_384;
  /** Bytes given to the socket, or about to be, that it has not passed on. */
  #unsent = 0;
  #received = 0;
  #lastId = 0;
  /** A header block that goes on in the next frame. */
  #block: { id: number; flags: number; parts: Buffer[]; size: number } | undefined;

  constructor(socket: Socket, open: (stream: Http2Stream, path: string) => void) {
    this.#socket = socket;
    this.#open = open;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#closed());
    socket.on('drain', () => this.#pumpAll());
    this.send(
      settings({
        [setting.initialWindowSize]: window.stream,
        [setting.maxFrameSize]: maxFrame,
        [setting.maxHeaderListSize]: maxHeaderBlock,
      }),
    );
    this.send(makeFrame(frame.window, 0, 0, number(window.connection - initialWindow)));
  }

  /** Ends the connection and all that goes on in it. */
  destroy(code: number = errorCode.none): void {
    if (this.#socket.destroyed) return;
    this.send(makeFrame(frame.goAway, 0, 0, number(this.#lastId, code)));
    this.#flush();
    this.#socket.destroySoon();
    this.#closed();
  }

  send(bytes: Buffer): void {
    if (this.#out.push(bytes) === 1) setImmediate(() => this.#flush());
  }

  /** Sends what a stream's windows let through. */
  pump(stream: Http2Stream): void {
    while (stream.queue.length > 0) {
      const room = Math.min(this.#window, stream.window, this.#maxFrame);
      if (room <= 0 || this.#unsent > maxUnsent) return;
      const first = stream.queue[0]!;
      const part = first.length <= room ? first : first.subarray(0, room);
      if (part === first) stream.queue.shift();
      else stream.queue[0] = first.subarray(room);
      this.#window -= part.length;
      stream.window -= part.length;
      stream.queued -= part.length;
      const header = Buffer.allocUnsafe(frameHeader);
      writeFrameHeader(header, 0, part.length, frame.data, 0, stream.id);
      this.send(header);
      this.send(part);
      this.#unsent += part.length;
    }
    if (!stream.last) return;
    this.send(stream.last);
    // A client that is still sending is told that nobody listens.
    if (!stream.remoteEnded) this.send(makeFrame(frame.reset, 0, stream.id, number(errorCode.none)));
    this.#forget(stream);
  }

  #flush(): void {
    const out = this.#out;
    if (out.length === 0) return;
    this.#out = [];
    if (this.#socket.destroyed) return;
    this.#socket.write(out.length === 1 ? out[0]! : Buffer.concat(out));
    this.#unsent = this.#socket.writableLength;
  }

  #pumpAll(): void {
    this.#unsent = this.#socket.writableLength;
    for (const stream of this.#streams.values()) {
      if (this.#window <= 0) return;
      if (stream.queue.length > 0) this.pump(stream);
    }
  }

  #closed(): void {
    for (const stream of this.#streams.values()) this.#forget(stream);
  }

  #forget(stream: Http2Stream): void {
    if (stream.closed) return;
    stream.closed = true;
    stream.queue = [];
    stream.queued = 0;
    this.#streams.delete(stream.id);
    stream.handler?.onClose();
  }

  #take(chunk: Buffer): void {
    this.#input.push(chunk);
    this.#inputSize += chunk.length;
    if (this.#inputSize < this.#wanted) return;
    let bytes = this.#input.length === 1 ? chunk : Buffer.concat(this.#input);
    try {
      if (!this.#greeted) {
        if (bytes.length < preface.length) return this.#keep(bytes, preface.length);
        if (!bytes.subarray(0, preface.length).equals(preface)) return void this.#socket.destroy();
        this.#greeted = true;
        bytes = bytes.subarray(preface.length);
      }
      while (bytes.length >= frameHeader) {
        const length = bytes.readUIntBE(0, 3);
        if (length > maxFrame) throw new ProtocolError(errorCode.frameSize, 'a frame is too large');
        if (bytes.length < frameHeader + length) return this.#keep(bytes, frameHeader + length);
        this.#frame(bytes[3]!, bytes[4]!, bytes.readUInt32BE(5) & 0x7fffffff, bytes.subarray(frameHeader, frameHeader + length));
        bytes = bytes.subarray(frameHeader + length);
      }
      this.#keep(bytes, frameHeader);
    } catch (error) {
      if (error instanceof ProtocolError) this.destroy(error.code);
      else if (error instanceof RangeError) this.destroy(errorCode.compression);
      else throw error;
    }
  }

  #keep(bytes: Buffer, wanted: number): void {
    this.#input = bytes.length > 0 ? [bytes] : [];
    this.#inputSize = bytes.length;
    this.#wanted = wanted;
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.#block && (type !== frame.continuation || id !== this.#block.id))
      throw new ProtocolError(errorCode.protocol, 'a header block is interrupted');
    switch (type) {
      case frame.data:
        return this.#data(flags, id, payload);
      case frame.headers:
        return this.#headers(flags, id, payload);
      case frame.continuation:
        return this.#continued(flags, payload);
      case frame.settings:
        return this.#settings(flags, payload);
      case frame.window:
        return this.#widen(id, payload.readUInt32BE(0) & 0x7fffffff);
      case frame.ping:
        if (!(flags & flag.ack)) this.#control(makeFrame(frame.ping, flag.ack, 0, payload));
        return;
      case frame.reset: {
        const stream = this.#streams.get(id);
        if (stream) this.#forget(stream);
        return;
      }
      default:
        // Priorities, a farewell, what later versions know.
        return;
    }
  }

  /** An answer that costs the peer nothing to ask for: one that does not read them is cut. */
  #control(bytes: Buffer): void {
    if (this.#socket.writableLength > maxControl && this.#out.length > 1000)
      throw new ProtocolError(errorCode.calm, 'too many answers wait to be read');
    this.send(bytes);
  }

  #data(flags: number, id: number, payload: Buffer): void {
    this.#received += payload.length;
    if (this.#received > window.connection / 2) {
      this.#control(makeFrame(frame.window, 0, 0, number(this.#received)));
      this.#received = 0;
    }
    const stream = this.#streams.get(id);
    // It may have ended while this was on its way.
    if (!stream) return;
    stream.received += payload.length;
    if (stream.received > window.stream) throw new ProtocolError(errorCode.flowControl, 'more was sent than the window allows');
    if (stream.received > window.stream / 2 && !(flags & flag.endStream)) {
      this.#control(makeFrame(frame.window, 0, id, number(stream.received)));
      stream.received = 0;
    }
    const data = unpad(flags, payload);
    if (data.length > 0) stream.handler?.onData(data);
    if (flags & flag.endStream) this.#ended(stream);
  }

  #ended(stream: Http2Stream): void {
    stream.remoteEnded = true;
    stream.handler?.onEnd();
  }

  #headers(flags: number, id: number, payload: Buffer): void {
    let part = unpad(flags, payload);
    if (flags & flag.priority) part = part.subarray(5);
    if (!(flags & flag.endHeaders)) this.#block = { id, flags, parts: [part], size: part.length };
    else this.#complete(flags, id, part);
  }

  #continued(flags: number, payload: Buffer): void {
    const block = this.#block;
    if (!block) throw new ProtocolError(errorCode.protocol, 'there is no header block to go on with');
    block.parts.push(payload);
    block.size += payload.length;
    if (block.size > maxHeaderBlock || block.parts.length > 64) throw new ProtocolError(errorCode.calm, 'a header block is too large');
    if (!(flags & flag.endHeaders)) return;
    this.#block = undefined;
    this.#complete(block.flags, block.id, Buffer.concat(block.parts));
  }

  #complete(flags: number, id: number, block: Buffer): void {
    const fields = this.#decoder.decode(block);
    const known = this.#streams.get(id);
    if (known) {
      // Trailers, which gRPC's clients do not send.
      if (flags & flag.endStream) this.#ended(known);
      return;
    }
    if (id <= this.#lastId) return;
    if (id % 2 === 0) throw new ProtocolError(errorCode.protocol, 'a client has odd streams');
    this.#lastId = id;
    const stream = new Http2Stream(this, id, this.#streamWindow);
    this.#streams.set(id, stream);
    this.#open(stream, fields.find(([name]) => name === ':path')?.[1] ?? '');
    if (flags & flag.endStream) this.#ended(stream);
  }

  #settings(flags: number, payload: Buffer): void {
    if (flags & flag.ack) return;
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      switch (payload.readUInt16BE(at)) {
        case setting.initialWindowSize: {
          if (value > 0x7fffffff) throw new ProtocolError(errorCode.flowControl, 'the window is too large');
          const change = value - this.#streamWindow;
          this.#streamWindow = value;
          for (const stream of this.#streams.values()) {
            stream.window += change;
            this.pump(stream);
          }
          break;
        }
        case setting.maxFrameSize:
          this.#maxFrame = Math.max(16_384, Math.min(value, maxFrame));
      }
    }
    this.#control(makeFrame(frame.settings, flag.ack, 0));
  }

  #widen(id: number, by: number): void {
    if (id === 0) {
      this.#window += by;
      if (this.#window > 0x7fffffff) throw new ProtocolError(errorCode.flowControl, 'the window is too large');
      return this.#pumpAll();
    }
    const stream = this.#streams.get(id);
    if (!stream) return;
    stream.window += by;
    this.pump(stream);
  }
}

function unpad(flags: number, payload: Buffer): Buffer {
  if (!(flags & flag.padded)) return payload;
  const padding = payload[0] ?? 0;
  if (padding >= payload.length) throw new ProtocolError(errorCode.protocol, 'a frame is all padding');
  return payload.subarray(1, payload.length - padding);
}
