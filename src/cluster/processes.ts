/** The processes of a cluster: their pid files, whether they run, how they are ended. A pid is trusted only with its start time beside it. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { join } from 'node:path';
import type { Clock } from '#machinery/clock';
import type { ClusterPaths } from './paths.ts';

const pidFile = (paths: ClusterPaths, process: string): string => join(paths.run, `${process}.pid`);

/** The kernel's start time of a process (clock ticks since boot), so that a reused pid is not taken for the old process; "" where /proc is missing. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent does not know yet.
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    if (existsSync('/proc/self/stat')) return undefined;
    try {
      process.kill(pid, 0);
      return '';
    } catch {
      return undefined;
    }
  }
}

export function recordProcess(paths: ClusterPaths, name: string, pid: number): void {
  mkdirSync(paths.run, { recursive: true, mode: 0o700 });
  writeFileSync(pidFile(paths, name), `${pid} ${startTime(pid) ?? ''}\n`);
}

/** The pid of a process of the cluster that runs now. */
export function runningProcess(paths: ClusterPaths, name: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(pidFile(paths, name), 'utf8');
  } catch {
    return undefined;
  }
  const [pid, started] = text.trim().split(' ');
  const now = startTime(Number(pid));
  return now !== undefined && now === (started ?? '') ? Number(pid) : undefined;
}

/** Asks a process to stop and waits; after `patience` milliseconds it is killed. */
export async function endProcess(paths: ClusterPaths, name: string, clock: Clock, patience: number): Promise<void> {
  const pid = runningProcess(paths, name);
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM');
    const deadline = clock.monotonic() + patience;
    // A process that is not our child cannot be waited for; /proc says when it is gone.
    while (runningProcess(paths, name) === pid) {
      if (clock.monotonic() > deadline) {
        process.kill(pid, 'SIGKILL');
        break;
      }
      await wait(20);
    }
  }
  rmSync(pidFile(paths, name), { force: true });
}
