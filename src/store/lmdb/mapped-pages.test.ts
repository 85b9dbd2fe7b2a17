/** The store's file is read through a mapping: what was looked at does not stay in the process' memory. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { virtualClock } from '#machinery/clock';
import { lmdbStore } from './mod.ts';

const megabyte = 1024 * 1024;

/** Bytes of a mapped file that count as this process's memory. */
function resident(path: string): number {
  let bytes = 0;
  let own = false;
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    if (/^[0-9a-f]+-/.test(line)) own = line.endsWith(` ${path}`);
    const size = own && /^Rss: +(\d+) kB/.exec(line);
    if (size) bytes += Number(size[1]) * 1024;
  }
  return bytes;
}

test(
  'pages of the file that were looked at are given back, and can be looked at again',
  { skip: existsSync('/proc/self/smaps') ? false : 'nothing says here what is in memory' },
  async () => {
    const path = mkdtempSync(join(tmpdir(), 'coxswain-mapped-'));
    const file = join(path, 'data.mdb');
    const count = 4000;
    const value = (index: number): Uint8Array => Buffer.alloc(2000, `value ${index} `);
    try {
      {
        await using store = await lmdbStore({ path, clock: virtualClock() });
        for (let index = 0; index < count; index++)
          void store.txn({ compare: [], success: [{ type: 'put', key: `k${index}`, value: value(index) }], failure: [] });
        await store.flush();
      }
      const clock = virtualClock();
      await using store = await lmdbStore({ path, clock });
      for (let time = 0; time < 2; time++) {
        for (let index = 0; index < count; index++)
          assert.equal(Buffer.compare(store.read({ key: `k${index}` }).keyValues[0]!.value, value(index)), 0);
        const looked = resident(file);
        assert(looked > 6 * megabyte, `${looked} bytes after all was read`);
        // Twice, for what is read is in memory until then.
        await clock.advance(8000);
        const left = resident(file);
        assert(left < megabyte, `${left} bytes are left of ${looked}`);
      }
    } finally {
      rmSync(path, { recursive: true, force: true });
    }
  },
);
