/** One cluster with real containers, through the command as a user has it: hello, kubectl's verbs, a killed process, and nothing left behind. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { findKubectl, pathsOf, requirements, whySimulated } from '#cluster';

const root = join(import.meta.dirname, '../..');
const found = requirements();
const skip = found.containers && existsSync('/bin/busybox') ? false : whySimulated(found);
const name = `test${process.pid}`;
let directory: string;
let environment: NodeJS.ProcessEnv;
let kubectlPath: string;

function run(command: string, parameters: string[], seconds = 60): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, parameters, { env: environment, timeout: seconds * 1000, cwd: root }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command} ${parameters.join(' ')}: ${stderr.trim() || error.message}`));
      else resolve(stdout);
    });
  });
}
const coxswain = (...parameters: string[]): Promise<string> => run(join(root, 'coxswain'), [...parameters, '--name', name], 150);
const kubectl = (...parameters: string[]): Promise<string> => run(kubectlPath, parameters);

/** Asks until the answer is there, half a minute at most: endpoints reach the kernel a moment after they are Ready. */
async function answers(url: string): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await new Promise<string>((resolve, reject) => {
        const asked = request(url, { timeout: 2000 }, (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
          response.once('end', () => resolve(body));
        });
        asked.once('timeout', () => asked.destroy(new Error('no answer')));
        asked.once('error', reject);
        asked.end();
      });
    } catch (error) {
      if (attempt >= 60) throw error;
      await wait(500);
    }
  }
}

before(async () => {
  if (skip) return;
  directory = mkdtempSync(join(tmpdir(), 'coxswain-test-'));
  environment = {
    ...process.env,
    COXSWAIN_HOME: join(directory, 'home'),
    COXSWAIN_RUN: join('/run', `coxswain-${name}`),
    KUBECONFIG: join(directory, 'kubeconfig'),
  };
  kubectlPath = await findKubectl(pathsOf(name, environment));
  await coxswain('up', '--runtime', 'containerd', '--machines', '2');
});
after(async () => {
  if (skip) return;
  try {
    await coxswain('down', '--purge');
  } finally {
    rmSync(directory, { recursive: true, force: true });
    rmSync(environment['COXSWAIN_RUN']!, { recursive: true, force: true });
  }
});

test('hello: Ready on two machines, by name and address from a pod, by node port from the host', { skip }, async () => {
  await kubectl('apply', '-f', 'examples/hello.yaml');
  await kubectl('rollout', 'status', 'deployment/hello', '--timeout=50s');
  const pods = await kubectl('get', 'pods', '-l', 'app=hello', '-o', 'wide');
  assert.match(pods, /machine-1/);
  assert.match(pods, /machine-2/);
  await kubectl('run', 'probe', '--image=coxswain.internal/busybox:1', '--restart=Never', '--command', '--', 'sleep', '3600');
  await kubectl('wait', '--for=condition=Ready', 'pod/probe', '--timeout=40s');
  const address = (await kubectl('get', 'service', 'hello', '-o', 'jsonpath={.spec.clusterIP}')).trim();
  for (const host of ['hello', 'hello.default.svc.cluster.local', address])
    assert.equal((await kubectl('exec', 'probe', '--', 'wget', '-qO-', `http://${host}/index.html`)).trim(), 'Hello from Coxswain', host);
  const port = (await kubectl('get', 'service', 'hello', '-o', 'jsonpath={.spec.ports[0].nodePort}')).trim();
  const machine = (await kubectl('get', 'node', 'machine-2', '-o', 'jsonpath={.status.addresses[0].address}')).trim();
  assert.equal((await answers(`http://${machine}:${port}/index.html`)).trim(), 'Hello from Coxswain');
});

test('kubectl: exec with input, logs, cp, port-forward, flow', { skip }, async () => {
  const written = await new Promise<string>((resolve, reject) => {
    const child = spawn(kubectlPath, ['exec', '-i', 'probe', '--', 'sh', '-c', 'cat; echo problem >&2; exit 3'], { env: environment });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve(`${text}${code}`));
    child.stdin.end('given\n');
  });
  assert.equal(written, 'given\n3');
  await kubectl('cp', 'package.json', 'probe:/tmp/package.json');
  assert.equal(await kubectl('exec', 'probe', '--', 'cat', '/tmp/package.json'), readFileSync(join(root, 'package.json'), 'utf8'));
  assert.match(await kubectl('logs', '-l', 'app=hello', '--tail=20'), /response:200|index\.html/);
  const forward = spawn(kubectlPath, ['port-forward', 'service/hello', ':80'], { env: environment });
  try {
    const port = await new Promise<string>((resolve, reject) => {
      let text = '';
      forward.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const match = /127\.0\.0\.1:(\d+)/.exec(text);
        if (match) resolve(match[1]!);
      });
      forward.once('exit', () => reject(new Error(`port-forward ended: ${text}`)));
    });
    assert.equal((await answers(`http://127.0.0.1:${port}/index.html`)).trim(), 'Hello from Coxswain');
  } finally {
    forward.kill();
  }
  const flow = await coxswain('flow', 'deploy/hello');
  for (const step of ['Authorized', 'Scheduled', 'Sandbox created', 'Ready', 'In its Services'])
    assert.match(flow, new RegExp(`✓ ${step}`));
});

test('kill -9 of the control plane: nothing acknowledged is lost, containers are adopted', { skip }, async () => {
  const containers = (): Promise<string> =>
    kubectl('get', 'pods', '-o', 'jsonpath={range .items[*]}{.metadata.name}={.status.containerStatuses[0].containerID} {end}');
  const wanted = await containers();
  for (let index = 0; index < 20; index++) await kubectl('create', 'configmap', `kept-${index}`, '--from-literal=a=b');
  const pid = Number(readFileSync(join(environment['COXSWAIN_RUN']!, name, 'machine-1.pid'), 'utf8').split(' ')[0]);
  process.kill(pid, 'SIGKILL');
  await coxswain('up');
  assert.equal((await kubectl('get', 'configmaps', '-o', 'name')).split('\n').filter((line) => line.includes('kept-')).length, 20);
  assert.equal(await containers(), wanted);
  assert.equal((await kubectl('exec', 'probe', '--', 'wget', '-qO-', 'http://hello/index.html')).trim(), 'Hello from Coxswain');
});

test('deletion leaves no pod; down leaves no process, namespace, mount or link', { skip }, async () => {
  await kubectl('delete', '-f', 'examples/hello.yaml', '--timeout=50s');
  await kubectl('delete', 'pod', 'probe', '--grace-period=1', '--timeout=50s');
  await kubectl('wait', '--for=delete', 'pod', '-l', 'app=hello', '--timeout=50s');
  await coxswain('down', '--purge');
  const left = [
    ...readdirSync('/run/netns').filter((entry) => entry.includes(name)),
    ...readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(`coxswain-${name}`) || line.includes(directory)),
    ...readdirSync('/proc').filter((entry) => {
      if (!/^\d+$/.test(entry)) return false;
      try {
        return readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes(`coxswain-${name}`);
      } catch {
        return false; // Ended meanwhile.
      }
    }),
  ];
  assert.deepEqual(left, []);
  // For `after`, which stops what a failed test left running.
  await coxswain('up', '--machines', '0', '--runtime', 'simulated');
});
