import { Deployment, DaemonSet, Job, Pod, ReplicaSet, StatefulSet } from '#api';
import type { Kind } from '#api';
import { clientOver } from '#client';
import { kubeconfigTransport } from '#client/kubeconfig';
import { existingCluster } from '#cluster';
import { steps } from '#flow';
import type { FlowRecord } from '#flow';
import { systemClock, sleep } from '#machinery/clock';
import { clusterName, print } from './output.ts';

interface Workload {
  spec?: { selector?: { matchLabels?: Record<string, string> } };
}

const workloads: Record<string, Kind<any>> = {
  deploy: Deployment,
  deployment: Deployment,
  rs: ReplicaSet,
  replicaset: ReplicaSet,
  sts: StatefulSet,
  statefulset: StatefulSet,
  ds: DaemonSet,
  daemonset: DaemonSet,
  job: Job,
};

const seconds = (milliseconds: number): string => (milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(2)} s`);

function describe(record: FlowRecord): string {
  const last = record.steps.at(-1)?.at ?? record.began;
  let text = `pod/${record.name} (${record.namespace})${record.gone ? ', deleted' : ''}: ${record.stuck ? `waits at "${steps.find(({ id }) => id === record.stuck!.step)?.title}"` : `${seconds(last - record.began)} in all`}\n`;
  let before = record.began;
  for (const { id, title, optional } of steps) {
    const step = record.steps.find((candidate) => candidate.id === id);
    if (step) {
      text += `  ✓ ${title.padEnd(20)} ${`+${seconds(Math.max(0, step.at - before))}`.padStart(10)}   ${step.evidence}\n`;
      before = Math.max(before, step.at);
    } else if (record.stuck?.step === id) text += `  … ${title.padEnd(20)} ${''.padStart(10)}   ${record.stuck.why}\n`;
    else if (!optional && !record.gone) text += `    ${title}\n`;
  }
  return text;
}

/** Undefined: all pods of the namespace. */
async function uidsOf(
  target: string | undefined,
  namespace: string,
  client: ReturnType<typeof clientOver>,
): Promise<Set<string> | undefined> {
  if (target === undefined) return undefined;
  const [type, name] = target.includes('/') ? (target.split('/') as [string, string]) : ['pod', target];
  if (type === 'pod' || type === 'po' || type === 'pods')
    return new Set([(await client.get(Pod, { namespace, name })).metadata?.uid ?? '']);
  const kind = workloads[type];
  if (!kind) throw new Error(`Cannot follow ${type}: use pod, ${Object.keys(workloads).join(', ')}`);
  const object = (await client.get(kind, { namespace, name })) as Workload;
  const labelSelector = Object.entries(object.spec?.selector?.matchLabels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const pods = await client.list(Pod, { namespace, labelSelector });
  return new Set(pods.items.map((pod) => pod.metadata?.uid ?? ''));
}

export async function flow(parameters: string[], options: Record<string, string | boolean | undefined>): Promise<void> {
  const name = clusterName(options);
  const { paths, running } = existingCluster(name);
  if (!running) throw new Error(`Cannot show the flow: ${name} is stopped; start it with "coxswain up"`);
  const namespace = String(options['namespace'] ?? 'default');
  const transport = kubeconfigTransport(paths.kubeconfig, { clock: systemClock });
  try {
    const client = clientOver(transport);
    for (;;) {
      const uids = await uidsOf(parameters[0], namespace, client);
      const { records } = (await transport.raw!(`/coxswain/flow?namespace=${encodeURIComponent(namespace)}`)) as { records: FlowRecord[] };
      const shown = records.filter((record) => (uids ? uids.has(record.uid) : !record.gone));
      await print(shown, options['output'], () =>
        shown.length
          ? shown.map(describe).join('\n')
          : `No pods${parameters[0] ? ` of ${parameters[0]}` : ''} in ${namespace} have been seen since the control plane started.\n`,
      );
      if (!options['watch'] || (shown.length > 0 && shown.every(({ stuck }) => !stuck))) return;
      await sleep(systemClock, 1000);
      process.stdout.write('\n');
    }
  } finally {
    await transport.close();
  }
}
