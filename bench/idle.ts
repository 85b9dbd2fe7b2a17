/** `npm run bench -- idle`: what a cluster with one machine and nothing to do costs, new and after work. */
import { setTimeout as wait } from 'node:timers/promises';
import { measure, processorSeconds, residentMegabytes } from './frame.ts';
import type { Bench } from './frame.ts';
import { coxswainClusterSide, drive, upstreamClusterSide } from './sides.ts';
import type { ClusterSide } from './sides.ts';

export const bench: Bench = async function* ({ rounds, scale, skip }) {
  if (skip('idle') && skip('idle after work')) return;
  const seconds = Math.max(2, Math.round(60 * scale));
  await using ours = await coxswainClusterSide();
  await using theirs = await upstreamClusterSide();
  const settling = 20_000 * Math.min(1, scale);
  await wait(settling);
  const sum = ({ pids }: ClusterSide, of: (pid: number) => number): number => [...pids.values()].reduce((total, pid) => total + of(pid), 0);
  const figures = {
    cpu: { title: 'processor, all components', unit: '% of a core', better: 'less' as const },
    memory: { title: 'memory, all components', unit: 'MB', better: 'less' as const },
  };
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
  const sidesAfter = (before: (round: number) => Promise<void>) =>
    clusters.map((cluster, index) => ({
      name: cluster.name,
      async run(round: number) {
        if (index === 0) minute = before(round).then(take);
        return (await minute!)[index]!;
      },
    }));
  if (!skip('idle')) {
    yield measure({
      name: 'idle',
      title: `Idle: one machine, nothing to do, ${seconds} s a round`,
      figures,
      sides: sidesAfter(async () => undefined),
      rounds,
      warmUp: 0,
      notes: [
        "Components are ours in one process, DNS included, or etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kube-proxy; containerd and CoreDNS's pod are in neither.",
      ],
    });
  }
  if (skip('idle after work')) return;
  const replicas = Math.max(2, Math.round(60 * scale));
  yield measure({
    name: 'idle after work',
    title: `Idle after work: a Deployment of ${replicas} made and removed before each round of ${seconds} s`,
    figures,
    sides: sidesAfter(async (round) => {
      for (const { enter, kubeconfig } of clusters) await drive(enter, 'pods/driver.ts', [kubeconfig, String(replicas), `r${round + 1}`]);
      await wait(settling);
    }),
    rounds,
    warmUp: 0,
    notes: ['The last round comes after as many Deployments as there are rounds.'],
  });
};
