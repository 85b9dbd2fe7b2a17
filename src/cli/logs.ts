import { createReadStream, existsSync, readFileSync, readdirSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { existingCluster } from '#cluster';
import { clusterName } from './output.ts';

export async function logs(parameters: string[], options: Record<string, unknown>): Promise<void> {
  const { paths } = existingCluster(clusterName(options));
  const there = existsSync(paths.logs)
    ? readdirSync(paths.logs)
        .filter((file) => file.endsWith('.log'))
        .sort()
    : [];
  const wanted = parameters[0] === undefined ? there : there.filter((file) => file === `${parameters[0]}.log`);
  if (wanted.length === 0)
    throw new Error(
      parameters[0] === undefined
        ? 'Cannot show logs: there are none yet'
        : `Cannot show logs of ${parameters[0]}: there are logs of ${there.map((file) => file.slice(0, -4)).join(', ') || 'nothing yet'}`,
    );
  const tail = options['tail'] === undefined ? Infinity : Number(options['tail']);
  if (Number.isNaN(tail) || tail < 0) throw new Error(`Cannot use --tail ${String(options['tail'])}: it must be a whole number`);
  for (const file of wanted) {
    const path = join(paths.logs, file);
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    if (lines.length > 1 || lines[0] !== '')
      process.stdout.write(`${lines.slice(tail === 0 ? lines.length : -Math.min(tail, lines.length)).join('\n')}\n`);
  }
  if (!options['follow']) return;
  await new Promise<void>((resolve) => {
    const watchers = wanted.map((file) => {
      const path = join(paths.logs, file);
      let at = statSync(path).size;
      return watch(path, () => {
        const { size } = statSync(path);
        if (size <= at) {
          at = size;
          return;
        }
        createReadStream(path, { start: at, end: size - 1 }).pipe(process.stdout, { end: false });
        at = size;
      });
    });
    process.once('SIGINT', () => {
      for (const watcher of watchers) watcher.close();
      resolve();
    });
  });
}
