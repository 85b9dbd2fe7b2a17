/** `npm run bench -- idle`: what a cluster with one machine and nothing to do costs. */
import { setTimeout as wait } from 'node:timers/promises';
import { measure, processorSeconds, residentMegabytes } from './frame.ts';
import type { Bench } from './frame.ts';
import { coxswainClusterSide, upstreamClusterSide } from './sides.ts';
import type { ClusterSide } from './sides.ts';

export const bench: Bench = async function* ({ rounds, scale }) {
  const seconds = Math.max(2, Math.round(60 * scale));
  await using ours = await coxswainClusterSide();
  await using theirs = await upstreamClusterSide();
  await wait(20_000 * Math.min(1, scale));
  const sum = ({ pids }: ClusterSide, of: (pid: number) => number): number => [...pids.values()].reduce((total, pid) => total + of(pid), 0);
  const clusters = [ours, theirs];
  const take = async (): Promise<Record<string, number>[]> => {
    const [began, before] = [performance.now(), clusters.map((cluster) => sum(cluster, processorSeconds))];
    await wait(seconds * 1000);
    const elapsed = (performance.now() - began) / 1000;
    return clusters.map((cluster, index) => ({
      cpu: ((sum(cluster, processorSeconds) - before[index]!) / elapsed) * 100,
      memory: sum(cluster, residentMegabytes),
    }));
  };
  // Both are up all the while and hardly disturb each other: a round of both is the same minute.
  let minute: Promise<Record<string, number>[]> | undefined;
  const side = (index: number) => ({
    name: clusters[index]!.name,
    async run() {
      if (index === 0) minute = take();
      return (await minute!)[index]!;
    },
  });
  yield measure({
    name: 'idle',
    title: `Idle: one machine, nothing to do, ${seconds} s a round`,
    figures: {
      cpu: { title: 'processor, all components', unit: '% of a core', better: 'less' },
      memory: { title: 'memory, all components', unit: 'MB', better: 'less' },
    },
    sides: [side(0), side(1)],
    rounds,
    warmUp: 0,
    notes: [
      "Components are ours in one process, DNS included, or etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kube-proxy; containerd and CoreDNS's pod are in neither.",
    ],
  });
};
