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
}

export class Stream {
  readonly id: number;
  readonly head: RequestHead;
  readonly connection: Connection;
  /** Called once when the stream is over; `complete` when its answer was sent whole. */
  onClose: ((complete: boolean) => void) | undefined;
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
  /** Fields after the body; the end is told with them. */
  trailers: Fields | undefined;
  #sink: BodySink | undefined;
  /** What came before anybody wanted it. */
  #early: Buffer[] = [];
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
    this.#early = [];
    for (const chunk of early) sink.data(chunk);
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
    else this.#early.push(chunk);
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
    this.queue.push({ bytes, at: 0, done });
    this.connection.sendQueued(this);
  }

  /** Writes the last bytes, if any: the end is told with them. */
  end(bytes?: Uint8Array): void {
    if (this.closed || this.ended) return;
    this.ended = true;
    if (bytes && bytes.length > 0) {
      this.backlog += bytes.length;
      this.queue.push({ bytes, at: 0, done: undefined });
    }
    this.connection.sendQueued(this);
  }

  /** Ends the answer with fields behind its body. */
  endWith(trailers: Fields): void {
    if (this.closed || this.ended) return;
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
    this.#early = [];
    this.backlog = 0;
    for (const { done } of this.queue.splice(0)) done?.();
    this.onClose?.(complete);
  }
}
