/** `npm run bench -- network`: how fast a machine's network follows the API, and how many questions its DNS answers; beside kube-proxy (nftables) and CoreDNS. */
import { execFileSync } from 'node:child_process';
import { measure } from './frame.ts';
import type { Bench } from './frame.ts';
import { coxswainClusterSide, drive, upstreamClusterSide } from './sides.ts';
import type { ClusterSide } from './sides.ts';

export const bench: Bench = async function* ({ rounds, scale, skip }) {
  if (skip('network')) return;
  const queries = Math.max(200, Math.round(20_000 * scale));
  await using ours = await coxswainClusterSide();
  await using theirs = await upstreamClusterSide();
  const side = (cluster: ClusterSide) => {
    const [command, ...rest] = cluster.onMachine;
    const shown = execFileSync(command!, [...rest, 'ip', '-4', '-json', 'addr', 'show', 'eth0'], { encoding: 'utf8' });
    const address = /"local":\s*"([\d.]+)"/.exec(shown)![1]!;
    return {
      name: cluster.name,
      run: (round: number) =>
        drive<Record<string, number>>(cluster.onMachine, 'network/driver.ts', [
          cluster.kubeconfig,
          address,
          `r${round + 1}`,
          String(queries),
        ]),
    };
  };
  yield measure({
    name: 'network',
    title: 'Network: a machine follows the API',
    figures: {
      connected: { title: 'new Service → its address leads to its endpoint', unit: 's', better: 'less' },
      moved: { title: 'endpoint changed → the address leads to the new one', unit: 's', better: 'less' },
      named: { title: 'new Service → its name resolves', unit: 's', better: 'less' },
      rate: { title: 'DNS, 64 questions at a time', unit: '1/s', better: 'more' },
    },
    sides: [side(ours), side(theirs)],
    rounds,
    notes: [
      'Times begin when the API has answered. kube-proxy brings changes together for up to a second (its default), DNS answers hold the work of who asks.',
    ],
  });
};
