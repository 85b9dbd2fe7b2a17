import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec } from '#api';
import { podDns } from './dns.ts';

const host = 'nameserver 9.9.9.9\nsearch corp.example. lan\noptions timeout:1 ndots:2\n';
const cluster = ['ns.svc.cluster.local', 'svc.cluster.local', 'cluster.local'];

const cases: { name: string; spec: Partial<PodSpec>; want: [string[], string[], string[]]; hostConfig?: string | undefined }[] = [
  {
    name: 'ClusterFirst asks the cluster, and knows the names of the host too',
    spec: { dnsPolicy: 'ClusterFirst' },
    want: [['10.96.0.10'], [...cluster, 'corp.example', 'lan'], ['ndots:5']],
  },
  {
    name: 'ClusterFirst in the host network is Default',
    spec: { dnsPolicy: 'ClusterFirst', hostNetwork: true },
    want: [['9.9.9.9'], ['corp.example', 'lan'], ['timeout:1', 'ndots:2']],
  },
  {
    name: 'ClusterFirstWithHostNet asks the cluster there too',
    spec: { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true },
    want: [['10.96.0.10'], [...cluster, 'corp.example', 'lan'], ['ndots:5']],
  },
  {
    name: 'None takes only what the pod says',
    spec: { dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'], searches: ['a.b'], options: [{ name: 'ndots', value: '1' }] } },
    want: [['1.1.1.1'], ['a.b'], ['ndots:1']],
  },
  {
    name: "the pod's options replace those of the same name",
    spec: { dnsPolicy: 'ClusterFirst', dnsConfig: { options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }] } },
    want: [['10.96.0.10'], [...cluster, 'corp.example', 'lan'], ['ndots:2', 'edns0']],
  },
  {
    name: 'Default without a file of the host resolves nothing',
    spec: { dnsPolicy: 'Default' },
    hostConfig: undefined,
    want: [['127.0.0.1'], ['.'], []],
  },
];

for (const { name, spec, want, ...rest } of cases)
  test(name, () => {
    const config = podDns(
      { metadata: { name: 'p', namespace: 'ns' }, spec: { containers: [], ...spec } },
      {
        clusterDns: ['10.96.0.10'],
        clusterDomain: 'cluster.local',
        hostConfig: 'hostConfig' in rest ? rest.hostConfig : host,
        warn: () => assert.fail('nothing to warn of'),
      },
    );
    assert.deepEqual([config.servers, config.searches, config.options], want);
  });

test('more than three servers are cut, with a warning', () => {
  const warnings: string[] = [];
  const config = podDns(
    {
      metadata: { name: 'p', namespace: 'ns' },
      spec: { containers: [], dnsPolicy: 'None', dnsConfig: { nameservers: ['1', '2', '3', '4'] } },
    },
    { clusterDns: [], clusterDomain: '', hostConfig: '', warn: (_reason, message) => void warnings.push(message) },
  );
  assert.deepEqual(config.servers, ['1', '2', '3']);
  assert.equal(warnings.length, 1);
});
