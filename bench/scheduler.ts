/**
 * Our scheduler beside kube-scheduler: scheduler_perf's workloads at 500 and 5000 nodes, each in a process of its own, on the same API server
 * (upstream's, with etcd, that knows no controllers). Rates hold the API server's and the driver's work on the same cores, the
 * processor time is the scheduler's alone.
 */
import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { program } from '../conformance/upstream/programs.ts';
import { measure, processorSeconds, residentMegabytes, root } from './frame.ts';
import type { Bench, Side } from './frame.ts';
import { workloads } from './scheduler/workloads.ts';
import { upstreamSide } from './sides.ts';
import type { ApiSide } from './sides.ts';

const run = promisify(execFile);
const sizes = [500, 5000];
/** As the coxswain command runs Node. */
const nodeFlags = ['--no-warnings', '--max-semi-space-size=8'];
const compiled = join(root, 'node_modules/.cache/compiled');

async function drive(api: ApiSide, step: 'nodes' | 'round', workload: string, nodes: number): Promise<string> {
  const driver = join(import.meta.dirname, 'scheduler/driver.ts');
  const [command, ...parameters] = [...api.enter, process.execPath, '--no-warnings', driver, api.kubeconfig, step, workload, String(nodes)];
  return (await run(command!, parameters, { cwd: root, timeout: 600_000 })).stdout;
}

function side(name: string, api: ApiSide, command: string[], workload: string, nodes: number): Side {
  return {
    name,
    async run() {
      const [first, ...parameters] = [...api.enter, ...command];
      const child = spawn(first!, parameters, { stdio: 'ignore', env: { ...process.env, NODE_COMPILE_CACHE: compiled } });
      const gone = new Promise((resolve) => child.once('close', resolve));
      try {
        const { count, seconds } = JSON.parse(await drive(api, 'round', workload, nodes)) as { count: number; seconds: number };
        return { rate: count / seconds, cpu: processorSeconds(child.pid!), memory: residentMegabytes(child.pid!) };
      } finally {
        child.kill('SIGKILL');
        await gone;
      }
    },
  };
}

export const bench: Bench = async function* ({ rounds, scale, only, skip }) {
  for (const size of sizes) {
    const nodes = Math.max(10, Math.round(size * scale));
    for (const { name, measured, before } of workloads) {
      if (only.length && !only.includes(name) && !only.includes(String(size)) && !only.includes(`${name}/${size}`)) continue;
      const measurement = `scheduler ${name} ${nodes}`;
      if (skip(measurement)) continue;
      await using api = await upstreamSide(['etcd', 'kube-apiserver'], {
        // As scheduler_perf has it: the disk is not what is measured.
        etcd: ['--unsafe-no-fsync'],
        'kube-apiserver': ['--disable-admission-plugins=ServiceAccount,TaintNodesByCondition'],
      });
      const config = join(dirname(api.kubeconfig), 'scheduler.json');
      writeFileSync(
        config,
        JSON.stringify({
          apiVersion: 'kubescheduler.config.k8s.io/v1',
          kind: 'KubeSchedulerConfiguration',
          leaderElection: { leaderElect: false },
          clientConnection: { kubeconfig: api.kubeconfig, qps: 5000, burst: 5000 },
        }),
      );
      await drive(api, 'nodes', name, nodes);
      yield measure({
        name: measurement,
        title: `Scheduler: ${name}, ${nodes} nodes, ${measured.count(nodes)} pods${before ? ` beside ${before.count(nodes)}` : ''}`,
        figures: {
          rate: { title: 'pods bound', unit: '1/s', better: 'more' },
          cpu: { title: 'processor time of the scheduler, its start and the first pods included', unit: 's', better: 'less' },
          memory: { title: 'memory of the scheduler', unit: 'MB', better: 'less' },
        },
        sides: [
          side(
            'Coxswain',
            api,
            [process.execPath, ...nodeFlags, join(import.meta.dirname, 'scheduler/process.ts'), api.kubeconfig],
            name,
            nodes,
          ),
          side('kube-scheduler', api, [program('kube-scheduler'), `--config=${config}`], name, nodes),
        ],
        rounds,
        notes: [
          'Both over HTTP on the same kube-apiserver and etcd (which does not wait for the disk here); rates hold the work of those and of the driver on the same cores.',
        ],
      });
    }
  }
};
