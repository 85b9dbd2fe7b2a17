/** `npm run bench -- pods`: from create to Ready on one machine with containerd, beside upstream's control plane and kubelet on another. */
import { measure, processorSeconds } from './frame.ts';
import type { Bench } from './frame.ts';
import { coxswainClusterSide, drive, upstreamClusterSide } from './sides.ts';
import type { ClusterSide } from './sides.ts';

export const bench: Bench = async function* ({ rounds, scale, skip }) {
  if (skip('pods')) return;
  const replicas = Math.max(2, Math.round(60 * scale));
  await using ours = await coxswainClusterSide();
  await using theirs = await upstreamClusterSide();
  const used = ({ pids }: ClusterSide): number => [...pids.values()].reduce((sum, pid) => sum + processorSeconds(pid), 0);
  const side = (cluster: ClusterSide) => ({
    name: cluster.name,
    async run(round: number) {
      const before = used(cluster);
      const figures = await drive<Record<string, number>>(cluster.enter, 'pods/driver.ts', [
        cluster.kubeconfig,
        String(replicas),
        `r${round + 1}`,
      ]);
      return { ...figures, cpu: used(cluster) - before };
    },
  });
  yield measure({
    name: 'pods',
    title: 'Pods: one machine, real containers',
    figures: {
      oneReady: { title: 'one pod, create → Ready', unit: 's', better: 'less' },
      oneGone: { title: 'the same, delete → gone (1 s of grace)', unit: 's', better: 'less' },
      manyReady: { title: `Deployment of ${replicas}, create → all Ready`, unit: 's', better: 'less' },
      rate: { title: 'the same', unit: 'pods/s', better: 'more' },
      manyGone: { title: 'the same, delete → gone', unit: 's', better: 'less' },
      cpu: { title: 'processor time of all components of a round, without containerd', unit: 's', better: 'less' },
    },
    sides: [side(ours), side(theirs)],
    rounds,
    notes: [
      'Both clusters are up all the while; the one that is not measured idles. containerd is the same program; ours makes containers with crun where it is installed, the other with runc, which is the default of containerd.',
    ],
  });
};
