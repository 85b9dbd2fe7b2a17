/** A server's side of one HTTP/2 connection: frames in, requests to `onRequest`, frames out. RFC 9113. */
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '#machinery/clock';
import { CompressionError, HeaderDecoder } from './header-decoder.ts';
import { encodeHeaders, encodeTrailers } from './header-encoder.ts';
import type { Fields } from './header-encoder.ts';
import { Input } from './input.ts';
import { KnownHeads } from './known-heads.ts';
import { Output } from './output.ts';
import { ConnectionError, code, defaultFrameSize, defaultWindow, flag, frame, maxWindow, setting } from './protocol.ts';
import { RequestHead } from './request-head.ts';
import { Stream } from './stream.ts';

export interface ConnectionOptions {
  clock: Clock;
  /**
   * Resolves when nothing more is done for the request, whether its stream still is there or not. Never rejects. Where it answers
   * nothing, the request is done with when its stream is over.
   */
  onRequest(stream: Stream): Promise<void> | undefined;
  onClose?(reason: string): void;
  /** Requests at once. Those that the other side gave up count until `onRequest` is done with them. Default 250. */
  maxStreams?: number;
  /** Bytes of a request's fields. Default 1 MiB. */
  maxHeaderBytes?: number;
  /** Bytes of a body that may come before they are taken. Default 256 KiB. upstream: apiserver/pkg/server/secure_serving.go resourceBody99Percentile. */
  streamWindow?: number;
  /** Requests with the same fields may have one `head`, for those who do not change it. Default: each has its own. */
  sharedHeads?: boolean;
}

const maxFrame = 256 * 1024;
/** So long a connection without requests is kept. upstream: IdleTimeout. */
const idleTimeout = 90_000;
const prefaceTimeout = 10_000;
const closingTimeout = 5000;
/** What a stream sends before others get their turn: whoever reads it takes it at once, and makes room for it once. */
const turn = 64 * 1024;
/** What may wait in the socket before streams have to wait. */
const highWater = 512 * 1024;
/** More than that are answers to frames that need one, of who does not read them. upstream: golang.org/x/net/http2 maxQueuedControlFrames. */
const maxBacklog = 4 * 1024 * 1024;

export class Connection {
  readonly socket: Duplex;
  readonly streamWindow: number;
  readonly #options: ConnectionOptions;
  readonly #maxStreams: number;
  readonly #maxHeaderBytes: number;
  readonly #decoder = new HeaderDecoder();
  readonly #known: KnownHeads | undefined;
  readonly #input: Input;
  readonly #output: Output;
  readonly #streams = new Map<number, Stream>();
  /** Streams that have something to send and whose own window is open. */
  readonly #ready = new Set<Stream>();
  /** Requests that wait for others to be done. */
  #unstarted: Stream[] = [];
  #running = 0;
  #lastId = 0;
  #sendWindow = defaultWindow;
  #receiveWindow: number;
  readonly #receiveSize: number;
  #consumed = 0;
  #initialWindow = defaultWindow;
  #peerFrame = defaultFrameSize;
  /** A header block that goes on in CONTINUATION frames. */
  #block: { id: number; flags: number; parts: Buffer[]; size: number } | undefined;
  #leaving = false;
  #closed = false;
  #idleSince: number;
  #timer: Timer | undefined;

  constructor(socket: Duplex, options: ConnectionOptions) {
    this.socket = socket;
    this.#options = options;
    this.#maxStreams = options.maxStreams ?? 250;
    this.#maxHeaderBytes = options.maxHeaderBytes ?? 1 << 20;
    this.streamWindow = options.streamWindow ?? 256 * 1024;
    if (options.sharedHeads) this.#known = new KnownHeads();
    this.#input = new Input(maxFrame, (type, flags, id, payload) => this.#frame(type, flags, id, payload));
    this.#output = new Output(socket, () => this.#pump());
    this.#receiveSize = Math.min(this.streamWindow * this.#maxStreams, maxWindow);
    this.#receiveWindow = this.#receiveSize;
    this.#idleSince = options.clock.monotonic();
    socket.on('data', (chunk: Buffer) => this.#data(chunk));
    socket.on('error', (error: Error) => this.#gone(error.message));
    socket.on('close', () => this.#gone('the other side closed it'));
    this.#output.frame(
      frame.settings,
      0,
      0,
      settings([
        [setting.maxFrameSize, maxFrame],
        [setting.maxConcurrentStreams, this.#maxStreams],
        [setting.maxHeaderListSize, this.#maxHeaderBytes],
        [setting.initialWindowSize, this.streamWindow],
      ]),
    );
    this.#output.numbers(frame.windowUpdate, 0, this.#receiveSize - defaultWindow);
    this.#watchIdle(prefaceTimeout);
  }

  /** Takes no new requests; closes when the last is answered. */
  leave(): void {
    if (this.#leaving || this.#closed) return;
    this.#leaving = true;
    this.#output.numbers(frame.goAway, 0, this.#lastId, code.noError);
    this.#endWhenDone();
  }

  destroy(): void {
    this.#output.finish();
    this.socket.destroy();
    this.#gone('destroyed');
  }

  // ---- for streams ----

  sendHeaders(id: number, status: number, headers: Fields, end: boolean, length?: number): void {
    const date = 'date' in headers ? undefined : dateOf(this.#options.clock.now());
    this.#sendBlock(id, encodeHeaders(status, headers, date, length), end ? flag.endStream : 0);
  }

  #sendBlock(id: number, block: Uint8Array, flags: number): void {
    if (block.length <= this.#peerFrame) {
      this.#output.frame(frame.headers, flags | flag.endHeaders, id, block);
      return;
    }
    for (let at = 0; at < block.length; at += this.#peerFrame) {
      const last = at + this.#peerFrame >= block.length ? flag.endHeaders : 0;
      const part = block.subarray(at, at + this.#peerFrame);
      this.#output.frame(at === 0 ? frame.headers : frame.continuation, (at === 0 ? flags : 0) | last, id, part);
    }
  }

  sendBlock(id: number, block: Uint8Array): void {
    this.#sendBlock(id, block, 0);
  }

  /** Sends a DATA frame now where nothing is in its way. False: it has to wait its turn. */
  sendNow(stream: Stream, parts: readonly Uint8Array[], size: number): boolean {
    if (this.#closed || size > this.#peerFrame || size > stream.sendWindow || size > this.#sendWindow) return false;
    if (stream.queue.length > 0 || this.#output.backlog >= highWater) return false;
    this.#sendWindow -= size;
    stream.sendWindow -= size;
    this.#output.joined(stream.id, parts, size);
    return true;
  }

  sendTrailers(stream: Stream, block: Uint8Array): void {
    this.#sendBlock(stream.id, block, flag.endStream);
    this.sentAll(stream);
  }

  /** Something was written, or the end is known. */
  sendQueued(stream: Stream): void {
    if (stream.queue.length === 0 || stream.sendWindow > 0) this.#ready.add(stream);
    this.#pump();
  }

  sendReset(id: number, reason: number): void {
    this.#output.numbers(frame.reset, id, reason);
  }

  sendWindowUpdate(id: number, size: number): void {
    this.#output.numbers(frame.windowUpdate, id, size);
  }

  consumed(size: number): void {
    this.#consumed += size;
    if (this.#consumed < this.#receiveSize >> 1) return;
    this.#receiveWindow += this.#consumed;
    this.sendWindowUpdate(0, this.#consumed);
    this.#consumed = 0;
  }

  /** The answer is complete. A request that is not is not waited for. */
  sentAll(stream: Stream): void {
    if (!stream.remoteEnded) this.#output.numbers(frame.reset, stream.id, code.noError);
    this.close(stream, true);
  }

  close(stream: Stream, complete: boolean): void {
    if (!this.#streams.delete(stream.id)) return;
    this.#ready.delete(stream);
    stream.over(complete);
    if (stream.counted) this.#finished();
    if (this.#streams.size > 0) return;
    this.#idleSince = this.#options.clock.monotonic();
    this.#endWhenDone();
  }

  // ---- out ----

  /** Sends what streams have, a frame each in turn, while windows and the socket have room. */
  #pump(): void {
    if (this.#closed) return;
    for (const stream of this.#ready) {
      if (this.#output.backlog >= highWater) return;
      this.#ready.delete(stream);
      if (!this.#sendSome(stream)) {
        // The connection's window is used up: this one is the first when it opens.
        this.#ready.add(stream);
        return;
      }
    }
  }

  /** False where the connection's window is closed. */
  #sendSome(stream: Stream): boolean {
    const { queue } = stream;
    let budget = turn;
    while (queue.length > 0 && budget > 0) {
      const next = queue[0]!;
      const size = Math.min(next.bytes.length - next.at, stream.sendWindow, budget, this.#peerFrame);
      if (size <= 0) return true;
      const allowed = Math.min(size, this.#sendWindow);
      if (allowed <= 0) return false;
      const whole = next.at + allowed === next.bytes.length;
      const last = whole && !next.more && queue.length === 1 && stream.ended && !stream.trailers;
      this.#output.data(stream.id, next.bytes, next.at, next.at + allowed, last);
      next.at += allowed;
      budget -= allowed;
      this.#sendWindow -= allowed;
      stream.sendWindow -= allowed;
      stream.backlog -= allowed;
      if (whole) {
        const more = next.more?.();
        if (more) {
          next.bytes = more;
          next.at = 0;
          continue;
        }
        queue.shift();
        next.done?.();
        if (queue.length === 0) stream.onEmpty?.();
      }
      if (last) {
        this.sentAll(stream);
        return true;
      }
    }
    if (queue.length > 0) {
      if (stream.sendWindow > 0) this.#ready.add(stream);
    } else if (stream.ended && !stream.closed) {
      if (stream.trailers) this.#sendBlock(stream.id, encoded(stream.trailers), flag.endStream);
      else this.#output.data(stream.id, nothing, 0, 0, true);
      this.sentAll(stream);
    }
    return true;
  }

  // ---- in ----

  #data(chunk: Buffer): void {
    if (this.#closed) return;
    try {
      this.#input.push(chunk);
    } catch (error) {
      const known = error instanceof ConnectionError ? error : undefined;
      const broken = error instanceof CompressionError;
      this.#output.numbers(frame.goAway, 0, this.#lastId, known?.code ?? (broken ? code.compressionError : code.internalError));
      this.#shut();
      this.#gone((error as Error).message);
      if (!known && !broken) throw error;
    }
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.#output.backlog > maxBacklog) throw new ConnectionError(code.enhanceYourCalm, 'answers are not read');
    if (this.#block && (type !== frame.continuation || id !== this.#block.id)) throw protocolError('a frame inside of a header block');
    switch (type) {
      case frame.data:
        return this.#onData(flags, id, payload);
      case frame.headers:
        return this.#onHeaders(flags, id, payload);
      case frame.priority:
        if (id === 0) throw protocolError('PRIORITY of the connection');
        if (payload.length !== 5) this.#resetUnknown(id, code.frameSizeError);
        else if (dependsOn(payload) === id) this.#resetUnknown(id, code.protocolError);
        return;
      case frame.reset:
        return this.#onReset(id, payload);
      case frame.settings:
        return this.#onSettings(flags, id, payload);
      case frame.ping:
        if (id !== 0) throw protocolError('PING of a stream');
        if (payload.length !== 8) throw frameSizeError('PING');
        if (flags & flag.ack) return;
        return this.#output.frame(frame.ping, flag.ack, 0, payload);
      case frame.goAway:
        if (id !== 0) throw protocolError('GOAWAY of a stream');
        return this.leave();
      case frame.windowUpdate:
        return this.#onWindowUpdate(id, payload);
      case frame.continuation:
        return this.#onContinuation(flags, id, payload);
      case frame.pushPromise:
        throw protocolError('a push of a client');
      default:
      // What extensions add is ignored.
    }
  }

  #onData(flags: number, id: number, payload: Buffer): void {
    if (id === 0) throw protocolError('DATA of the connection');
    const size = payload.length;
    if (size > this.#receiveWindow) throw new ConnectionError(code.flowControlError, 'more than the window');
    this.#receiveWindow -= size;
    const body = flags & flag.padded ? unpadded(payload) : payload;
    const stream = this.#streams.get(id);
    if (!stream || stream.remoteEnded) {
      if (id > this.#lastId || id % 2 === 0) throw protocolError('DATA before HEADERS');
      this.consumed(size);
      // Also where the answer was sent before the body had come: who goes on sending is told once more that nobody takes it.
      return this.#resetUnknown(id, code.streamClosed);
    }
    if (size > stream.receiveWindow) {
      this.consumed(size);
      this.sendReset(id, code.flowControlError);
      return this.close(stream, false);
    }
    stream.receiveWindow -= size;
    if (!stream.fits(body.length, (flags & flag.endStream) !== 0)) {
      this.consumed(size);
      this.sendReset(id, code.protocolError);
      return this.close(stream, false);
    }
    stream.received(body);
    if (size > body.length) {
      this.consumed(size - body.length);
      stream.receiveWindow += size - body.length;
      this.sendWindowUpdate(id, size - body.length);
    }
    if (flags & flag.endStream && !stream.closed) stream.receivedEnd();
  }

  #onHeaders(flags: number, id: number, payload: Buffer): void {
    if (id === 0 || id % 2 === 0) throw protocolError('HEADERS of a stream that no client opens');
    let block = flags & flag.padded ? unpadded(payload) : payload;
    if (flags & flag.priority) {
      if (block.length < 5) throw frameSizeError('HEADERS');
      if (dependsOn(block) === id) throw protocolError('a stream that depends on itself');
      block = block.subarray(5);
    }
    if (flags & flag.endHeaders) return this.#onBlock(id, flags, block);
    this.#block = { id, flags, parts: [Buffer.from(block)], size: block.length };
  }

  #onContinuation(flags: number, id: number, payload: Buffer): void {
    const open = this.#block;
    if (!open) throw protocolError('a continuation of nothing');
    open.parts.push(Buffer.from(payload));
    open.size += payload.length;
    // Compressed, so that it is at least as much unpacked; and frames without content would never end.
    if (open.size > this.#maxHeaderBytes * 2 || open.parts.length > 256)
      throw new ConnectionError(code.enhanceYourCalm, 'a header block without end');
    if (!(flags & flag.endHeaders)) return;
    this.#block = undefined;
    this.#onBlock(id, open.flags, Buffer.concat(open.parts, open.size));
  }

  #onBlock(id: number, flags: number, block: Buffer): void {
    const head = this.#known?.find(block, this.#decoder.changes) ?? this.#read(block);
    const known = this.#streams.get(id);
    if (known) return this.#onTrailers(known, flags);
    if (id <= this.#lastId) throw new ConnectionError(code.streamClosed, 'HEADERS of a closed stream');
    this.#lastId = id;
    if (this.#leaving) return this.sendReset(id, code.refusedStream);
    if (this.#streams.size >= this.#maxStreams) return this.sendReset(id, code.refusedStream);
    if (head.malformed !== undefined && !head.tooLarge) return this.sendReset(id, code.protocolError);
    const stream = new Stream(this, id, head, this.#initialWindow, this.streamWindow);
    this.#streams.set(id, stream);
    if (flags & flag.endStream) {
      if (!stream.fits(0, true)) {
        this.sendReset(id, code.protocolError);
        return this.close(stream, false);
      }
      stream.remoteEnded = true;
    }
    if (head.tooLarge) return refuseFields(stream);
    if (this.#running < this.#maxStreams) return this.#start(stream);
    // Who opens streams and gives them up at once waits for what it has set going.
    if (this.#unstarted.length >= this.#maxStreams * 4) throw new ConnectionError(code.enhanceYourCalm, 'too many streams given up');
    this.#unstarted.push(stream);
  }

  /** A whole block as a request's fields; they do no harm where it is trailers. */
  #read(block: Buffer): RequestHead {
    const { changes } = this.#decoder;
    const head = new RequestHead(this.#maxHeaderBytes);
    this.#decoder.decode(block, (name, value) => head.add(name, value));
    head.finish();
    if (this.#known && changes === this.#decoder.changes && head.malformed === undefined && !head.tooLarge)
      this.#known.keep(block, changes, head);
    return head;
  }

  #start(stream: Stream): void {
    this.#running++;
    const done = this.#options.onRequest(stream);
    if (done) void done.then(() => this.#finished());
    else if (stream.closed) this.#finished();
    else stream.counted = true;
  }

  #finished(): void {
    this.#running--;
    while (this.#unstarted.length > 0 && this.#running < this.#maxStreams) {
      const next = this.#unstarted.shift()!;
      if (!next.closed) this.#start(next);
    }
  }

  #onTrailers(stream: Stream, flags: number): void {
    if (!stream.remoteEnded && flags & flag.endStream && stream.fits(0, true)) return stream.receivedEnd();
    this.sendReset(stream.id, stream.remoteEnded ? code.streamClosed : code.protocolError);
    this.close(stream, false);
  }

  #onReset(id: number, payload: Buffer): void {
    if (payload.length !== 4) throw frameSizeError('RST_STREAM');
    if (id === 0 || id > this.#lastId) throw protocolError('a reset of no stream');
    const stream = this.#streams.get(id);
    if (stream) this.close(stream, false);
  }

  #onSettings(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) throw protocolError('SETTINGS of a stream');
    if (flags & flag.ack) {
      if (payload.length > 0) throw frameSizeError('SETTINGS');
      return;
    }
    if (payload.length % 6 !== 0) throw frameSizeError('SETTINGS');
    for (let at = 0; at < payload.length; at += 6) this.#set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    this.#output.frame(frame.settings, flag.ack, 0, nothing);
    this.#pump();
  }

  #set(name: number, value: number): void {
    if (name === setting.initialWindowSize) {
      if (value > maxWindow) throw new ConnectionError(code.flowControlError, 'a window too big');
      for (const stream of this.#streams.values()) this.#widen(stream, value - this.#initialWindow);
      this.#initialWindow = value;
    } else if (name === setting.maxFrameSize) {
      if (value < defaultFrameSize || value > 2 ** 24 - 1) throw protocolError('a frame size out of bounds');
      this.#peerFrame = Math.min(value, 64 * 1024);
    } else if (name === setting.enablePush && value > 1) throw protocolError('neither push nor none');
  }

  #onWindowUpdate(id: number, payload: Buffer): void {
    if (payload.length !== 4) throw frameSizeError('WINDOW_UPDATE');
    const size = payload.readUInt32BE(0) & 0x7fffffff;
    if (id === 0) {
      if (size === 0) throw protocolError('an update by nothing');
      this.#sendWindow += size;
      if (this.#sendWindow > maxWindow) throw new ConnectionError(code.flowControlError, 'a window too big');
    } else {
      const stream = this.#streams.get(id);
      if (!stream && id > this.#lastId) throw protocolError('an update of no stream');
      if (size === 0) return this.#resetUnknown(id, code.protocolError);
      if (!stream) return;
      this.#widen(stream, size);
    }
    this.#pump();
  }

  #widen(stream: Stream, by: number): void {
    stream.sendWindow += by;
    if (stream.sendWindow > maxWindow) {
      this.sendReset(stream.id, code.flowControlError);
      this.close(stream, false);
    } else if (stream.sendWindow > 0 && stream.queue.length > 0) this.#ready.add(stream);
  }

  #resetUnknown(id: number, reason: number): void {
    this.sendReset(id, reason);
    const stream = this.#streams.get(id);
    if (stream) this.close(stream, false);
  }

  // ---- its end ----

  #watchIdle(milliseconds: number): void {
    const { clock } = this.#options;
    this.#timer = clock.setTimeout(() => {
      const idle = this.#streams.size === 0 ? clock.monotonic() - this.#idleSince : 0;
      if (!this.#input.begun) return this.destroy();
      if (idle >= idleTimeout) return this.leave();
      this.#watchIdle(idleTimeout - idle);
    }, milliseconds);
  }

  #endWhenDone(): void {
    if (!this.#leaving || this.#streams.size > 0) return;
    this.#shut();
  }

  /** Sends what there is; who does not close its side then is cut. */
  #shut(): void {
    this.#output.finish();
    this.socket.end();
    this.#options.clock.setTimeout(() => this.socket.destroy(), closingTimeout);
  }

  #gone(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#unstarted = [];
    this.#ready.clear();
    for (const stream of this.#streams.values()) stream.over(false);
    this.#streams.clear();
    this.#options.onClose?.(reason);
  }
}

const nothing = Buffer.alloc(0);
const encoded = (trailers: Fields | Uint8Array): Uint8Array => (trailers instanceof Uint8Array ? trailers : encodeTrailers(trailers));

let dateSecond = 0;
let dateText = '';

/** The Date of an answer; the same for a second. */
function dateOf(now: number): string {
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(now).toUTCString();
  }
  return dateText;
}

const protocolError = (message: string): ConnectionError => new ConnectionError(code.protocolError, message);
const frameSizeError = (message: string): ConnectionError => new ConnectionError(code.frameSizeError, message);

function settings(pairs: readonly (readonly [name: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [index, [name, value]] of pairs.entries()) {
    payload.writeUInt16BE(name, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return payload;
}

/** The stream that a PRIORITY names. Priorities are not heeded, only a loop is an error. */
const dependsOn = (payload: Buffer): number => payload.readUInt32BE(0) & 0x7fffffff;

function unpadded(payload: Buffer): Buffer {
  const padding = payload[0] ?? 0;
  if (payload.length === 0 || padding >= payload.length) throw protocolError('more padding than payload');
  return payload.subarray(1, payload.length - padding);
}

/** upstream: golang.org/x/net/http2 handleHeaderListTooLong. */
function refuseFields(stream: Stream): void {
  stream.respond(431, { 'content-type': 'text/html; charset=utf-8' });
  stream.write(Buffer.from('<h1>HTTP Error 431</h1><p>Request Header Field(s) Too Large</p>'));
  stream.end();
}
