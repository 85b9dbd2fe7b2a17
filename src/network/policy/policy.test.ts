import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Namespace, NetworkPolicy, Pod } from '#api';
import { seededRandom, systemClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { Machine } from '../command.ts';
import { fedInformers } from '../test-informers.ts';
import { testNetwork, whyNoNamespaces } from '../test-namespaces.ts';
import type { TestNetwork } from '../test-namespaces.ts';
import { createPolicy } from './policy.ts';

const skip = await whyNoNamespaces();

type Spec = NonNullable<NetworkPolicy['spec']>;
type Who = 'a' | 'b' | 'far' | 'node' | 'outside';
interface Case {
  name: string;
  spec: Spec;
  allowed: [from: Who, to: 'a' | 'b' | 'far', port: number][];
  denied: [from: Who, to: 'a' | 'b' | 'far', port: number][];
}

/** Pods a and b in namespace "default" (app=a, app=b), far in "other" (team=far). Each serves 8080 ("web") and 8081. */
const cases: Case[] = [
  {
    name: 'no ingress but from the node',
    spec: { podSelector: { matchLabels: { app: 'a' } } },
    allowed: [
      ['node', 'a', 8080],
      ['a', 'b', 8080],
      ['a', 'a', 8080],
    ],
    denied: [
      ['b', 'a', 8080],
      ['outside', 'a', 8080],
      ['far', 'a', 8080],
    ],
  },
  {
    name: 'ingress from pods by label, on one port',
    spec: {
      podSelector: { matchLabels: { app: 'a' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'b' } } }], ports: [{ port: 8080, protocol: 'TCP' }] }],
    },
    allowed: [['b', 'a', 8080]],
    denied: [
      ['b', 'a', 8081],
      ['far', 'a', 8080],
    ],
  },
  {
    name: 'ingress from namespaces by label, on a named port',
    spec: {
      podSelector: {},
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'far' } } }], ports: [{ port: 'web' }] }],
    },
    allowed: [
      ['far', 'a', 8080],
      ['far', 'b', 8080],
    ],
    denied: [
      ['far', 'a', 8081],
      ['b', 'a', 8080],
    ],
  },
  {
    name: 'ingress from a network without a part of it',
    spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.244.0.3/32'] } }] }] },
    allowed: [
      ['outside', 'a', 8080],
      ['far', 'a', 8081],
    ],
    denied: [['b', 'a', 8080]],
  },
  {
    name: 'no egress',
    spec: { podSelector: { matchLabels: { app: 'a' } }, policyTypes: ['Egress'] },
    allowed: [
      ['b', 'a', 8080],
      ['b', 'far', 8080],
    ],
    denied: [
      ['a', 'b', 8080],
      ['a', 'far', 8080],
    ],
  },
  {
    name: 'egress to a range of ports',
    spec: { podSelector: { matchLabels: { app: 'a' } }, policyTypes: ['Egress'], egress: [{ ports: [{ port: 8081, endPort: 8090 }] }] },
    allowed: [['a', 'b', 8081]],
    denied: [['a', 'b', 8080]],
  },
  {
    name: 'everything open',
    spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress: [{}], egress: [{}] },
    allowed: [
      ['a', 'b', 8080],
      ['outside', 'a', 8080],
    ],
    denied: [],
  },
];

test('policies let in and out what they say', { skip: skip ?? false, timeout: 60_000 }, async (t) => {
  await using network: TestNetwork = await testNetwork();
  const ips = { a: '10.244.0.2', b: '10.244.0.3', far: '10.244.0.4' };
  const [a, b, far] = await Promise.all(Object.values(ips).map((ip) => network.pod(ip)));
  const machines: Record<Who, Machine> = { a: a!, b: b!, far: far!, node: network.node, outside: network.outside };
  await Promise.all(
    (['a', 'b', 'far'] as const).flatMap((name) => [8080, 8081].map((port) => network.serve(machines[name], `${name}${port}`, port))),
  );
  const informers = fedInformers();
  const namespaced: [string, string, Record<string, string>][] = [
    ['a', 'default', { app: 'a' }],
    ['b', 'default', { app: 'b' }],
    ['far', 'other', {}],
  ];
  informers.set(Namespace, { metadata: { name: 'default' } }, { metadata: { name: 'other', labels: { team: 'far' } } });
  for (const [name, namespace, labels] of namespaced)
    informers.set(Pod, {
      metadata: { name, namespace, labels },
      spec: { nodeName: 'here', containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8080 }] }] },
      status: { phase: 'Running', podIPs: [{ ip: ips[name as 'a'] }] },
    });
  await using _policy = await createPolicy({ nodeName: 'here', nodeIps: [network.nodeIp], informers, machine: network.node }).start({
    clock: systemClock,
    random: seededRandom(1),
    log: silentLog,
    signal: new AbortController().signal,
  });
  const reaches = async ([from, to, port]: [Who, 'a' | 'b' | 'far', number]): Promise<boolean> =>
    (await network.get(machines[from], ips[to], port)).startsWith(`${to}${port} `);
  /** Rules reach the kernel a moment after the change. */
  const eventually = async (probe: [Who, 'a' | 'b' | 'far', number], wanted: boolean): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) if ((await reaches(probe)) === wanted) return;
    assert.fail(`${probe.join(' ')} should ${wanted ? '' : 'not '}be possible`);
  };
  for (const { name, spec, allowed, denied } of cases)
    await t.test(name, async () => {
      informers.set(NetworkPolicy, { metadata: { name: 'p', namespace: 'default' }, spec });
      const [first] = denied;
      if (first) await eventually(first, false);
      await Promise.all([...allowed.map((probe) => eventually(probe, true)), ...denied.map((probe) => eventually(probe, false))]);
    });
  await t.test('a pod that comes is a peer at once, and rules go with their policy', async () => {
    const spec: Spec = {
      podSelector: { matchLabels: { app: 'a' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { role: 'new' } } }] }],
    };
    informers.set(NetworkPolicy, { metadata: { name: 'p', namespace: 'default' }, spec });
    await eventually(['b', 'a', 8080], false);
    const old = informers.for(Pod).get('default/b')!;
    informers.set(Pod, { ...old, metadata: { ...old.metadata, labels: { role: 'new' } } });
    await eventually(['b', 'a', 8080], true);
    informers.set(Pod, old);
    await eventually(['b', 'a', 8080], false);
    informers.remove(NetworkPolicy, 'default/p');
    await eventually(['b', 'a', 8080], true);
  });
});
