/**
 * node driver.ts <kubeconfig> <replicas> <round>: makes one pod, then a Deployment, and takes them away again.
 * Prints as JSON the seconds from create to Ready and from delete to gone of each.
 */
import { Deployment, Pod } from '#api';
import { clientOver } from '#client';
import { kubeconfigTransport } from '#client/kubeconfig';
import { systemClock } from '#machinery/clock';

const [, , kubeconfig, replicasText, round] = process.argv;
const replicas = Number(replicasText);
const transport = kubeconfigTransport(kubeconfig!, { clock: systemClock });
const client = clientOver(transport);

const ready = (pod: Pod): boolean => pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

/** Resolves when the pods with this label are as `wanted` says. */
function pods(app: string, wanted: (all: Pod[]) => boolean): Promise<void> {
  const all = new Map<string, Pod>();
  return new Promise<void>((resolve, reject) => {
    const stop = new AbortController();
    const options = {
      sendInitialEvents: true,
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: true,
      signal: stop.signal,
    } as const;
    client
      .watch(Pod, { namespace: 'default', labelSelector: `app=${app}`, ...options }, ({ type, object }) => {
        const uid = object.metadata?.uid ?? '';
        if (type === 'DELETED') all.delete(uid);
        else if (type !== 'BOOKMARK') all.set(uid, object);
        if (!wanted([...all.values()])) return;
        resolve();
        stop.abort();
      })
      .catch(reject);
  });
}

const container = { name: 'c', image: 'coxswain.internal/busybox:1', command: ['sh', '-c', 'trap exit TERM; sleep 3600 & wait'] };
const since = (started: number): number => (performance.now() - started) / 1000;

async function one(): Promise<{ oneReady: number; oneGone: number }> {
  const app = `one-${round}`;
  let started = performance.now();
  await client.create(Pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: app, namespace: 'default', labels: { app } },
    spec: { terminationGracePeriodSeconds: 1, containers: [container] },
  });
  await pods(app, (all) => all.some(ready));
  const oneReady = since(started);
  started = performance.now();
  await client.delete(Pod, { namespace: 'default', name: app });
  await pods(app, (all) => all.length === 0);
  return { oneReady, oneGone: since(started) };
}

async function many(): Promise<{ manyReady: number; rate: number; manyGone: number }> {
  const app = `many-${round}`;
  let started = performance.now();
  await client.create(Deployment, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app } },
      template: { metadata: { labels: { app } }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } },
    },
  });
  await pods(app, (all) => all.filter(ready).length === replicas);
  const manyReady = since(started);
  started = performance.now();
  await client.delete(Deployment, { namespace: 'default', name: app });
  await pods(app, (all) => all.length === 0);
  return { manyReady, rate: replicas / manyReady, manyGone: since(started) };
}

console.log(JSON.stringify({ ...(await one()), ...(await many()) }));
await transport.close();
process.exit();
