/**
 * Drives one round from where the API is reached: node driver.ts <kubeconfig> <step> <workload> <nodes>, step `nodes` or `round`.
 * A round makes the pods that stand there before, waits until all are bound, makes the measured ones, and prints as JSON how long it took from
 * the first create to the last binding; then it removes them all.
 */
import { Namespace, Node, Pod, PriorityClass, Service, ServiceAccount } from '#api';
import { clientOver } from '#client';
import { kubeconfigTransport } from '#client/kubeconfig';
import type { Client } from '#client';
import { systemClock } from '#machinery/clock';
import { isAlreadyExists, isNotFound } from '#machinery/status';
import { workloads } from './workloads.ts';
import type { Workload } from './workloads.ts';

const [, , kubeconfig, step, workloadName, nodesText] = process.argv;
const workload = workloads.find(({ name }) => name === workloadName)!;
const nodes = Number(nodesText);
const transport = kubeconfigTransport(kubeconfig!, { clock: systemClock });
const client = clientOver(transport);

async function each(count: number, run: (index: number) => Promise<unknown>, clients = 32): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let index = next++; index < count; index = next++) await run(index);
    }),
  );
}

const unless = (allowed: (error: unknown) => boolean) => (error: unknown) => {
  if (!allowed(error)) throw error;
};

async function makeNodes({ node, namespaces }: Workload): Promise<void> {
  for (const name of Object.values(namespaces)) {
    await client.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }).catch(unless(isAlreadyExists));
    await client
      .create(ServiceAccount, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } })
      .catch(unless(isAlreadyExists));
  }
  await client
    .create(PriorityClass, { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'bench-high' }, value: 1000 })
    .catch(unless(isAlreadyExists));
  await client.deleteCollection(Node, {});
  await each(nodes, async (index) => {
    const wanted = node(index);
    await client.create(Node, wanted);
  });
}

/** Bound pods of a namespace, counted by a watch. */
function boundIn(api: Client, namespace: string): { reach(count: number): Promise<number>; stop(): void } {
  const bound = new Set<string>();
  let wanted = Infinity;
  let reached: (at: number) => void = () => undefined;
  const stop = new AbortController();
  const options = {
    namespace,
    sendInitialEvents: true,
    resourceVersionMatch: 'NotOlderThan',
    allowWatchBookmarks: true,
    signal: stop.signal,
  } as const;
  const follow = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        const watch = await api.watch(Pod, options, ({ type, object }) => {
          if (type === 'BOOKMARK' || !object.spec?.nodeName) return;
          bound.add(object.metadata!.uid!);
          if (bound.size >= wanted) reached(performance.now());
        });
        await watch.done;
      } catch (error) {
        if (!stop.signal.aborted && !/too old|Expired|unavailable|lost|closed/i.test(String(error))) throw error;
      }
    }
  };
  follow().catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
  return {
    reach(count) {
      wanted = count;
      return new Promise((resolve) => {
        reached = resolve;
        if (bound.size >= wanted) resolve(performance.now());
      });
    },
    stop: () => stop.abort(),
  };
}

/** Makes what churns, and takes away what was made some steps before. */
function churning({ churn, namespaces }: Workload): () => Promise<void> {
  if (!churn) return async () => undefined;
  const namespace = namespaces.before;
  let index = 0;
  let going = true;
  const recreate = churn.node !== undefined;
  const remove = async (made: NonNullable<Workload['churn']>, at: number): Promise<void> => {
    await Promise.all([
      made.pod &&
        client.delete(Pod, { namespace, name: made.pod(at).metadata!.name! }, { gracePeriodSeconds: 0 }).catch(unless(isNotFound)),
      made.node && client.delete(Node, { name: made.node(at).metadata!.name! }).catch(unless(isNotFound)),
      made.service && client.delete(Service, { namespace, name: `churn-${at}` }).catch(unless(isNotFound)),
    ]);
  };
  const work = (async () => {
    while (going) {
      const at = index++;
      const old = at - 4;
      await Promise.all([
        churn.pod && client.create(Pod, { ...churn.pod(at), metadata: { ...churn.pod(at).metadata, namespace } }),
        churn.node && client.create(Node, churn.node(at)),
        churn.service &&
          client.create(Service, {
            apiVersion: 'v1',
            kind: 'Service',
            metadata: { name: `churn-${at}`, namespace },
            spec: { selector: { app: 'none' }, ports: [{ port: 80 }] },
          }),
        ...(recreate && old >= 0 ? [remove(churn, old)] : []),
      ]);
      await new Promise<void>((resolve) => void setTimeout(resolve, churn.everyMilliseconds));
    }
  })();
  return async () => {
    going = false;
    await work;
    for (let at = recreate ? Math.max(0, index - 4) : 0; at < index; at++) await remove(churn, at);
  };
}

async function round(which: Workload): Promise<void> {
  const { before, measured, namespaces } = which;
  const make = (namespace: string, pod: (index: number) => Pod) => (index: number) => {
    const wanted = pod(index);
    return client.create(Pod, { ...wanted, metadata: { ...wanted.metadata, namespace } });
  };
  if (before) {
    const count = before.count(nodes);
    const watch = boundIn(client, namespaces.before);
    await each(count, make(namespaces.before, before.pod));
    await watch.reach(count);
    watch.stop();
  }
  // Shows that the scheduler works before the measured pods come.
  const first = boundIn(client, 'kube-system');
  await client.create(Pod, { ...workloads[0]!.measured.pod(-1), metadata: { name: 'first', namespace: 'kube-system' } });
  await first.reach(1);
  first.stop();
  await client.delete(Pod, { namespace: 'kube-system', name: 'first' }, { gracePeriodSeconds: 0 });
  const count = measured.count(nodes);
  const watch = boundIn(client, namespaces.measured);
  const stopChurn = churning(which);
  const started = performance.now();
  const reached = watch.reach(count);
  await each(count, make(namespaces.measured, measured.pod));
  const created = performance.now();
  const ended = await reached;
  watch.stop();
  await stopChurn();
  for (const namespace of Object.values(namespaces)) await client.deleteCollection(Pod, { namespace, gracePeriodSeconds: 0 });
  console.log(JSON.stringify({ count, seconds: (ended - started) / 1000, createSeconds: (created - started) / 1000 }));
}

await (step === 'nodes' ? makeNodes(workload) : round(workload));
await transport.close();
process.exit();
