/**
 * Files that change all at once: they lie in a dated directory, `..data` points at it, and what users see points through `..data`.
 * Renaming that one link is the change. upstream: pkg/volume/util/atomic_writer.go.
 */
import { chmod, chown, lstat, mkdir, mkdtemp, readFile, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface ProjectedFile {
  data: Uint8Array;
  mode: number;
  /** The file's owner; root otherwise. */
  user?: number | undefined;
}

/** By path relative to the volume, with / between steps. */
export type Payload = ReadonlyMap<string, ProjectedFile>;

const dataLink = '..data';
const pendingLink = '..data_tmp';

/** Throws where a path could leave the volume, or collide with the writer's own names. */
export function checkPath(file: string): void {
  if (file === '') throw new Error('invalid path: must not be empty');
  if (path.isAbsolute(file)) throw new Error(`invalid path: must be relative path: ${file}`);
  if (file.length > 4096) throw new Error('invalid path: must be less than or equal to 4096 characters');
  const steps = file.split('/');
  if (steps.includes('..')) throw new Error(`invalid path: must not contain '..': ${file}`);
  if (steps[0]!.startsWith('..')) throw new Error(`invalid path: must not start with '..': ${file}`);
  for (const step of steps) if (step.length > 255) throw new Error('invalid path: must be less than or equal to 255 characters');
}

async function walk(directory: string, below = ''): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(path.join(directory, below), { withFileTypes: true })) {
    const name = path.join(below, entry.name);
    if (entry.isDirectory()) found.push(...(await walk(directory, name)));
    else found.push(name);
  }
  return found;
}

async function same(current: string, payload: Payload): Promise<boolean> {
  const there = await walk(current).catch(() => undefined);
  if (there?.length !== payload.size) return false;
  for (const [name, { data, mode, user }] of payload) {
    const file = path.join(current, name);
    const stats = await lstat(file).catch(() => undefined);
    // The group's bits may have been widened for an fsGroup.
    if (!stats || (stats.mode & mode) !== mode || (user !== undefined && stats.uid !== user)) return false;
    if (!Buffer.from(data).equals(await readFile(file))) return false;
  }
  return true;
}

const stamp = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(0, 19).replace(/[-:T]/g, '_');

/** Makes `directory` show exactly `payload`. `own` sets owners of the new files before they are seen. Answers whether anything changed. */
export async function writeAtomically(
  directory: string,
  payload: Payload,
  { now, own }: { now: number; own?: (directory: string) => Promise<void> },
): Promise<boolean> {
  for (const file of payload.keys()) checkPath(file);
  const link = path.join(directory, dataLink);
  const former = await readlink(link).catch(() => undefined);
  if (former !== undefined && (await same(path.join(directory, former), payload))) return false;

  const dated = await mkdtemp(path.join(directory, `..${stamp(now)}.`));
  await chmod(dated, 0o755);
  const made = new Set<string>();
  for (const [name, { data, mode, user }] of payload) {
    const file = path.join(dated, name);
    const parent = path.dirname(file);
    if (parent !== dated && !made.has(parent)) {
      await mkdir(parent, { recursive: true, mode: 0o755 });
      made.add(parent);
    }
    await writeFile(file, data, { mode });
    await chmod(file, mode);
    if (user !== undefined) await chown(file, user, -1);
  }
  await own?.(dated);

  const pending = path.join(directory, pendingLink);
  await rm(pending, { force: true });
  await symlink(path.basename(dated), pending);
  await rename(pending, link);

  const wanted = new Set([...payload.keys()].map((name) => name.split('/')[0]!));
  for (const name of wanted) {
    const visible = path.join(directory, name);
    const there = await readlink(visible).catch(() => undefined);
    if (there === undefined) await symlink(path.join(dataLink, name), visible);
  }
  for (const entry of await readdir(directory)) {
    const stale = entry.startsWith('..') ? entry !== dataLink && entry !== path.basename(dated) : !wanted.has(entry);
    if (stale) await rm(path.join(directory, entry), { recursive: true, force: true });
  }
  return true;
}
