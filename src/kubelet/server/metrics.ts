/** The kubelet's metrics, with upstream's names: its own under /metrics, containers' under /metrics/resource and /metrics/cadvisor. */
import type { KubeletApi } from '../contract.ts';

interface Usage {
  time?: string;
  usageCoreNanoSeconds?: number;
  workingSetBytes?: number;
}
interface Summary {
  node?: { cpu?: Usage; memory?: Usage };
  pods?: {
    podRef: { name: string; namespace: string };
    containers?: { name: string; startTime?: string; cpu?: Usage; memory?: Usage }[];
  }[];
}

const line = (name: string, labels: Record<string, string>, value: number): string => {
  const text = Object.entries(labels)
    .map(([key, label]) => `${key}=${JSON.stringify(label)}`)
    .join(',');
  return `${name}${text ? `{${text}}` : ''} ${value}\n`;
};

export async function metricsText(api: KubeletApi, family: string): Promise<string> {
  const summary = (await api.statsSummary()) as Summary;
  if (family === 'resource' || family === 'cadvisor') {
    const prefix =
      family === 'cadvisor'
        ? ['container_cpu_usage_seconds_total', 'container_memory_working_set_bytes']
        : ['container_cpu_usage_seconds_total', 'container_memory_working_set_bytes'];
    let text = `# TYPE ${prefix[0]} counter\n`;
    const each = (make: (labels: Record<string, string>, container: { cpu?: Usage; memory?: Usage }) => string): void => {
      for (const pod of summary.pods ?? [])
        for (const container of pod.containers ?? [])
          text += make({ container: container.name, namespace: pod.podRef.namespace, pod: pod.podRef.name }, container);
    };
    each((labels, { cpu }) => line(prefix[0]!, labels, (cpu?.usageCoreNanoSeconds ?? 0) / 1e9));
    text += `# TYPE ${prefix[1]} gauge\n`;
    each((labels, { memory }) => line(prefix[1]!, labels, memory?.workingSetBytes ?? 0));
    text +=
      '# TYPE node_cpu_usage_seconds_total counter\n' +
      line('node_cpu_usage_seconds_total', {}, (summary.node?.cpu?.usageCoreNanoSeconds ?? 0) / 1e9);
    text +=
      '# TYPE node_memory_working_set_bytes gauge\n' +
      line('node_memory_working_set_bytes', {}, summary.node?.memory?.workingSetBytes ?? 0);
    return text;
  }
  const pods = api.pods();
  let containers = 0;
  for (const pod of pods) for (const status of pod.status?.containerStatuses ?? []) if (status.state?.running) containers++;
  return (
    '# TYPE kubelet_running_pods gauge\n' +
    line('kubelet_running_pods', {}, pods.filter((pod) => pod.status?.phase === 'Running').length) +
    '# TYPE kubelet_running_containers gauge\n' +
    line('kubelet_running_containers', { container_state: 'running' }, containers) +
    '# TYPE kubelet_node_name gauge\n' +
    line('kubelet_node_name', { node: api.nodeName }, 1)
  );
}
