/** Passes questions about other names to resolvers outside, and keeps the answers a while. CoreDNS counterparts: forward, cache. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { TRUNCATED_RESPONSE } from 'dns-packet';
import type { Clock, Random } from '#machinery/clock';
import { isTruncated, rcodeOf, rcodes, ttlOffsets } from './message.ts';

export interface Resolver {
  address: string;
  port: number;
}

/** Milliseconds until the next resolver is asked. */
const patience = 2000;
/** Seconds: answers are kept as long as they say, but no longer than this; failures as in CoreDNS. */
const longestStay = 30;
const mostEntries = 10_000;
const mostAtOnce = 1000;

interface Kept {
  bytes: Buffer;
  offsets: number[];
  at: number;
  until: number;
}

/** "1.2.3.4", "1.2.3.4:5353", "[::1]:53", "::1". */
export function parseResolver(text: string): Resolver {
  const match = /^\[(.+)\](?::(\d+))?$/.exec(text) ?? /^([^:]+):(\d+)$/.exec(text);
  return match ? { address: match[1]!, port: Number(match[2] ?? 53) } : { address: text, port: 53 };
}

export class Forwarder {
  readonly #resolvers: readonly Resolver[];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #kept = new Map<string, Kept>();
  readonly #asking = new Map<string, Promise<Buffer | undefined>>();
  readonly #abort = new AbortController();

  constructor(resolvers: readonly Resolver[], clock: Clock, random: Random) {
    this.#resolvers = resolvers;
    this.#clock = clock;
    this.#random = random;
  }

  get available(): boolean {
    return this.#resolvers.length > 0;
  }

  /** The answer to `query` (whose question is `key`), with its id in place; undefined when no resolver gave one. */
  async ask(query: Buffer, key: string, tcp: boolean): Promise<Buffer | undefined> {
    const full = `${key}|${tcp}`;
    const kept = this.#kept.get(full);
    const now = this.#clock.now();
    if (kept && kept.until > now) return withId(aged(kept, now), query);
    if (kept) this.#kept.delete(full);
    let asking = this.#asking.get(full);
    if (!asking) {
      if (this.#asking.size >= mostAtOnce) return undefined;
      asking = this.#askAll(query, full, tcp).finally(() => this.#asking.delete(full));
      this.#asking.set(full, asking);
    }
    const bytes = await asking;
    return bytes && withId(Buffer.from(bytes), query);
  }

  close(): void {
    this.#abort.abort();
    this.#kept.clear();
  }

  async #askAll(query: Buffer, key: string, tcp: boolean): Promise<Buffer | undefined> {
    let last: Buffer | undefined;
    for (const resolver of this.#resolvers) {
      if (this.#abort.signal.aborted) return undefined;
      const bytes = await (tcp ? this.#askTcp(resolver, query) : this.#askUdp(resolver, query));
      if (!bytes) continue;
      last = bytes;
      const rcode = rcodeOf(bytes);
      if (rcode !== rcodes.NOERROR && rcode !== rcodes.NXDOMAIN) continue;
      this.#keep(key, bytes);
      return bytes;
    }
    return last;
  }

  #askUdp({ address, port }: Resolver, query: Buffer): Promise<Buffer | undefined> {
    const question = withNewId(query, this.#random);
    return new Promise((resolve) => {
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
      const end = (bytes?: Buffer): void => {
        timer.cancel();
        this.#abort.signal.removeEventListener('abort', abort);
        socket.close();
        resolve(bytes);
      };
      const abort = (): void => end();
      const timer = this.#clock.setTimeout(abort, patience);
      this.#abort.signal.addEventListener('abort', abort, { once: true });
      socket.once('error', abort);
      // Connected, the socket hears from this resolver alone, and of an ICMP error at once.
      socket.connect(port, address, () => socket.send(question));
      socket.on('message', (bytes) => {
        if (bytes.length >= 12 && bytes.readUInt16BE(0) === question.readUInt16BE(0)) end(bytes);
      });
    });
  }

  #askTcp({ address, port }: Resolver, query: Buffer): Promise<Buffer | undefined> {
    const question = withNewId(query, this.#random);
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      const socket = connect({ host: address, port });
      const end = (bytes?: Buffer): void => {
        timer.cancel();
        this.#abort.signal.removeEventListener('abort', abort);
        socket.destroy();
        resolve(bytes);
      };
      const abort = (): void => end();
      const timer = this.#clock.setTimeout(abort, patience);
      this.#abort.signal.addEventListener('abort', abort, { once: true });
      socket.on('error', abort);
      socket.on('end', abort);
      socket.on('connect', () => socket.write(framed(question)));
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        const bytes = Buffer.concat(chunks);
        if (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) end(bytes.subarray(2, 2 + bytes.readUInt16BE(0)));
      });
    });
  }

  #keep(key: string, bytes: Buffer): void {
    if (isTruncated(bytes)) return;
    let offsets: number[];
    try {
      offsets = ttlOffsets(bytes);
    } catch {
      // Passed on as it is; the asker will judge it.
      return;
    }
    const seconds = Math.min(longestStay, ...offsets.map((offset) => bytes.readUInt32BE(offset)));
    if (seconds <= 0 || offsets.length === 0) return;
    if (this.#kept.size >= mostEntries) this.#kept.delete(this.#kept.keys().next().value!);
    const at = this.#clock.now();
    this.#kept.set(key, { bytes, offsets, at, until: at + seconds * 1000 });
  }
}

function aged({ bytes, offsets, at }: Kept, now: number): Buffer {
  const copy = Buffer.from(bytes);
  const seconds = Math.floor((now - at) / 1000);
  for (const offset of offsets) copy.writeUInt32BE(Math.max(0, copy.readUInt32BE(offset) - seconds), offset);
  return copy;
}

function withId(bytes: Buffer, query: Buffer): Buffer {
  query.copy(bytes, 0, 0, 2);
  return bytes;
}

function withNewId(query: Buffer, random: Random): Buffer {
  const copy = Buffer.from(query);
  copy.writeUInt16BE(Math.floor(random.next() * 0x1_0000), 0);
  return copy;
}

export function framed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length, 0);
  return Buffer.concat([length, bytes]);
}

/** An answer too large for the asker's UDP, cut to its question. */
export function cutToQuestion(bytes: Buffer, questionEnd: number): Buffer {
  const cut = Buffer.from(bytes.subarray(0, questionEnd));
  cut.writeUInt16BE(cut.readUInt16BE(2) | TRUNCATED_RESPONSE, 2);
  for (const count of [6, 8, 10]) cut.writeUInt16BE(0, count);
  return cut;
}
