/**
 * A store in a real etcd cluster, over its gRPC API: for several API servers, and for clusters that have one already.
 * Differences from the stores in this process: writes return before watchers have heard of them, nothing is deferred, and leases that
 * others made may have other numbers here than there (lease-ids.ts).
 */
import { systemRandom } from '#machinery/clock';
import type { Clock, Random } from '#machinery/clock';
import type {
  Lease,
  Leases,
  RangeRequest,
  RangeResult,
  Store,
  TxnRequest,
  TxnResult,
  Watch,
  WatchBatch,
  WatchRequest,
} from '../contract.ts';
import * as errors from '../mvcc/errors.ts';
import { Connection } from './connection.ts';
import type { EtcdTls, Stream } from './connection.ts';
import { fromGrpc } from './failures.ts';
import { rangeResultFromWire, rangeToWire, toKey, txnResultFromWire, txnToWire } from './protocol.ts';
import type { Wire } from './protocol.ts';
import { EtcdWatch } from './watch.ts';

export type { EtcdTls } from './connection.ts';

export interface EtcdStoreOptions {
  /** "https://10.0.0.1:2379"; "http://…" speaks without TLS; "unix:///path". */
  endpoints: readonly string[];
  tls?: EtcdTls;
  clock: Clock;
  random?: Random;
  /** Milliseconds that one call may take. Default 10 seconds. */
  callTimeout?: number;
}

/** Does not wait for etcd to answer: the first operation does. */
export async function etcdStore({ endpoints, tls, clock, random = systemRandom, callTimeout = 10_000 }: EtcdStoreOptions): Promise<Store> {
  const connection = await Connection.open({ endpoints, clock, callTimeout, ...(tls && { tls }) });
  return new EtcdStore(connection, clock, random);
}

class EtcdStore implements Store {
  readonly embedded = false;
  readonly leases: Leases;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #watches = new Set<EtcdWatch>();
  #compacted = 0;
  #closed = false;

  constructor(connection: Connection, clock: Clock, random: Random) {
    this.#connection = connection;
    this.#clock = clock;
    this.leases = {
      grant: async (ttl, id = 0) => {
        if (!Number.isSafeInteger(ttl) || ttl <= 0) throw errors.leaseTtlTooSmall();
        // etcd's own choice has 63 bits.
        const chosen = id || Math.floor(random.next() * (2 ** 53 - 1)) + 1;
        const answer = await this.#call('Lease', 'LeaseGrant', { TTL: ttl, ID: chosen }, false);
        return { id: chosen, ttl: answer['TTL'] ?? ttl, remaining: answer['TTL'] ?? ttl };
      },
      revoke: async (id) => void (await this.#call('Lease', 'LeaseRevoke', { ID: id }, false)),
      keepAlive: (id) => this.#keepAlive(id),
      timeToLive: async (id, keys = false) => {
        const answer = await this.#call('Lease', 'LeaseTimeToLive', { ID: id, keys }, true);
        if ((answer['TTL'] ?? 0) < 0) throw errors.leaseNotFound();
        const found: Lease = { id, ttl: answer['grantedTTL'] ?? 0, remaining: answer['TTL'] ?? 0 };
        return keys ? { ...found, keys: ((answer['keys'] ?? []) as Buffer[]).map(toKey).sort() } : found;
      },
      list: async () => {
        const answer = await this.#call('Lease', 'LeaseLeases', {}, true);
        return ((answer['leases'] ?? []) as Wire[]).map((lease) => lease['ID'] as number);
      },
    };
  }

  async revision(): Promise<number> {
    // A read that goes through the cluster's consensus, for its header.
    const answer = await this.#call('KV', 'Range', { key: Buffer.from('\0'), countOnly: true }, true);
    return answer['header']?.revision ?? 0;
  }

  compactRevision(): number {
    return this.#compacted;
  }

  async range(request: RangeRequest): Promise<RangeResult> {
    return rangeResultFromWire(await this.#call('KV', 'Range', rangeToWire(request), true));
  }

  async txn(request: TxnRequest): Promise<TxnResult> {
    return txnResultFromWire(await this.#call('KV', 'Txn', txnToWire(request), false), request);
  }

  watch(request: WatchRequest, sink: (batch: WatchBatch) => void): Watch {
    if (this.#closed) throw errors.closed();
    if (request.key === '') throw errors.emptyKey();
    const watch: EtcdWatch = new EtcdWatch(this.#connection, this.#clock, request, sink, (compactRevision) => {
      this.#watches.delete(watch);
      if (compactRevision) this.#compacted = Math.max(this.#compacted, compactRevision);
    });
    this.#watches.add(watch);
    return watch;
  }

  async compact(revision: number): Promise<void> {
    await this.#call('KV', 'Compact', { revision }, false);
    this.#compacted = Math.max(this.#compacted, revision);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const watch of this.#watches) watch.cancel();
    this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #call(service: string, method: string, request: Wire, idempotent: boolean): Promise<Wire> {
    if (this.#closed) throw errors.closed();
    return this.#connection.call(service, method, request, idempotent);
  }

  #keepAlive(id: number): Promise<Lease> {
    if (this.#closed) return Promise.reject(errors.closed());
    return new Promise((resolve, reject) => {
      const stream: Stream = this.#connection.stream('Lease', 'LeaseKeepAlive');
      stream.on('data', (answer: Wire) => {
        const ttl: number = answer['TTL'] ?? 0;
        if (ttl > 0) resolve({ id, ttl, remaining: ttl });
        else reject(errors.leaseNotFound());
        stream.cancel();
      });
      stream.on('error', (error) => reject(fromGrpc(error)));
      stream.on('end', () => reject(errors.closed()));
      stream.write({ ID: id });
      stream.end();
    });
  }
}
