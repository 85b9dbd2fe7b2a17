import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { virtualClock } from '#machinery/clock';
import { storeSuite } from '../testsuite.ts';
import { lmdbStore } from './mod.ts';

storeSuite({
  name: 'lmdb',
  async open() {
    const path = mkdtempSync(join(tmpdir(), 'coxswain-store-'));
    const clock = virtualClock();
    const store = await lmdbStore({ path, clock });
    const close = async (): Promise<void> => {
      await store.close();
      rmSync(path, { recursive: true, force: true });
    };
    // Writes end in another thread: a moment of real time for them.
    const advance = async (milliseconds: number): Promise<void> => {
      await clock.advance(milliseconds);
      await store.flush();
    };
    return { store, prefix: '/t/', advance, close };
  },
  runs: 20,
  shortestLease: 1,
});
