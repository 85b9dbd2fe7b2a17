import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The kernel's mounts, as far as volumes need them. */
export interface Mounter {
  tmpfs(target: string, options?: { sizeBytes?: number }): Promise<void>;
  hugetlbfs(target: string, pageSize: string | undefined): Promise<void>;
  bind(source: string, target: string): Promise<void>;
  unmount(target: string): Promise<void>;
  /** Every mount point at or below a directory, deepest first. */
  below(directory: string): Promise<string[]>;
}

const unescape = (text: string): string => text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));

async function mount(args: string[]): Promise<void> {
  try {
    await run('mount', args);
  } catch (error) {
    const text = ((error as { stderr?: string }).stderr ?? (error as Error).message).trim();
    throw new Error(`mount failed: mount ${args.join(' ')}: ${text}`, { cause: error });
  }
}

/** Node has no mount call, so the tools of the machine make it. */
export function systemMounter(): Mounter {
  return {
    tmpfs: (target, options = {}) =>
      mount(['-t', 'tmpfs', ...(options.sizeBytes ? ['-o', `size=${options.sizeBytes}`] : []), 'tmpfs', target]),
    hugetlbfs: (target, pageSize) => mount(['-t', 'hugetlbfs', ...(pageSize ? ['-o', `pagesize=${pageSize}`] : []), 'nodev', target]),
    bind: (source, target) => mount(['--no-canonicalize', '-o', 'bind', source, target]),
    async unmount(target) {
      try {
        await run('umount', ['--no-canonicalize', target]);
      } catch (error) {
        const text = (error as { stderr?: string }).stderr ?? '';
        if (/not mounted|no mount point|not found|No such file/i.test(text)) return;
        // What still holds the mount open loses it when it closes.
        await run('umount', ['--no-canonicalize', '--lazy', target]);
      }
    },
    async below(directory) {
      const table = await readFile('/proc/self/mountinfo', 'utf8');
      const points = table.split('\n').flatMap((line) => {
        const point = line.split(' ')[4];
        return point === undefined ? [] : [unescape(point)];
      });
      return points.filter((point) => point === directory || point.startsWith(`${directory}/`)).toSorted((a, b) => b.length - a.length);
    },
  };
}

/** For nodes without a machine. */
export const noMounter: Mounter = {
  tmpfs: () => Promise.resolve(),
  hugetlbfs: () => Promise.resolve(),
  bind: () => Promise.resolve(),
  unmount: () => Promise.resolve(),
  below: () => Promise.resolve([]),
};
