/** A client of etcd's API with as little around it as there can be: the servers are measured, not the client. */
import { connect } from 'node:http2';
import type { ClientHttp2Stream } from 'node:http2';
import { codec } from '../../src/store/etcd/protocol.ts';

export interface StoreClient {
  put(key: string, value: Uint8Array): Promise<unknown>;
  /** In one transaction. */
  putAll(entries: { key: string; value: Uint8Array }[]): Promise<unknown>;
  get(key: string): Promise<unknown>;
  list(key: string, end: string): Promise<unknown>;
  /** Resolves when all watches are there; `deliver` is told how many events came. Answers how to end them. */
  watch(prefixes: string[], deliver: (events: number) => void): Promise<() => void>;
  close(): void;
}

export async function grpcClient(port: number): Promise<StoreClient> {
  const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 16 * 1024 * 1024 } });
  await new Promise<void>((resolve, reject) => {
    session.once('connect', () => resolve());
    session.once('error', reject);
  });
  session.setLocalWindowSize(64 * 1024 * 1024);
  session.on('error', () => undefined);
  const open = (path: string): ClientHttp2Stream =>
    session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
  const framed = (message: string, request: object): Buffer => {
    const body = codec.encode(message, request);
    const bytes = Buffer.alloc(5 + body.length);
    bytes.writeUInt32BE(body.length, 1);
    bytes.set(body, 5);
    return bytes;
  };
  const call = (method: string, message: string, request: object): Promise<void> =>
    new Promise((resolve, reject) => {
      const stream = open(`/etcdserverpb.KV/${method}`);
      stream.on('trailers', (headers) => {
        if (headers['grpc-status'] !== '0') reject(new Error(String(headers['grpc-message'])));
      });
      stream.on('response', (headers) => {
        if (headers['grpc-status'] !== undefined) reject(new Error(String(headers['grpc-message'])));
      });
      stream.on('error', reject);
      stream.on('end', resolve);
      stream.resume();
      stream.end(framed(message, request));
    });
  const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
  return {
    put: (key, value) => call('Put', 'PutRequest', { key: bytes(key), value }),
    putAll: (entries) =>
      call('Txn', 'TxnRequest', { success: entries.map(({ key, value }) => ({ requestPut: { key: bytes(key), value } })) }),
    get: (key) => call('Range', 'RangeRequest', { key: bytes(key) }),
    list: (key, end) => call('Range', 'RangeRequest', { key: bytes(key), rangeEnd: bytes(end) }),
    async watch(prefixes, deliver) {
      const stream = open('/etcdserverpb.Watch/Watch');
      stream.on('error', () => undefined);
      let created = 0;
      const { promise, resolve } = Promise.withResolvers<void>();
      let rest: Buffer = Buffer.alloc(0);
      stream.on('data', (chunk: Buffer) => {
        rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
        while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
          const end = 5 + rest.readUInt32BE(1);
          const answer = codec.decode('WatchResponse', rest.subarray(5, end));
          if (answer['created'] && ++created === prefixes.length) resolve();
          const events = (answer['events'] as unknown[] | undefined)?.length ?? 0;
          if (events > 0) deliver(events);
          rest = rest.subarray(end);
        }
      });
      for (const prefix of prefixes)
        stream.write(framed('WatchRequest', { createRequest: { key: bytes(prefix), rangeEnd: bytes(`${prefix.slice(0, -1)}0`) } }));
      await promise;
      return () => stream.close();
    },
    close: () => session.destroy(),
  };
}
