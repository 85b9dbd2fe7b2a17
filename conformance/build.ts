/** The suite, its images and upstream's programs: built from Go modules and Debian packages once, found afterwards. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { tools } from './upstream/programs.ts';

const suite = ['bin/e2e.test', 'bin/ginkgo', 'bin/kubectl', 'e2e-images.tar'];
const peers = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy', 'etcd', 'etcdctl'].map(
  (name) => `bin/${name}`,
);
const packages = ['debootstrap', 'busybox-static', 'bash-static', 'openssl', 'gcc', 'libc6-dev'];

const answers = (command: string, ...parameters: string[]): boolean => {
  try {
    execFileSync(command, parameters, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

export const isBuilt = (): boolean => suite.every((file) => existsSync(join(tools, file)));

/** Throws a clear word where it cannot be built. */
export function build(withPeers: boolean): void {
  const missing = [...suite, ...(withPeers ? peers : [])].filter((file) => !existsSync(join(tools, file)));
  if (missing.length === 0) return;
  if (!answers('go', 'version')) throw new Error('Cannot build the conformance suite: Go 1.25 or newer is missing');
  console.log(`building ${missing.map((file) => file.replace('bin/', '')).join(', ')} into ${tools}: about 10 minutes for all of it, once`);
  const wanted = packages.filter((name) => !answers('dpkg', '-s', name));
  if (wanted.length > 0) {
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    execFileSync('apt-get', ['update', '-q'], { stdio: 'inherit' });
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...wanted], { stdio: 'inherit', env: environment });
  }
  execFileSync('bash', [join(import.meta.dirname, 'tools/build.sh'), ...(withPeers ? ['peers'] : [])], {
    stdio: 'inherit',
    env: { ...process.env, OUT: tools },
  });
}
