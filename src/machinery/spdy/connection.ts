/**
 * SPDY/3.1 over an upgraded HTTP/1.1 connection, as Kubernetes' remote command and port-forward protocols use it: streams with headers,
 * half close, reset and ping. There is no flow control, as in moby/spdystream, the peer everywhere: back-pressure is the socket's own.
 */
import { Duplex } from 'node:stream';
import { HeaderReader, HeaderWriter } from './headers.ts';
import type { SpdyHeaders } from './headers.ts';

const frameTypes = { synStream: 1, synReply: 2, reset: 3, settings: 4, ping: 6, goAway: 7, headers: 8, windowUpdate: 9 } as const;
const fin = 1;
/** Bytes that were read and not yet worked through, before no more are read. */
const mostWaiting = 256 * 1024;

export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #connection: SpdyConnection;
  readonly #readOnly: boolean;
  #onDrain: (() => void) | undefined;
  over = false;

  constructor(connection: SpdyConnection, id: number, headers: SpdyHeaders, readOnly = false) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
    this.#readOnly = readOnly;
    this.id = id;
    this.headers = headers;
    // A reader that only wants one direction must not crash on the other's reset.
    this.on('error', () => undefined);
    if (readOnly) this.end();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.over) done();
    else this.#connection.sendData(this.id, chunk, false, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.over || this.#readOnly) done();
    else this.#connection.sendData(this.id, Buffer.alloc(0), true, done);
  }

  override _read(): void {
    this.#onDrain?.();
    this.#onDrain = undefined;
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#onDrain?.();
    this.#connection.forget(this, !(this.readableEnded && this.writableFinished));
    done(error);
  }

  /** The peer is gone or wants no more: what has come can still be read, what is written from now on is dropped. */
  finish(): void {
    if (this.destroyed) return;
    this.over = true;
    this.#onDrain?.();
    if (!this.readableEnded) this.push(null);
    if (!this.writableEnded) this.end();
  }

  /** Takes a piece from the peer; the answer resolves when more may come. */
  accept(chunk: Buffer | null): Promise<void> | undefined {
    if (this.destroyed || this.over || this.readableEnded) return undefined;
    if (this.push(chunk) || chunk === null) return undefined;
    return new Promise((resolve) => (this.#onDrain = resolve));
  }
}

export interface SpdyOptions {
  /** Clients open odd streams, servers even ones. */
  role: 'client' | 'server';
  /** A stream that the peer opened. It has been accepted (SYN_REPLY sent). */
  onStream?(stream: SpdyStream): void;
}

export class SpdyConnection {
  readonly #socket: Duplex;
  readonly #options: SpdyOptions;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #writer = new HeaderWriter();
  readonly #reader = new HeaderReader();
  readonly #replies = new Map<number, { resolve(stream: SpdyStream): void; reject(error: Error): void }>();
  #nextId: number;
  #pending: Buffer = Buffer.alloc(0);
  #closed = false;
  /** Resolves when the connection is over, however it ended. */
  readonly closed: Promise<void>;

  constructor(socket: Duplex, head: Buffer, options: SpdyOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#nextId = options.role === 'client' ? 1 : 2;
    let over: () => void;
    this.closed = new Promise((resolve) => (over = resolve));
    const end = (): void => {
      this.#end();
      over();
    };
    socket.on('error', () => socket.destroy());
    // Not on the socket's close: what came before it is still being read then.
    void this.#receive(head).then(end, () => {
      socket.destroy();
      end();
    });
  }

  /**
   * Opens a stream; resolves when the peer accepted it. `readOnly`: nothing will be written to it, which the peer is told at once. (A half
   * close of its own could come when the peer has said all and left; the refusal of that write would cost what was not read yet.)
   */
  openStream(headers: SpdyHeaders, readOnly = false): Promise<SpdyStream> {
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new SpdyStream(this, id, headers, readOnly);
    this.#streams.set(id, stream);
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new Error('Cannot open a stream: the SPDY connection is closed'));
        return;
      }
      this.#replies.set(id, { resolve, reject });
      const head = Buffer.alloc(10);
      head.writeUInt32BE(id, 0);
      this.#control(frameTypes.synStream, readOnly ? fin : 0, Buffer.concat([head, this.#writer.write(headers)]));
    });
  }

  sendData(id: number, chunk: Buffer, last: boolean, done: (error?: Error | null) => void): void {
    if (this.#closed) {
      done(last ? null : new Error('Cannot write: the SPDY connection is closed'));
      return;
    }
    const head = Buffer.alloc(8);
    head.writeUInt32BE(id, 0);
    head.writeUInt32BE(((last ? fin : 0) << 24) | chunk.length, 4);
    this.#socket.cork();
    this.#socket.write(head);
    // A peer that has said all and left takes nothing more; what it said can still be read, so the stream must not break.
    this.#socket.write(chunk, () => done());
    this.#socket.uncork();
  }

  /** A stream is done with; `broken`: before both sides had ended. */
  forget(stream: SpdyStream, broken: boolean): void {
    if (!this.#streams.delete(stream.id) || this.#closed || !broken) return;
    const body = Buffer.alloc(8);
    body.writeUInt32BE(stream.id, 0);
    body.writeUInt32BE(5, 4); // CANCEL
    this.#control(frameTypes.reset, 0, body);
  }

  close(): void {
    if (this.#closed) return;
    this.#control(frameTypes.goAway, 0, Buffer.alloc(8));
    this.#socket.end();
    this.#end();
  }

  #control(type: number, flags: number, body: Buffer): void {
    if (this.#closed || this.#socket.destroyed) return;
    const head = Buffer.alloc(8);
    head.writeUInt16BE(0x8003, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt32BE((flags << 24) | body.length, 4);
    this.#socket.write(Buffer.concat([head, body]));
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.close();
    for (const reply of this.#replies.values()) reply.reject(new Error('the SPDY connection was closed'));
    this.#replies.clear();
    for (const stream of this.#streams.values()) stream.finish();
    this.#streams.clear();
  }

  /** Everything that has come is worked through, also when the socket has broken meanwhile: its own buffer would be dropped then. */
  async #receive(head: Buffer): Promise<void> {
    const socket = this.#socket;
    const waiting = [head];
    let size = head.length;
    let over = socket.destroyed;
    let wake = (): void => undefined;
    const ended = (): void => {
      over = true;
      wake();
    };
    socket.on('data', (chunk: Buffer) => {
      waiting.push(chunk);
      size += chunk.length;
      if (size > mostWaiting) socket.pause();
      wake();
    });
    socket.once('end', ended).once('close', ended);
    for (;;) {
      const chunk = waiting.shift();
      if (chunk) {
        await this.#consume(chunk);
        size -= chunk.length;
        if (size <= mostWaiting && socket.isPaused()) socket.resume();
      } else if (over) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  async #consume(chunk: Buffer): Promise<void> {
    let data = this.#pending.length ? Buffer.concat([this.#pending, chunk]) : chunk;
    while (data.length >= 8) {
      const length = data.readUInt32BE(4) & 0xffffff;
      if (data.length < 8 + length) break;
      await this.#frame(data.subarray(0, 8), data.subarray(8, 8 + length));
      data = data.subarray(8 + length);
    }
    this.#pending = data;
  }

  async #frame(head: Buffer, body: Buffer): Promise<void> {
    const flags = head[4]!;
    if ((head[0]! & 0x80) === 0) {
      const stream = this.#streams.get(head.readUInt32BE(0) & 0x7fffffff);
      if (!stream) return;
      if (body.length) await stream.accept(Buffer.from(body));
      if (flags & fin) await stream.accept(null);
      return;
    }
    switch (head.readUInt16BE(2)) {
      case frameTypes.synStream: {
        const id = body.readUInt32BE(0) & 0x7fffffff;
        const stream = new SpdyStream(this, id, await this.#reader.read(body.subarray(10)));
        this.#streams.set(id, stream);
        const reply = Buffer.alloc(4);
        reply.writeUInt32BE(id, 0);
        this.#control(frameTypes.synReply, 0, Buffer.concat([reply, this.#writer.write({})]));
        if (flags & fin) void stream.accept(null);
        this.#options.onStream?.(stream);
        break;
      }
      case frameTypes.synReply: {
        const id = body.readUInt32BE(0) & 0x7fffffff;
        await this.#reader.read(body.subarray(4));
        const stream = this.#streams.get(id);
        if (stream) this.#replies.get(id)?.resolve(stream);
        this.#replies.delete(id);
        if (flags & fin) void stream?.accept(null);
        break;
      }
      case frameTypes.headers:
        await this.#reader.read(body.subarray(4));
        break;
      case frameTypes.reset: {
        const id = body.readUInt32BE(0) & 0x7fffffff;
        this.#replies.get(id)?.reject(new Error('the peer refused the stream'));
        this.#replies.delete(id);
        const stream = this.#streams.get(id);
        this.#streams.delete(id);
        stream?.finish();
        break;
      }
      case frameTypes.ping: {
        // Pings of the peer are odd where it is the client; its own come back to it.
        const own = (body.readUInt32BE(0) % 2 === 1) === (this.#options.role === 'client');
        if (!own) this.#control(frameTypes.ping, 0, Buffer.from(body));
        break;
      }
      case frameTypes.goAway:
        break;
      default:
    }
  }
}
