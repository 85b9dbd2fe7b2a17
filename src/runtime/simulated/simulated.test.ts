import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, virtualClock } from '#machinery/clock';
import { runtimeSuite } from '../testsuite.ts';
import { simulatedRuntime } from './runtime.ts';

runtimeSuite({
  name: 'simulated',
  processes: false,
  async open() {
    const clock = virtualClock(1_700_000_000_000);
    const logs = mkdtempSync(join(tmpdir(), 'coxswain-suite-'));
    let last = 0;
    const runtime = simulatedRuntime({ clock, random: seededRandom(1), allocateAddress: () => `10.0.0.${++last}` });
    const image = 'example.com/image:1';
    await runtime.images.pullImage({ image: { image } });
    return {
      runtime,
      image,
      logs,
      advance: (milliseconds) => clock.advance(milliseconds),
      async close() {
        await runtime.close();
        rmSync(logs, { recursive: true });
      },
    };
  },
});
