/** `npm run bench -- idle`: what a cluster with one machine and nothing to do costs. */
import { setTimeout as wait } from 'node:timers/promises';
import { measure, processorSeconds, residentMegabytes } from './frame.ts';
import type { Bench } from './frame.ts';
import { coxswainClusterSide, upstreamClusterSide } from './sides.ts';
import type { ClusterSide } from './sides.ts';

export const bench: Bench = async ({ rounds, scale }) => {
  const seconds = Math.max(2, Math.round(60 * scale));
  await using ours = await coxswainClusterSide();
  await using theirs = await upstreamClusterSide();
  await wait(20_000 * Math.min(1, scale));
  const sum = ({ pids }: ClusterSide, of: (pid: number) => number): number => [...pids.values()].reduce((total, pid) => total + of(pid), 0);
  const side = (cluster: ClusterSide) => ({
    name: cluster.name,
    async run() {
      const [began, before] = [performance.now(), sum(cluster, processorSeconds)];
      await wait(seconds * 1000);
      const elapsed = (performance.now() - began) / 1000;
      return { cpu: ((sum(cluster, processorSeconds) - before) / elapsed) * 100, memory: sum(cluster, residentMegabytes) };
    },
  });
  return [
    await measure({
      name: 'idle',
      title: `Idle: one machine, nothing to do, ${seconds} s a round`,
      figures: {
        cpu: { title: 'processor, all components', unit: '% of a core', better: 'less' },
        memory: { title: 'memory, all components', unit: 'MB', better: 'less' },
      },
      sides: [side(ours), side(theirs)],
      rounds,
      warmUp: 0,
      notes: [
        "Components are ours in one process, DNS included, or etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kube-proxy; containerd and CoreDNS's pod are in neither.",
      ],
    }),
  ];
};
