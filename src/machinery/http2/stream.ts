/**
 * One request and its answer on a connection.
 *
 *   request:  receive() → data… → end            respond() → write()… → end()   :answer
 *
 * Invariant: what was written is sent in order, as fast as the other side's windows allow; `closed` comes once, after which nothing is
 * sent and nothing is received.
 */
import type { Connection } from './connection.ts';
import type { Fields } from './header-encoder.ts';
import type { RequestHead } from './request-head.ts';
import { code } from './protocol.ts';

export interface BodySink {
  /** `consumed` makes room for as much again; until then the other side may send no more than a window. */
  data(chunk: Buffer): void;
  end(): void;
}

interface Queued {
  bytes: Uint8Array;
  /** How much of it was sent. */
  at: number;
  done: (() => void) | undefined;
  /** What comes after `bytes`, which are not used any more then. */
  more: (() => Uint8Array | undefined) | undefined;
}

export class Stream {
  readonly id: number;
  readonly head: RequestHead;
  readonly connection: Connection;
  /** Called once when the stream is over; `complete` when its answer was sent whole. */
  onClose: ((complete: boolean) => void) | undefined;
  /** Called whenever the last of what waited was handed to the socket. */
  onEmpty: (() => void) | undefined;
  closed = false;
  /** The other side has sent all. */
  remoteEnded = false;
  /** `end` was called. */
  ended = false;
  /** How much the other side allows us, and we the other side. */
  sendWindow: number;
  receiveWindow: number;
  /** Bytes that were written and not yet handed to the socket. */
  backlog = 0;
  readonly queue: Queued[] = [];
  /** Fields after the body, or their block; the end is told with them. */
  trailers: Fields | Uint8Array | undefined;
  /** From the connection: the request is done with when the stream is over. */
  counted = false;
  #sink: BodySink | undefined;
  /** What came before anybody wanted it. */
  #early: Buffer[] | undefined;
  #unread = 0;
  #consumed = 0;
  /** What content-length still promises; -1 where it says nothing. */
  #promised: number;

  constructor(connection: Connection, id: number, head: RequestHead, sendWindow: number, receiveWindow: number) {
    this.connection = connection;
    this.id = id;
    this.head = head;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
    this.#promised = Number(head.headers['content-length'] ?? -1);
  }

  // ---- the request's body ----

  /** Once. */
  receive(sink: BodySink): void {
    this.#sink = sink;
    const early = this.#early;
    this.#early = undefined;
    if (early) for (const chunk of early) sink.data(chunk);
    if (this.remoteEnded) sink.end();
  }

  /** That much of the body was taken. */
  consumed(size: number): void {
    if (this.closed) return;
    this.#unread -= size;
    this.connection.consumed(size);
    if (this.remoteEnded) return;
    this.#consumed += size;
    if (this.#consumed < this.connection.streamWindow >> 1) return;
    this.receiveWindow += this.#consumed;
    this.connection.sendWindowUpdate(this.id, this.#consumed);
    this.#consumed = 0;
  }

  /** From the connection: whether a part of the body keeps what content-length promised. RFC 9113, section 8.1.1. */
  fits(size: number, last: boolean): boolean {
    if (this.#promised < 0) return true;
    this.#promised -= size;
    return last ? this.#promised === 0 : this.#promised >= 0;
  }

  received(chunk: Buffer): void {
    this.#unread += chunk.length;
    if (this.#sink) this.#sink.data(chunk);
    else (this.#early ??= []).push(chunk);
  }

  receivedEnd(): void {
    this.remoteEnded = true;
    this.#sink?.end();
  }

  // ---- the answer ----

  /** Sends the head; with `end`, the answer has no body. `length`: its content-length. */
  respond(status: number, headers: Fields, end = false, length?: number): void {
    if (this.closed) return;
    if (end) this.ended = true;
    this.connection.sendHeaders(this.id, status, headers, end, length);
    if (end) this.connection.sentAll(this);
  }

  /** `done` is called when it was handed to the socket, or will not be. */
  write(bytes: Uint8Array, done?: () => void): void {
    if (this.closed || this.ended || bytes.length === 0) {
      done?.();
      return;
    }
    this.backlog += bytes.length;
    this.queue.push({ bytes, at: 0, done, more: undefined });
    this.connection.sendQueued(this);
  }

  /** Writes the last bytes, if any: the end is told with them. */
  end(bytes?: Uint8Array): void {
    if (this.closed || this.ended) return;
    this.ended = true;
    if (bytes && bytes.length > 0) {
      this.backlog += bytes.length;
      this.queue.push({ bytes, at: 0, done: undefined, more: undefined });
    }
    this.connection.sendQueued(this);
  }

  /** Sends the block of a head that `headBlock` made. */
  respondWith(head: Uint8Array): void {
    if (!this.closed) this.connection.sendBlock(this.id, head);
  }

  /** Writes `size` bytes that are made as they are sent: each part is asked for when the one before was handed to the socket. */
  writeAll(size: number, next: () => Uint8Array | undefined): void {
    const bytes = this.closed || this.ended ? undefined : next();
    if (!bytes) return;
    this.backlog += size;
    this.queue.push({ bytes, at: 0, done: undefined, more: next });
    this.connection.sendQueued(this);
  }

  /**
   * Writes the parts of a short message, in one frame if it fits. All are taken when this returns: for what is made in a buffer that is
   * used again.
   */
  writeParts(parts: readonly Uint8Array[]): void {
    let size = 0;
    for (const part of parts) size += part.length;
    if (this.closed || this.ended || this.connection.sendNow(this, parts, size)) return;
    this.write(Buffer.concat(parts, size));
  }

  /** Ends the answer with fields behind its body, or with the block that `trailersBlock` made of them. */
  endWith(trailers: Fields | Uint8Array): void {
    if (this.closed || this.ended) return;
    if (this.queue.length === 0 && trailers instanceof Uint8Array) {
      this.ended = true;
      return this.connection.sendTrailers(this, trailers);
    }
    this.trailers = trailers;
    this.end();
  }

  reset(reason: number = code.cancel): void {
    if (this.closed) return;
    this.connection.sendReset(this.id, reason);
    this.connection.close(this, false);
  }

  /** From the connection. */
  over(complete: boolean): void {
    this.closed = true;
    // What nobody will read any more makes room for other streams.
    this.connection.consumed(this.#unread);
    this.#unread = 0;
    this.#early = undefined;
    this.backlog = 0;
    if (this.queue.length > 0) for (const { done } of this.queue.splice(0)) done?.();
    this.onClose?.(complete);
  }
}
