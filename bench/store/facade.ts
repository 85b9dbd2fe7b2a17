/** Our own etcd for bench/store.ts, in a process of its own: node bench/store/facade.ts <directory> <address>. */
import { systemClock } from '../../src/machinery/clock/mod.ts';
import { etcdServer, lmdbStore } from '../../src/store/mod.ts';

const [path, address] = process.argv.slice(2) as [string, string];
const begin = performance.now();
const store = await lmdbStore({ path, clock: systemClock });
const server = await etcdServer({ store, clock: systemClock, address, tls: 'insecure' });
console.log(`ready ${server.port} ${(performance.now() - begin).toFixed(0)}`);
process.once('SIGTERM', () => void server.close().then(() => store.close()));
