import { readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';

/** Milliseconds that a file has to be left alone: writers write in pieces, and pairs one after the other. */
const quiet = 100;

/**
 * Calls `changed` after any of the files has other content. Their folders are watched, not the files: they are replaced, or reached by links
 * that are (as in a mounted Secret). What `changed` throws is logged, and what was in force stays.
 */
export function watchFiles(paths: readonly string[], { clock, log }: { clock: Clock; log: Log }, changed: () => void): Disposable {
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      // Between two versions of itself; there is another event when it is back.
      return '';
    }
  };
  const known = new Map(paths.map((path) => [path, read(path)]));
  let timer: Timer | undefined;
  const look = (): void => {
    let other = false;
    for (const path of paths) {
      const text = read(path);
      if (text === '' || text === known.get(path)) continue;
      known.set(path, text);
      other = true;
    }
    if (!other) return;
    try {
      changed();
      log.info('Configuration read anew', { files: paths.map((path) => basename(path)) });
    } catch (error) {
      log.error('Changed configuration cannot be used, the one before stays in force', { files: [...paths], error });
    }
  };
  const watchers = [...new Set(paths.map((path) => dirname(path)))].map((folder) =>
    watch(folder, { persistent: false }, () => {
      timer?.cancel();
      timer = clock.setTimeout(look, quiet);
    }),
  );
  for (const watcher of watchers)
    watcher.on('error', (error) => log.error('Configuration files can no longer be watched', { files: [...paths], error }));
  return {
    [Symbol.dispose]() {
      timer?.cancel();
      for (const watcher of watchers) watcher.close();
    },
  };
}
