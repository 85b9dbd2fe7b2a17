import { mkdir, chmod } from 'node:fs/promises';
import type { Pod } from '#api';
import { equal } from '#machinery/meta';
import type { Payload } from './atomic-writer.ts';
import { writeAtomically } from './atomic-writer.ts';
import type { MountedVolume, VolumeDependencies } from './contract.ts';
import { setOwnership } from './ownership.ts';
import { specOf } from '../pod-spec.ts';

/** What was written last, by directory: most syncs find nothing to do without touching the disk. */
const written = new Map<string, { payload: Payload; group: number | undefined }>();

function sameFiles(a: Payload, b: Payload): boolean {
  if (a.size !== b.size) return false;
  for (const [name, file] of a) {
    const other = b.get(name);
    if (!other || other.mode !== file.mode || other.user !== file.user || !Buffer.from(other.data).equals(file.data)) return false;
  }
  return true;
}

/** Shows files to containers, read-only and owned as the pod wants. */
export async function project(pod: Pod, directory: string, payload: Payload, deps: VolumeDependencies): Promise<MountedVolume> {
  const mounted: MountedVolume = { path: directory, readOnly: true, update: true };
  if (deps.simulated) return mounted;
  const group = specOf(pod).securityContext?.fsGroup;
  const last = written.get(directory);
  if (last && equal(last.group, group) && sameFiles(last.payload, payload)) return mounted;
  await mkdir(directory, { recursive: true, mode: 0o755 });
  await chmod(directory, 0o777 | 0o1000);
  await writeAtomically(directory, payload, { now: deps.clock.now(), own: (dated) => setOwnership(pod, dated, true) });
  if (!last) await setOwnership(pod, directory, true);
  written.set(directory, { payload, group });
  return mounted;
}

export function forgetProjection(directory: string): void {
  written.delete(directory);
}
