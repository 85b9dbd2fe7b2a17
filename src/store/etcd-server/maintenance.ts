/** What is asked about the server itself. upstream: etcd server/etcdserver/api/v3rpc/{maintenance,member}.go. */
import { crc32 } from 'node:zlib';
import { keyValueToWire, toBytes } from '../etcd/protocol.ts';
import { grpcCode } from '../etcd/failures.ts';
import { Refusal } from './server.ts';
import type { Facade, Handler, MessageCall } from './server.ts';

/** The etcd whose API this is: clients derive from it what they may use (watch progress requests need 3.4.31). */
const version = '3.6.6';
const everything = { key: '\0', end: '\0' };

const header = async (facade: Facade) => facade.header(await facade.store.revision());
const refuse =
  (what: string): Handler =>
  () =>
    Promise.reject(new Refusal(grpcCode.unimplemented, `coxswain: this store has one member, it cannot ${what}`));

async function hash(facade: Facade, revision: number): Promise<{ hash: number; revision: number }> {
  const result = await facade.store.range({ ...everything, revision });
  let sum = 0;
  for (const keyValue of result.keyValues) {
    const { createRevision, modRevision, version: count, lease } = keyValueToWire(keyValue);
    sum = crc32(toBytes(`${keyValue.key}\0${createRevision} ${modRevision} ${count} ${lease}\0`), sum);
    sum = crc32(keyValue.value, sum);
  }
  return { hash: sum, revision: revision || result.revision };
}

const sized = (store: object): { total: number; inUse: number } | undefined =>
  'size' in store && typeof store.size === 'function' ? (store.size() as { total: number; inUse: number }) : undefined;

export const maintenanceMethods: Record<string, Record<string, Handler>> = {
  Maintenance: {
    async Status(facade) {
      const size = sized(facade.store);
      const own = await header(facade);
      return {
        header: own,
        version,
        storageVersion: '3.6.0',
        dbSize: size?.total ?? 0,
        dbSizeInUse: size?.inUse ?? 0,
        leader: facade.memberId,
        raftIndex: own['revision'],
        raftAppliedIndex: own['revision'],
        raftTerm: 1,
      };
    },
    Alarm: async (facade) => ({ header: await header(facade), alarms: [] }),
    // Space is used again as it becomes free; there is nothing to put together.
    Defragment: async (facade) => ({ header: await header(facade) }),
    async Hash(facade) {
      const found = await hash(facade, 0);
      return { header: facade.header(found.revision), hash: found.hash };
    },
    async HashKV(facade, { revision = 0 }) {
      const found = await hash(facade, revision);
      return {
        header: await header(facade),
        hash: found.hash,
        compactRevision: facade.store.compactRevision(),
        hashRevision: found.revision,
      };
    },
    MoveLeader: refuse('move its leader'),
    Downgrade: refuse('be downgraded'),
  },
  Cluster: {
    async MemberList(facade) {
      const member = { ID: facade.memberId, name: 'coxswain', clientURLs: [facade.advertise], peerURLs: [facade.advertise] };
      return { header: await header(facade), members: [member] };
    },
    MemberAdd: refuse('add another'),
    MemberRemove: refuse('remove it'),
    MemberUpdate: refuse('change it'),
    MemberPromote: refuse('promote another'),
  },
  Auth: {
    AuthStatus: async (facade) => ({ header: await header(facade), enabled: false, authRevision: 1 }),
    Authenticate: () => Promise.reject(new Refusal(grpcCode.failedPrecondition, 'etcdserver: authentication is not enabled')),
  },
};

/** A snapshot in etcd's own format. upstream: etcd server/etcdserver/api/v3rpc/maintenance.go Snapshot. */
export function serveSnapshot(_facade: Facade, call: MessageCall): void {
  call.fail({ code: grpcCode.unimplemented, details: 'coxswain: use "coxswain snapshot save"' });
}
