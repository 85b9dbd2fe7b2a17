/**
 * Watches over HTTP: a line an event, all events of one turn of the loop in one write. A client that does not read is cut.
 * upstream: apiserver/pkg/endpoints/handlers/watch.go.
 */
import type { Clock } from '#machinery/clock';
import { encodeProtobuf, encodeWatchEvent } from '#machinery/codec';
import type { KubeObject } from '#machinery/meta';
import type { CachedObject } from '../contract.ts';
import type { Ticket } from '../filters/admittance.ts';
import type { Answer } from '../handlers/contract.ts';
import type { Exchange, Outgoing } from '../proxy/contract.ts';
import type { WatchItem } from '../registry/generic/watching.ts';
import { protobufOf } from './encode.ts';
import type { Accepted } from './negotiation.ts';
import { partial } from './shapes.ts';

/** Bytes that may wait for a client before it is cut. */
const maxBacklog = 16 * 1024 * 1024;

export interface WatchWriter {
  /** The events of one batch as the bytes of one write. */
  encode(items: readonly WatchItem[]): Uint8Array;
  mediaType: string;
}

const lineEnd = Buffer.from('}\n');
const heads = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
  BOOKMARK: Buffer.from('{"type":"BOOKMARK","object":'),
  ERROR: Buffer.from('{"type":"ERROR","object":'),
} as const;

/** Many watchers are given the same items in the same array: the bytes are made once. */
const shared = new WeakMap<readonly WatchItem[], Uint8Array>();

export const jsonWriter: WatchWriter = {
  mediaType: 'application/json',
  encode(items) {
    let bytes = shared.get(items);
    if (!bytes) shared.set(items, (bytes = lines(items, (cached) => cached.bytes())));
    return bytes;
  },
};

function lines(items: readonly WatchItem[], bytesOf: (cached: CachedObject) => Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const item of items) {
    const body =
      item.type === 'ERROR'
        ? Buffer.from(JSON.stringify(item.status))
        : item.type === 'BOOKMARK'
          ? Buffer.from(JSON.stringify(item.object))
          : bytesOf(item.cached);
    pieces.push(heads[item.type], body, lineEnd);
  }
  return Buffer.concat(pieces);
}

const sharedProtobuf = new WeakMap<readonly WatchItem[], Uint8Array>();

export const protobufWriter: WatchWriter = {
  mediaType: 'application/vnd.kubernetes.protobuf;stream=watch',
  encode(items) {
    let bytes = sharedProtobuf.get(items);
    if (!bytes) {
      bytes = Buffer.concat(
        items.map((item) =>
          encodeWatchEvent(
            item.type,
            item.type === 'ERROR'
              ? encodeProtobuf(item.status)
              : item.type === 'BOOKMARK'
                ? encodeProtobuf(item.object)
                : protobufOf(item.cached),
          ),
        ),
      );
      sharedProtobuf.set(items, bytes);
    }
    return bytes;
  },
};

/** For other shapes: each object through `shape`. */
function shapedWriter(mediaType: string, shape: (object: KubeObject, item: WatchItem) => unknown): WatchWriter {
  return {
    mediaType,
    encode(items) {
      const texts = items.map((item) => {
        const object = item.type === 'ERROR' ? item.status : shape(item.type === 'BOOKMARK' ? item.object : item.cached.object, item);
        return `${JSON.stringify({ type: item.type, object })}\n`;
      });
      return Buffer.from(texts.join(''));
    },
  };
}

/** Metadata alone as protobuf: what informers of metadata ask for. */
const partialProtobufWriter = (version: string): WatchWriter => ({
  mediaType: protobufWriter.mediaType,
  encode: (items) =>
    Buffer.concat(
      items.map((item) =>
        encodeWatchEvent(
          item.type,
          encodeProtobuf(
            item.type === 'ERROR' ? item.status : partial(item.type === 'BOOKMARK' ? item.object : item.cached.object, version),
          ),
        ),
      ),
    ),
});

export async function watchWriter(
  answer: Answer & { type: 'watch' },
  accepted: Accepted,
  context: { now(): number; includeObject: string },
): Promise<WatchWriter> {
  const { as } = accepted;
  if (as?.kind === 'Table') {
    const { tableOf } = await import('../table/table.ts');
    let first = true;
    return shapedWriter('application/json', (object) => {
      const table = tableOf(answer.served, [object], {
        now: context.now(),
        includeObject: context.includeObject,
        version: as.version,
        metadata: { resourceVersion: object.metadata?.resourceVersion ?? '' },
        noHeaders: !first,
      });
      first = false;
      return table;
    });
  }
  if (as && accepted.format === 'protobuf') return partialProtobufWriter(as.version);
  if (as) return shapedWriter('application/json', (object) => partial(object, as.version));
  return accepted.format === 'protobuf' ? protobufWriter : jsonWriter;
}

/** Serves a watch until it ends: the client goes, the time is up, the server stops. */
export async function serveWatch(
  exchange: Exchange,
  answer: Answer & { type: 'watch' },
  writer: WatchWriter,
  headers: Record<string, string | string[]>,
  clock: Clock,
  stopping: AbortSignal,
  ticket?: Ticket,
): Promise<void> {
  const { promise: finished, resolve } = Promise.withResolvers<void>();
  // A watch that cannot start throws here, and is answered as any failure.
  let out: Outgoing | undefined;
  // What existed at the start may be much: only what comes after it counts.
  let allowance: number | undefined;
  const running = await answer.open(
    (items) => {
      if (!out || out.closed) return false;
      if (out.backlog > maxBacklog + (allowance ?? 0)) {
        exchange.abort(new Error('the watcher does not keep up'));
        return false;
      }
      const bytes = writer.encode(items);
      allowance ??= bytes.length;
      out.write(bytes);
      return true;
    },
    () => resolve(),
    true,
  );
  out = exchange.open(200, { ...headers, 'content-type': writer.mediaType, 'transfer-encoding': 'chunked' });
  ticket?.opened();
  const timer = clock.setTimeout(resolve, answer.timeout);
  const stop = (): void => resolve();
  exchange.signal.addEventListener('abort', stop, { once: true });
  stopping.addEventListener('abort', stop, { once: true });
  if (exchange.signal.aborted || stopping.aborted) resolve();
  await finished;
  timer.cancel();
  exchange.signal.removeEventListener('abort', stop);
  stopping.removeEventListener('abort', stop);
  running.stop();
  out.end();
}
