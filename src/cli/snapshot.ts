/** `coxswain snapshot save|restore|status`: a cluster's store in one file. upstream: etcdctl snapshot, etcdutl snapshot. */
import { existsSync, renameSync } from 'node:fs';
import { resolve } from 'node:path';
import { existingCluster } from '#cluster';
import { isEtcdData, restoreSnapshot, saveSnapshot, snapshotStatus } from '#store';
import { clusterName, print, steps, table } from './output.ts';

export async function snapshot([action, given, ...rest]: string[], options: Record<string, unknown>): Promise<void> {
  if (given === undefined || rest.length > 0) throw new Error('Cannot tell what to do: say snapshot save, restore or status, and one file');
  const file = resolve(given);
  if (action === 'save') {
    const { paths, config } = existingCluster(clusterName(options));
    const { revision, keys } = await saveSnapshot(paths.store, file);
    return steps.done(`${file} holds cluster ${config.name} as of revision ${revision}: ${keys} keys, verified`);
  }
  if (['status', 'restore'].includes(action!) && existsSync(file) && (await isEtcdData(file)))
    throw new Error(`Cannot read snapshot ${file}: it is etcd's; "coxswain migrate ${given} cluster:<name>" makes a cluster's store of it`);
  if (action === 'status') {
    const summary = await snapshotStatus(file);
    const text = (): string =>
      table(
        ['REVISION', 'KEYS', 'RECORDS', 'SIZE', 'CHECKSUM'],
        [[summary.revision, summary.keys, summary.records, summary.size, summary.checksum.toString(16).padStart(8, '0')].map(String)],
      );
    return print(summary, options['output'] as string | undefined, text);
  }
  if (action !== 'restore') throw new Error(`Cannot ${action} a snapshot: there are save, restore and status`);
  const { paths, config, running } = existingCluster(clusterName(options));
  if (running)
    throw new Error(`Cannot restore cluster ${config.name}: it is running; stop it with "coxswain down --name ${config.name}" first`);
  await snapshotStatus(file);
  const replaced = `${paths.store}-replaced`;
  if (existsSync(replaced)) throw new Error(`Cannot restore cluster ${config.name}: ${replaced}, of an earlier restore, is in the way`);
  const present = existsSync(paths.store);
  if (present) renameSync(paths.store, replaced);
  try {
    const { revision, keys } = await restoreSnapshot(file, paths.store);
    steps.done(`Cluster ${config.name} is as ${file} has it: ${keys} keys, revision ${revision}; "coxswain up" starts it`);
    if (present) steps.note(`What it had before lies in ${replaced}: remove it when it is not needed`);
  } catch (error) {
    if (present) renameSync(replaced, paths.store);
    throw error;
  }
}
