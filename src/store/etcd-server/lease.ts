/** upstream: etcd server/etcdserver/api/v3rpc/lease.go. */
import { StoreError } from '../contract.ts';
import { toBytes } from '../etcd/protocol.ts';
import type { Wire } from '../etcd/protocol.ts';
import { failureOf } from './server.ts';
import type { Facade, Handler, MessageCall } from './server.ts';

const header = async (facade: Facade): Promise<Wire> => facade.header(await facade.store.revision());
const gone = (error: unknown): boolean => error instanceof StoreError && error.code === 'lease-not-found';

/** Seconds that a lease has at least, whatever is asked for. upstream: one and a half election timeouts, which are a second by default. */
const leastTtl = 2;

export const leaseMethods: Record<string, Handler> = {
  async LeaseGrant(facade, { TTL = 0, ID = 0 }) {
    const { id, ttl } = await facade.alarms.watched(true, () => facade.store.leases.grant(Math.max(TTL, leastTtl), ID));
    return { header: await header(facade), ID: id, TTL: ttl };
  },
  async LeaseRevoke(facade, { ID = 0 }) {
    await facade.store.leases.revoke(ID);
    return { header: await header(facade) };
  },
  async LeaseTimeToLive(facade, { ID = 0, keys = false }) {
    try {
      const lease = await facade.store.leases.timeToLive(ID, keys);
      return {
        header: await header(facade),
        ID,
        TTL: lease.remaining,
        grantedTTL: lease.ttl,
        keys: (lease.keys ?? []).map(toBytes),
      };
    } catch (error) {
      // A lease that is gone is an answer here, not a failure.
      if (gone(error)) return { header: await header(facade), ID, TTL: -1 };
      throw error;
    }
  },
  async LeaseLeases(facade) {
    const ids = await facade.store.leases.list();
    return { header: await header(facade), leases: ids.map((ID) => ({ ID })) };
  },
};

export function serveKeepAlive(facade: Facade, call: MessageCall): void {
  let last: Promise<unknown> = Promise.resolve();
  const answer = async (ID: number): Promise<void> => {
    let ttl = 0;
    try {
      ({ ttl } = await facade.store.leases.keepAlive(ID));
    } catch (error) {
      if (!gone(error)) throw error;
    }
    call.send({ header: await header(facade), ID, TTL: ttl });
  };
  call.onMessage(({ ID = 0 }) => {
    last = last.then(() => answer(ID)).catch((error: unknown) => call.fail(failureOf(error)));
  });
  call.onEnd(() => void last.then(() => call.end()));
}
