import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { Node, Pod } from '#api';
import { seededRandom, systemClock, virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { Machine } from '../command.ts';
import { fedInformers } from '../test-informers.ts';
import { testNetwork, whyNoNamespaces } from '../test-namespaces.ts';
import { createNodeNetwork } from './node-network.ts';

const node = (name: string, podCIDR: string | undefined, address?: string): Node => ({
  metadata: { name },
  spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs: [podCIDR] },
  status: { addresses: address === undefined ? [] : [{ type: 'InternalIP', address }] },
});
const context = (clock = systemClock) => ({ clock, random: seededRandom(1), log: silentLog, signal: new AbortController().signal });

test('waits for the pod network, then writes the CNI configuration and keeps routes', async () => {
  const all: string[] = [];
  let seen = 0;
  const commands = (): string[] => all.slice(seen);
  const machine: Machine = {
    run: (command, args) => {
      all.push([command, ...args].join(' '));
      return Promise.resolve(args.includes('-j') ? '[{"dst":"10.244.9.0/24","gateway":"10.0.0.9"}]' : '');
    },
    sysctl: () => Promise.resolve(),
  };
  const confDir = await mkdtemp(`${tmpdir()}/cni-test-`);
  const informers = fedInformers();
  informers.set(Node, node('here', undefined));
  const clock = virtualClock();
  const starting = createNodeNetwork({ nodeName: 'here', informers, confDir, machine, dataDir: '/data' }).start(context(clock));
  await clock.advance(0);
  assert.deepEqual(await readdir(confDir), []);
  informers.set(Node, node('here', '10.244.1.0/24', '10.0.0.1'));
  const network = await starting;
  const written = JSON.parse(await readFile(`${confDir}/10-coxswain.conflist`, 'utf8')) as { plugins: { type: string; ipam: unknown }[] };
  assert.equal(written.plugins[0]!.type, 'ptp');
  assert.deepEqual(written.plugins[0]!.ipam, {
    type: 'host-local',
    dataDir: '/data',
    ranges: [[{ subnet: '10.244.1.0/24' }]],
    routes: [{ dst: '0.0.0.0/0' }],
  });
  assert.ok(commands().includes('ip route del 10.244.9.0/24 proto 201'), 'a route left from before is removed');
  seen = all.length;
  informers.set(Node, node('there', '10.244.2.0/24', '10.0.0.2'));
  await clock.advance(10);
  assert.ok(commands().includes('ip route replace 10.244.2.0/24 via 10.0.0.2 proto 201'));
  seen = all.length;
  informers.set(Node, { ...node('there', '10.244.2.0/24', '10.0.0.2'), metadata: { name: 'there', resourceVersion: '2' } });
  await clock.advance(10);
  assert.deepEqual(commands(), []);
  informers.remove(Node, 'there');
  await clock.advance(10);
  assert.ok(commands().includes('ip route del 10.244.2.0/24 proto 201'));
  await network.stop();
  assert.deepEqual(await readdir(confDir), []);
  assert.equal(clock.pending, 0);
  await rm(confDir, { recursive: true });
});

const skip = await whyNoNamespaces();

test('pods get out, and host ports in', { skip: skip ?? false, timeout: 60_000 }, async () => {
  await using net = await testNetwork();
  const confDir = await mkdtemp(`${tmpdir()}/cni-test-`);
  const informers = fedInformers();
  informers.set(Node, node('here', '10.244.0.0/24', net.nodeIp));
  const [a, b] = await Promise.all([net.pod('10.244.0.2'), net.pod('10.244.0.3')]);
  await Promise.all([net.serve(a, 'a', 8080), net.serve(a, 'a2', 8081), net.serve(b, 'b', 8080), net.serve(net.outside, 'out', 80)]);
  const pod = (name: string, ip: string, ports: { hostPort: number; hostIP?: string; containerPort: number }[]): Pod => ({
    metadata: { name, namespace: 'default' },
    spec: { nodeName: 'here', containers: [{ name: 'c', ports }] },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] },
  });
  informers.set(
    Pod,
    pod('a', '10.244.0.2', [
      { hostPort: 7000, containerPort: 8080 },
      { hostPort: 7001, hostIP: '127.0.0.1', containerPort: 8081 },
    ]),
    pod('b', '10.244.0.3', [{ hostPort: 7001, hostIP: net.nodeIp, containerPort: 8080 }]),
  );
  const options = { nodeName: 'here', informers, confDir, clusterCidrs: ['10.244.0.0/16'], machine: net.node };
  const network = await createNodeNetwork(options).start(context());
  const cases: [name: string, from: Machine, address: string, port: number, wanted: RegExp][] = [
    ['a pod gets out with the address of the node', a, '10.9.0.2', 80, /^out 10\.9\.0\.1$/],
    ['a pod reaches another as itself', a, '10.244.0.3', 8080, /^b 10\.244\.0\.2$/],
    ['a client outside reaches a host port as itself', net.outside, net.nodeIp, 7000, /^a 10\.9\.0\.2$/],
    ['the node reaches a host port on 127.0.0.1', net.node, '127.0.0.1', 7000, /^a /],
    ['a pod reaches itself by its host port', a, net.nodeIp, 7000, /^a /],
    ['a host port of an address is there', net.outside, net.nodeIp, 7001, /^b /],
    ['and another pod has it on another address', net.node, '127.0.0.1', 7001, /^a2 /],
  ];
  const results = await Promise.all(cases.map(([, from, address, port]) => net.get(from, address, port)));
  for (const [index, [name, , , , wanted]] of cases.entries()) assert.match(results[index]!, wanted, name);
  await network.stop();
  assert.equal(await net.get(net.outside, net.nodeIp, 7000), 'refused');
  assert.doesNotMatch(await net.node.run('nft', ['list', 'tables']), /coxswain/);
  await rm(confDir, { recursive: true });
});
