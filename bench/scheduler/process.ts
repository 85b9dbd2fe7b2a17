/** Our scheduler in a process of its own, over HTTP like upstream's: node process.ts <kubeconfig>. Prints "ready" when its caches have synced. */
import { flushCompileCache } from 'node:module';
import { clientOver, httpTransport } from '#client';
import { kubeconfigOptions } from '#client/kubeconfig';
import { systemClock, systemRandom } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { startScheduler } from '../../src/cluster/scheduler.ts';

const stopping = new AbortController();
// As `coxswain kube-scheduler` has it.
const options = { ...kubeconfigOptions(process.argv[2]!, { clock: systemClock, userAgent: 'kube-scheduler' }), withoutManagedFields: true };
const client = clientOver(httpTransport(options));
await startScheduler({ client }, { clock: systemClock, random: systemRandom, log: silentLog, signal: stopping.signal });
// Killed at the end of a round, it would leave nothing compiled to the next.
flushCompileCache();
// The clock's timers keep no process alive; this does, until it is killed.
new MessageChannel().port1.ref();
