import { virtualClock } from '#machinery/clock';
import { storeSuite } from '../testsuite.ts';
import { memoryStore } from './mod.ts';

storeSuite({
  name: 'memory',
  async open() {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    return { store, prefix: '/t/', advance: (milliseconds) => clock.advance(milliseconds), close: () => store.close() };
  },
  runs: 150,
  shortestLease: 1,
});
