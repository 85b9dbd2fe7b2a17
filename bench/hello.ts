/**
 * `npm run bench -- hello`: from `coxswain up` with nothing there to examples/hello.yaml answering another pod by its DNS name, with real
 * containers. kind takes 33 s for that and k3d 20, by the figures of their own issues; neither runs without images from outside.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measure, root } from './frame.ts';
import type { Bench } from './frame.ts';

const until = 'until wget -qO- http://hello/index.html; do sleep 0.05; done';

export const bench: Bench = async function* ({ rounds, skip }) {
  if (skip('hello')) return;
  const home = mkdtempSync(join(tmpdir(), 'coxswain-bench-'));
  const cluster = ['--name', `hello${process.pid}`];
  const coxswain = (...parameters: string[]): void =>
    void execFileSync(join(root, 'coxswain'), parameters, {
      env: { ...process.env, COXSWAIN_HOME: home },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  const kubectl = (...parameters: string[]): void => coxswain('kubectl', ...cluster, ...parameters);
  const run = async (): Promise<Record<string, number>> => {
    const began = performance.now();
    try {
      coxswain('up', ...cluster, '--runtime', 'containerd', '--no-kubeconfig');
      const up = (performance.now() - began) / 1000;
      kubectl('apply', '-f', join(root, 'examples/hello.yaml'));
      kubectl('run', 'probe', '--image=coxswain.internal/busybox:1', '--restart=Never', '--', 'sh', '-c', until);
      kubectl('wait', 'pod/probe', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s');
      return { up, hello: (performance.now() - began) / 1000 };
    } finally {
      coxswain('down', '--purge', ...cluster);
    }
  };
  try {
    yield measure({
      name: 'hello',
      title: 'From nothing to an answer by DNS name, real containers',
      figures: {
        up: { title: '`coxswain up`: one machine, Ready, with DNS', unit: 's', better: 'less' },
        hello: { title: 'the same, and hello answers another pod by its name', unit: 's', better: 'less' },
      },
      sides: [{ name: 'Coxswain', run }],
      rounds,
      notes: ['The calls of kubectl are in it, 0.1 s each.'],
    });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
};
