/** The suite on a containerd of its own, in namespaces of its own: the test runs itself again in them, and with the last process all of it is gone. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#machinery/clock';
import { bundledImages, busyboxImage, sandboxImage } from '../images/bundled.ts';
import { runtimeSuite } from '../testsuite.ts';
import { containerdPid, startContainerd } from './containerd.ts';
import { criRuntime } from './runtime.ts';

const inside = process.env['COXSWAIN_SUITE_DIRECTORY'];
const plugins = ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'].find((directory) => existsSync(join(directory, 'bridge')));
const onPath = (name: string): boolean =>
  [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin'].some((directory) => existsSync(join(directory, name)));
const missing = [
  ...(process.getuid?.() === 0 ? [] : ['root']),
  ...(['containerd', 'runc', 'unshare', 'ip'] as const).filter((name) => !onPath(name)),
  ...(plugins === undefined ? ['the CNI plugins'] : []),
  ...(existsSync('/bin/busybox') ? [] : ['/bin/busybox']),
];

if (inside === undefined)
  test('containerd does what the runtime contract says', { skip: missing.length ? `needs ${missing.join(', ')}` : false }, () => {
    const directory = mkdtempSync(join('/var/tmp', 'coxswain-suite-'));
    try {
      const { status, stdout, stderr } = spawnSync(
        'unshare',
        ['--net', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc', process.execPath]
          .concat(process.execArgv.filter((flag) => !flag.startsWith('--test')))
          .concat(import.meta.filename),
        { env: { ...process.env, COXSWAIN_SUITE_DIRECTORY: directory, NODE_TEST_CONTEXT: '' }, encoding: 'utf8', timeout: 150_000 },
      );
      const failures = stdout.split('\n').filter((line) => /^\s*(not ok|# Subtest|error:|\+|-)/.test(line));
      assert.equal(status, 0, `${failures.join('\n')}\n${stdout}\n${stderr}`);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
else {
  // Names with two levels, as the kubelet gives them; the first is removed with everything below it.
  const cgroup = `coxswain-suite-${process.ppid}-${Math.trunc(performance.timeOrigin)}`;
  const state = mkdtempSync(join(tmpdir(), 'cs-'));
  let ready: Promise<{ socket: string; archive: string }> | undefined;
  const prepare = async (): Promise<{ socket: string; archive: string }> => {
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
    const configuration = join(inside, 'cni');
    mkdirSync(configuration);
    writeFileSync(
      join(configuration, '10-suite.conflist'),
      JSON.stringify({
        cniVersion: '0.4.0',
        name: 'suite',
        plugins: [
          {
            type: 'bridge',
            bridge: 'suite0',
            isGateway: true,
            ipam: { type: 'host-local', dataDir: join(inside, 'addresses'), ranges: [[{ subnet: '10.99.0.0/24' }]] },
          },
        ],
      }),
    );
    const { socket } = await startContainerd({
      clock: systemClock,
      root: join(inside, 'root'),
      state,
      cniConfDir: configuration,
      cniBinDir: plugins!,
      sandboxImage,
      logPath: join(inside, 'containerd.log'),
      restrictOomScoreAdj: true,
    });
    const archive = join(inside, 'images.tar');
    writeFileSync(archive, await bundledImages(process.arch));
    return { socket, archive };
  };
  runtimeSuite({
    name: 'containerd',
    processes: true,
    onlyEnds: true,
    end() {
      const pid = containerdPid(state);
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
      rmSync(state, { recursive: true, force: true });
      removeCgroups(cgroup);
    },
    async open() {
      const { socket, archive } = await (ready ??= prepare());
      const runtime = await criRuntime(socket, { podsPerShim: 3 });
      await runtime.load(archive);
      return {
        runtime,
        image: busyboxImage,
        archive,
        logs: join(inside, 'logs'),
        cgroupParent: `/${cgroup}/pod`,
        advance: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
        close: () => runtime.close(),
      };
    },
  });
}

/** runc removes the cgroup of a container, not those above it. */
function removeCgroups(name: string): void {
  const base = '/sys/fs/cgroup';
  const roots = existsSync(join(base, 'cgroup.controllers')) ? [base] : readdirSync(base).map((controller) => join(base, controller));
  for (const root of roots) for (const path of [join(root, name, 'pod'), join(root, name)]) if (existsSync(path)) rmdirSync(path);
}
