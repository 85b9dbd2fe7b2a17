/**
 * Lists as JSON. What is between the brackets is made once for each state of a list and kept by the array of its items (the cache gives
 * the same array until something in it changes): as bytes while somebody still sends them, compressed for as long as the state lasts.
 * Only the head, with the list's resourceVersion, is made for each answer. Lists too big to be held whole are sent piece by piece, as
 * fast as the client reads. upstream: apiserver/pkg/endpoints/handlers/responsewriters/writers.go.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { crc32, createDeflateRaw, deflateRaw } from 'node:zlib';
import { promisify } from 'node:util';
import type { Clock } from '#machinery/clock';
import type { CachedObject, ServedResource } from '../contract.ts';
import type { Answer } from '../handlers/contract.ts';
import type { Exchange } from '../proxy/contract.ts';
import { listMetaOf } from '../registry/generic/listing.ts';
import { combineCrc32 } from './crc32.ts';

type ListAnswer = Answer & { type: 'list' };

/** Bodies from here on are compressed for who accepts it. upstream: responsewriters/writers.go defaultGzipThresholdBytes. */
export const gzipFrom = 128 * 1024;

/** Lists up to here are put together whole. */
const wholeUpTo = 32 * 1024 * 1024;
const pieceSize = 256 * 1024;
/** Compressed bodies up to here are kept. */
const keptUpTo = 8 * 1024 * 1024;
/** Milliseconds of work before others get a turn. */
const slice = 4;

interface Compressed {
  bytes: Uint8Array;
  crc: number;
  /** Before compression. */
  size: number;
}

interface Kept {
  plain?: Promise<WeakRef<Uint8Array> | undefined>;
  compressed?: Promise<Compressed>;
}

const kept = new WeakMap<readonly CachedObject[], Kept>();
const compress = promisify(deflateRaw);

/** Metadata of a list. Upstream writes a list of custom resources as a map, with an empty token too. */
export const listMeta = ({ result, served }: ListAnswer): Record<string, unknown> => {
  const metadata = listMetaOf(result);
  return served.conform ? { ...metadata, continue: result.continue ?? '' } : metadata;
};

/** Sends a list as JSON. */
export async function sendList(
  exchange: Exchange,
  answer: ListAnswer,
  headers: Record<string, string | string[]>,
  clock: Clock,
): Promise<void> {
  const { served, result } = answer;
  const head = Buffer.from(
    `{"kind":${JSON.stringify(`${served.kind.kind}List`)},"apiVersion":${JSON.stringify(served.kind.apiVersion)},"metadata":${JSON.stringify(listMeta(answer))},"items":[`,
  );
  if (exchange.method === 'HEAD') return exchange.end(200, headers);
  let known = kept.get(result.items);
  if (!known) kept.set(result.items, (known = {}));
  const gzips = String(exchange.headers['accept-encoding'] ?? '').includes('gzip');
  const compressed = gzips ? await known.compressed?.catch(() => undefined) : undefined;
  if (compressed) return endGzip(exchange, headers, head, compressed);
  const plain = await wholeBody(known, served, result.items, clock);
  if (exchange.gone) return;
  if (!plain) return sendInPieces(exchange, answer, headers, head, gzips, clock);
  if (gzips && plain.length >= gzipFrom) return endGzip(exchange, headers, head, await compressedBody(known, plain));
  const out = exchange.respond(200, { ...headers, 'content-length': String(head.length + plain.length) });
  out.write(head);
  // Ended after the write: see Http2Exchange.end.
  out.write(plain, () => out.end());
}

/** The items and the closing brackets; undefined where they are too many to be held whole. */
async function wholeBody(
  known: Kept,
  served: ServedResource,
  items: readonly CachedObject[],
  clock: Clock,
): Promise<Uint8Array | undefined> {
  // Two turns: what the first found may have been collected meanwhile.
  for (;;) {
    let made: Uint8Array | undefined;
    known.plain ??= joined(served, items, clock).then((bytes) => (made = bytes) && new WeakRef(bytes));
    const reference = await known.plain;
    const bytes = reference?.deref();
    if (bytes || !reference) return bytes ?? made;
    delete known.plain;
  }
}

async function joined(served: ServedResource, items: readonly CachedObject[], clock: Clock): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces(served, items, clock)) {
    size += piece.length;
    if (size > wholeUpTo) return undefined;
    parts.push(piece);
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, size);
}

function compressedBody(known: Kept, plain: Uint8Array): Promise<Compressed> {
  return (known.compressed ??= compress(plain, { level: 1 }).then((bytes) => {
    if (bytes.length > keptUpTo) delete known.compressed;
    return { bytes, crc: crc32(plain), size: plain.length };
  }));
}

/** A stored block for the head, then the compressed items: one deflate stream. RFC 1951, RFC 1952. */
function endGzip(exchange: Exchange, headers: Record<string, string | string[]>, head: Buffer, body: Compressed): void {
  if (exchange.gone) return;
  exchange.end(200, gzipHeaders(headers), Buffer.concat([gzipStart(head), body.bytes, gzipEnd(head, body)]));
}

const gzipHeaders = (headers: Record<string, string | string[]>): Record<string, string | string[]> => ({
  ...headers,
  'content-encoding': 'gzip',
  vary: 'Accept-Encoding',
});

function gzipStart(head: Buffer): Buffer {
  const start = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255, 0, 0, 0, 0, 0]);
  start.writeUInt16LE(head.length, 11);
  start.writeUInt16LE(~head.length & 0xffff, 13);
  return Buffer.concat([start, head]);
}

function gzipEnd(head: Buffer, { crc, size }: Pick<Compressed, 'crc' | 'size'>): Buffer {
  const end = Buffer.allocUnsafe(8);
  end.writeUInt32LE(combineCrc32(crc32(head), crc, size), 0);
  end.writeUInt32LE((head.length + size) % 2 ** 32, 4);
  return end;
}

async function sendInPieces(
  exchange: Exchange,
  { served, result }: ListAnswer,
  headers: Record<string, string | string[]>,
  head: Buffer,
  gzips: boolean,
  clock: Clock,
): Promise<void> {
  const out = exchange.respond(200, gzips ? gzipHeaders(headers) : headers);
  const gone = exchange.signal;
  const deflate = gzips ? createDeflateRaw({ level: 1 }) : undefined;
  try {
    await write(out, gzips ? gzipStart(head) : head, gone);
    const through = deflate && forward(deflate, out, gone);
    // What fails there fails here as well.
    through?.catch(() => undefined);
    let crc = 0;
    let size = 0;
    for await (const piece of pieces(served, result.items, clock)) {
      if (exchange.gone) return;
      if (gzips) {
        crc = crc32(piece, crc);
        size += piece.length;
      }
      await write(deflate ?? out, piece, gone);
    }
    if (deflate) {
      deflate.end();
      await through;
      await write(out, gzipEnd(head, { crc, size }), gone);
    }
    out.end();
  } catch (error) {
    if (!exchange.gone) throw error;
  } finally {
    deflate?.destroy();
  }
}

async function forward(from: AsyncIterable<Uint8Array>, to: Writable, signal: AbortSignal): Promise<void> {
  for await (const chunk of from) await write(to, chunk, signal);
}

/** Resolves when more may be written. */
async function write(out: Writable, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  if (!out.write(bytes)) await once(out, 'drain', { signal });
}

const typedHead = ({ kind }: ServedResource): Buffer =>
  Buffer.from(`{"kind":${JSON.stringify(kind.kind)},"apiVersion":${JSON.stringify(kind.apiVersion)},`);

/** Items of built-in kinds go without kind and apiVersion, as upstream's do: their bytes are copied from behind these fields. */
async function* pieces(served: ServedResource, items: readonly CachedObject[], clock: Clock): AsyncGenerator<Uint8Array> {
  const skipped = served.conform ? undefined : typedHead(served);
  let parts: Uint8Array[] = [];
  let size = 0;
  let since = clock.monotonic();
  const take = (): Uint8Array => {
    const out = Buffer.allocUnsafeSlow(size);
    let at = 0;
    for (const part of parts) {
      out.set(part, at);
      // Behind skipped fields, the byte before the first field that stays becomes the opening brace.
      if (part.length > 1 && part[0] === 0x2c) out[at] = 0x7b;
      at += part.length;
    }
    parts = [];
    size = 0;
    return out;
  };
  for (let index = 0; index < items.length; index++) {
    let bytes = items[index]!.bytes();
    if (skipped && startsWith(bytes, skipped)) bytes = bytes.subarray(skipped.length - 1);
    if (index > 0) {
      parts.push(comma);
      size++;
    }
    parts.push(bytes);
    size += bytes.length;
    if (size < pieceSize) continue;
    yield take();
    if (clock.monotonic() - since < slice) continue;
    await new Promise((resolve) => setImmediate(resolve));
    since = clock.monotonic();
  }
  parts.push(end);
  size += end.length;
  yield take();
}

const comma = Buffer.from(',');
const end = Buffer.from(']}\n');

function startsWith(bytes: Uint8Array, head: Uint8Array): boolean {
  if (bytes.length < head.length) return false;
  for (let index = head.length - 1; index >= 0; index--) if (bytes[index] !== head[index]) return false;
  return true;
}
