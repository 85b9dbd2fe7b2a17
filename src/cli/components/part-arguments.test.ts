import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { checkArguments, partSettings } from './part-arguments.ts';

type Part = Parameters<typeof checkArguments>[0];

test('arguments are kept without dashes, with whole paths of files', () => {
  const cases: [part: Part, given: string, kept: string][] = [
    ['kube-apiserver', 'audit-policy-file=a.yaml', `audit-policy-file=${resolve('a.yaml')}`],
    ['kube-apiserver', '--audit-log-path=-', 'audit-log-path=-'],
    ['kube-apiserver', 'authorization-config=/etc/a.yaml', 'authorization-config=/etc/a.yaml'],
    ['kube-apiserver', 'oidc-username-claim=a/b', 'oidc-username-claim=a/b'],
    ['kube-scheduler', 'config=s.yaml', `config=${resolve('s.yaml')}`],
    ['kubelet', 'max-pods=7', 'max-pods=7'],
    ['kube-proxy', 'masquerade-all', 'masquerade-all'],
  ];
  for (const [part, given, kept] of cases) assert.deepEqual(checkArguments(part, [given], assert.fail), [kept], given);
});

test('what cannot be given is refused in a sentence, what has no effect is told', () => {
  const refused: [part: Part, given: string, said: RegExp][] = [
    ['kube-apiserver', 'etcd-servers=http://a', /Cannot use --kube-apiserver-arg etcd-servers=http:\/\/a: up decides it itself/],
    ['kube-apiserver', 'service-account-issuer=https://a', /up decides it itself/],
    ['kube-controller-manager', 'cluster-cidr=10.0.0.0/8', /up decides it itself/],
    ['kube-scheduler', 'leader-elect=false', /up decides it itself/],
    ['kubelet', 'config=k.yaml', /up decides it itself/],
    ['kube-proxy', 'bind-address=1.2.3.4', /up decides it itself/],
    ['kubelet', 'nosuch=1', /kubelet has no flag --nosuch/],
    ['kubelet', 'max-pods', /flag needs an argument: --max-pods/],
    ['kube-apiserver', 'tls-cipher-suites=x', /not supported/],
  ];
  for (const [part, given, said] of refused) assert.throws(() => checkArguments(part, [given], assert.fail), said, given);
  const told: string[] = [];
  checkArguments('kube-apiserver', ['feature-gates=A=true'], (text) => told.push(text));
  assert.deepEqual(told, ['kube-apiserver: --feature-gates has no effect: coxswain does not support it']);
});

test('kept arguments become settings of the parts that are named, and of no other', () => {
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-test-'));
  try {
    const file = join(directory, 'scheduler.yaml');
    writeFileSync(file, 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\npodMaxBackoffSeconds: 3\n');
    const settings = partSettings({
      'kube-controller-manager': ['controllers=*,-cronjob-controller', 'node-monitor-grace-period=7s'],
      'kube-scheduler': [`config=${file}`],
      kubelet: ['max-pods=7', 'node-labels=a=b'],
      'kube-proxy': ['masquerade-all'],
    });
    assert.equal(settings.apiServer, undefined);
    assert.equal(settings.controllers?.options?.nodeMonitorGracePeriod, 7000);
    assert.ok(!settings.controllers?.controllers?.some((factory) => factory().name === 'cronjob-controller'));
    assert.equal(settings.scheduler?.config?.podMaxBackoffSeconds, 3);
    assert.equal(settings.kubelet?.maxPods, 7);
    assert.deepEqual(settings.kubelet?.nodeLabels, { a: 'b' });
    assert.equal(settings.proxy?.masqueradeAll, true);
    assert.deepEqual(partSettings({}), {});
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
