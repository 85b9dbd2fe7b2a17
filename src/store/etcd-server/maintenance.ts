/** What is asked about the server itself. upstream: etcd server/etcdserver/api/v3rpc/{maintenance,member}.go. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { keyValueToWire, toBytes } from '../etcd/protocol.ts';
import { grpcCode } from '../etcd/failures.ts';
import { dataOf, etcdDataFile } from '../etcd/data-file.ts';
import type { AlarmType } from './alarms.ts';
import { failureOf, Refusal } from './server.ts';
import type { Facade, Handler, MessageCall } from './server.ts';

/** The etcd whose API this is: clients derive from it what they may use (watch progress requests need 3.4.31). */
export const etcdVersion = { etcdserver: '3.6.6', storage: '3.6.0' };
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

/** Stores that lie on a disk of ours. */
interface Space {
  readonly quota: number;
  size(): { total: number; inUse: number };
  defragment(): Promise<void>;
}

export const spaceOf = (store: object): Space | undefined => ('size' in store && 'defragment' in store ? (store as Space) : undefined);

export const maintenanceMethods: Record<string, Record<string, Handler>> = {
  Maintenance: {
    async Status(facade) {
      const space = spaceOf(facade.store);
      const size = space?.size();
      const own = await header(facade);
      return {
        header: own,
        version: etcdVersion.etcdserver,
        storageVersion: etcdVersion.storage,
        dbSize: size?.total ?? 0,
        dbSizeInUse: size?.inUse ?? 0,
        dbSizeQuota: space && Number.isFinite(space.quota) ? space.quota : 0,
        downgradeInfo: { enabled: false },
        errors: facade.alarms.list().map((type) => `memberID:${facade.memberId} alarm:${type} `),
        leader: facade.memberId,
        raftIndex: own['revision'],
        raftAppliedIndex: own['revision'],
        raftTerm: 1,
      };
    },
    async Alarm(facade, { action = 'GET', alarm = 'NONE' }) {
      const { alarms, memberId } = facade;
      const type = alarm as AlarmType;
      const changed = action === 'ACTIVATE' ? alarms.raise(type) : action === 'DEACTIVATE' && alarms.disarm(type);
      const told = action === 'GET' ? alarms.list(type) : changed ? [type] : [];
      return { header: await header(facade), alarms: told.map((one) => ({ memberID: memberId, alarm: one })) };
    },
    async Defragment(facade) {
      await spaceOf(facade.store)?.defragment();
      return { header: await header(facade) };
    },
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
      const member = { ID: facade.memberId, name: facade.name, clientURLs: [facade.advertise], peerURLs: [facade.advertise] };
      return { header: await header(facade), members: [member] };
    },
    MemberAdd: refuse('add another'),
    MemberRemove: refuse('remove it'),
    MemberUpdate: refuse('change it'),
    MemberPromote: refuse('promote another'),
  },
  Auth: {
    AuthStatus: async (facade) => ({ header: await header(facade), enabled: false, authRevision: 1 }),
    // Where nobody is asked who he is, there are none.
    UserList: async (facade) => ({ header: await header(facade), users: [] }),
    RoleList: async (facade) => ({ header: await header(facade), roles: [] }),
    Authenticate: () => Promise.reject(new Refusal(grpcCode.failedPrecondition, 'etcdserver: authentication is not enabled')),
  },
};

/** Bytes of one message of a snapshot. */
const snapshotPart = 256 * 1024;

/**
 * The state of the moment as a file of etcd's, which `etcdutl snapshot restore` takes; its SHA-256 comes last.
 * upstream: etcd server/etcdserver/api/v3rpc/maintenance.go Snapshot.
 */
export function serveSnapshot(facade: Facade, call: MessageCall): void {
  let open = true;
  call.onClose(() => (open = false));
  call.onMessage(() => {
    send().catch((error: unknown) => call.fail(failureOf(error)));
  });
  const send = async (): Promise<void> => {
    const data = await dataOf(facade.store);
    const parts = etcdDataFile(data);
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    let left = parts.reduce((sum, part) => sum + part.length, 0);
    const own = facade.header(data.revision);
    for (const blob of evenly(parts)) {
      if (!open) return;
      left -= blob.length;
      const message = { header: own, remainingBytes: left, blob, version: etcdVersion.storage };
      await new Promise<void>((resolve) => call.send(message, resolve));
    }
    call.send({ header: own, remainingBytes: 0, blob: hash.digest(), version: etcdVersion.storage });
    call.end();
  };
}

/** The same bytes in parts of about one size. */
function* evenly(parts: readonly Buffer[]): Iterable<Buffer> {
  let group: Buffer[] = [];
  let size = 0;
  for (const part of parts) {
    group.push(part);
    size += part.length;
    if (size < snapshotPart) continue;
    yield Buffer.concat(group);
    group = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(group);
}
