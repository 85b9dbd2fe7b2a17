/** Our scheduler in a process of its own, over HTTP like upstream's: node process.ts <kubeconfig>. Prints "ready" when its caches have synced. */
import { clientOver, kubeconfigTransport } from '#client';
import { systemClock, systemRandom } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { startScheduler } from '../../src/cluster/scheduler.ts';

const stopping = new AbortController();
const client = clientOver(kubeconfigTransport(process.argv[2]!, { clock: systemClock, userAgent: 'kube-scheduler' }));
await startScheduler({ client }, { clock: systemClock, random: systemRandom, log: silentLog, signal: stopping.signal });
// The clock's timers keep no process alive; this does, until it is killed.
new MessageChannel().port1.ref();
