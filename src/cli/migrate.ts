/**
 * `coxswain migrate <from> <to>`: what an upstream cluster has in etcd becomes a Coxswain cluster's store, and returns.
 * A place is "cluster:<name>" (stopped), the URL of an etcd, or a file: an etcd snapshot, or a stopped member's member/snap/db.
 * Keys are upstream's on both sides. Revisions stay what they are, but for an etcd that is written to over its API.
 */
import { existsSync, renameSync } from 'node:fs';
import { resolve } from 'node:path';
import { readProtobuf } from '#apiserver';
import { existingCluster } from '#cluster';
import { systemClock } from '#machinery/clock';
import { encodeProtobuf, protobufType } from '#machinery/codec';
import { parseJson } from '#machinery/json';
import { contentsOf, etcdStore, importStore, lmdbStore, readEtcdData, writeEtcdSnapshot } from '#store';
import type { EtcdTls, Store, StoreContents } from '#store';
import { steps } from './output.ts';
import { crdInV1, isStoredCrd } from './stored-crd.ts';

type Form = 'json' | 'protobuf' | 'keep';

export async function migrate([from, to, ...rest]: string[], options: Record<string, unknown>): Promise<void> {
  if (from === undefined || to === undefined || rest.length > 0)
    throw new Error('Cannot tell what to do: say from where and to where, each cluster:<name>, an etcd URL or a file');
  const form = (options['values'] ?? (to.startsWith('cluster:') ? 'json' : 'protobuf')) as Form;
  if (!['json', 'protobuf', 'keep'].includes(form)) throw new Error(`Cannot use --values ${form}: it must be json, protobuf or keep`);
  const tls = tlsOf(options);
  const contents = await read(from, tls);
  const counts = { converted: 0, kept: 0 };
  const keyValues = contents.keyValues.map((keyValue) => {
    const value = converted(keyValue.value, form);
    counts[value === keyValue.value ? 'kept' : 'converted']++;
    return { ...keyValue, value };
  });
  await write(to, { ...contents, keyValues }, tls);
  steps.done(
    `${to} has the ${keyValues.length} keys of ${from}: ${counts.converted} values written as ${form}, ${counts.kept} as they were`,
  );
}

async function read(from: string, tls: EtcdTls | undefined): Promise<StoreContents> {
  if (isUrl(from)) return using(await etcdStore({ endpoints: [from], clock: systemClock, ...(tls && { tls }) }), contentsOf);
  if (from.startsWith('cluster:')) {
    const { paths } = stopped(from);
    if (!existsSync(paths.store)) throw new Error(`Cannot read ${from}: it was never started`);
    return using(await lmdbStore({ path: paths.store, clock: systemClock }), contentsOf);
  }
  const path = resolve(from);
  if (!existsSync(path)) throw new Error(`Cannot read ${path}: there is no such file`);
  return readEtcdData(path);
}

async function write(to: string, contents: StoreContents, tls: EtcdTls | undefined): Promise<void> {
  if (isUrl(to))
    return using(await etcdStore({ endpoints: [to], clock: systemClock, ...(tls && { tls }) }), (store) => fill(store, to, contents));
  if (to.startsWith('cluster:')) {
    const { paths } = stopped(to);
    const replaced = `${paths.store}-replaced`;
    if (existsSync(replaced)) throw new Error(`Cannot write ${to}: ${replaced}, of an earlier time, is in the way`);
    const present = existsSync(paths.store);
    if (present) renameSync(paths.store, replaced);
    try {
      await importStore(paths.store, contents);
    } catch (error) {
      if (present) renameSync(replaced, paths.store);
      throw error;
    }
    if (present) steps.note(`What it had before lies in ${replaced}: remove it when it is not needed`);
    return;
  }
  const path = resolve(to);
  if (existsSync(path)) throw new Error(`Cannot write ${path}: it exists`);
  await writeEtcdSnapshot(path, contents);
}

/** Puts everything into an etcd that has nothing. */
async function fill(store: Store, name: string, { keyValues, leases }: StoreContents): Promise<void> {
  const { count } = await store.range({ key: '/registry/', end: '/registry0', countOnly: true });
  if (count > 0) throw new Error(`Cannot write to ${name}: it has ${count} keys under /registry/ already`);
  for (const { id, ttl } of leases) await store.leases.grant(ttl, id);
  const most = { operations: 100, bytes: 512 * 1024 };
  let success: Parameters<Store['txn']>[0]['success'] = [];
  let bytes = 0;
  const send = async (): Promise<void> => {
    if (success.length > 0) await store.txn({ compare: [], success, failure: [] });
    success = [];
    bytes = 0;
  };
  for (const { key, value, lease } of keyValues) {
    if (success.length === most.operations || bytes + value.length > most.bytes) await send();
    success.push({ type: 'put', key, value, ...(lease !== 0 && { lease }) });
    bytes += key.length + value.length;
  }
  await send();
}

const isUrl = (place: string): boolean => /^(https?|unix):\/\//.test(place);

function stopped(place: string): ReturnType<typeof existingCluster> {
  const found = existingCluster(place.slice('cluster:'.length));
  const { name } = found.config;
  if (found.running) throw new Error(`Cannot migrate cluster ${name}: it is running; stop it with "coxswain down --name ${name}" first`);
  return found;
}

async function using<T>(store: Store, run: (store: Store) => Promise<T>): Promise<T> {
  try {
    return await run(store);
  } finally {
    await store.close();
  }
}

function tlsOf(options: Record<string, unknown>): EtcdTls | undefined {
  const { cacert, cert, key } = options as Record<string, string | undefined>;
  if (cacert === undefined && cert === undefined && key === undefined) return undefined;
  return { ...(cacert && { ca: cacert }), ...(cert && { certificate: cert }), ...(key && { key }) };
}

const envelope = Buffer.from('k8s\0');

/** The value in the wanted form; as it is where it has none: custom resources, what is encrypted, what is no object. */
function converted(value: Uint8Array, form: Form): Uint8Array {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const isProtobuf = bytes.subarray(0, 4).equals(envelope);
  try {
    if (form === 'json' && isProtobuf) return Buffer.from(JSON.stringify(readProtobuf(bytes)));
    if (form === 'json' && bytes[0] === '{'.charCodeAt(0)) {
      const object = parseJson(bytes.toString()) as Record<string, unknown>;
      if (isStoredCrd(object)) return Buffer.from(JSON.stringify(crdInV1(object)));
    }
    if (form === 'protobuf' && bytes[0] === '{'.charCodeAt(0)) {
      const object = parseJson(bytes.toString()) as { apiVersion?: string; kind?: string };
      if (protobufType(object.apiVersion ?? '', object.kind ?? '') !== undefined) return encodeProtobuf(object);
    }
  } catch (error) {
    // Not an object of a kind that is known.
    if (!(error instanceof RangeError) && !(error instanceof SyntaxError)) throw error;
  }
  return value;
}
