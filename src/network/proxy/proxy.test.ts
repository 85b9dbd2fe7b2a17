import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { EndpointSlice, Node, Service } from '#api';
import { seededRandom, systemClock, virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { Machine } from '../command.ts';
import { fedInformers } from '../test-informers.ts';
import type { FedInformers } from '../test-informers.ts';
import { testNetwork, whyNoNamespaces } from '../test-namespaces.ts';
import { createProxy } from './proxier.ts';
import type { ProxyOptions } from './proxier.ts';

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

type ServiceSpec = NonNullable<Service['spec']>;

const service = (name: string, clusterIP: string, spec: Partial<ServiceSpec> = {}, status: Service['status'] = {}): Service => ({
  metadata: { name, namespace: 'default' },
  spec: { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports: [{ name: 'http', port: 80, protocol: 'TCP' }], ...spec },
  status,
});

interface TestEndpoint {
  ip: string;
  node?: string;
  ready?: boolean;
  serving?: boolean;
  terminating?: boolean;
  zones?: string[];
}
const slice = (name: string, endpoints: TestEndpoint[], port = 8080, protocol = 'TCP', portName = 'http'): EndpointSlice => ({
  metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  ports: [{ name: portName, port, protocol }],
  endpoints: endpoints.map(({ ip, node = 'here', ready = true, serving = ready, terminating = false, zones }) => ({
    addresses: [ip],
    nodeName: node,
    conditions: { ready, serving, terminating },
    ...(zones && { hints: { forZones: zones.map((zone) => ({ name: zone })) } }),
  })),
});

/** A proxy whose nft transactions are collected instead. */
async function recorded(feed: (informers: FedInformers) => void, options: Partial<ProxyOptions> = {}) {
  const scripts: string[] = [];
  const commands: string[] = [];
  let fails = 0;
  const machine: Machine = {
    async run(command, args, stdin = '') {
      await Promise.resolve();
      if (command === 'nft') {
        if (fails > 0) {
          fails--;
          throw new Error('nft is out of order');
        }
        scripts.push(stdin);
      } else commands.push([command, ...args].join(' '));
      return '';
    },
    sysctl: () => Promise.resolve(),
  };
  const informers = fedInformers();
  feed(informers);
  const clock = virtualClock();
  const proxy = await createProxy({
    nodeName: 'here',
    nodeIps: ['10.9.0.1'],
    clusterCidrs: ['10.244.0.0/16'],
    informers,
    machine,
    healthPort: 0,
    statusPort: 0,
    ...options,
  }).start({ clock, random: seededRandom(1), log: silentLog, signal: new AbortController().signal });
  return {
    informers,
    commands,
    proxy,
    clock,
    fail: (times: number) => void (fails = times),
    /** Lets changes reach the (make-believe) kernel; answers the last transaction's lines. */
    async last(milliseconds = 10): Promise<string[]> {
      await clock.advance(milliseconds);
      return (scripts.at(-1) ?? '').trim().split('\n');
    },
    scripts,
  };
}

const prefix = /^(add|delete|flush) (\w+) ip coxswain-proxy /;
const short = (lines: string[]): string[] => lines.map((line) => line.replace(prefix, '$1 $2 '));

test('a change of one Service touches that Service alone', async () => {
  const proxy = await recorded((informers) => {
    for (let index = 0; index < 50; index++) {
      informers.set(Service, service(`s${index}`, `10.96.0.${index + 1}`));
      informers.set(EndpointSlice, slice(`s${index}`, [{ ip: `10.244.1.${index}` }]));
    }
  });
  assert.match(proxy.scripts[0]!, /^add table ip coxswain-proxy\ndelete table ip coxswain-proxy\ntable ip coxswain-proxy \{/);
  proxy.informers.set(EndpointSlice, slice('s7', [{ ip: '10.244.1.7' }, { ip: '10.244.1.200', node: 'there' }]));
  assert.deepEqual(short(await proxy.last()), [
    'flush chain cluster/default/s7/tcp/http',
    'add rule cluster/default/s7/tcp/http ip daddr 10.96.0.8 ip saddr != { 10.244.0.0/16 } jump mark-for-masquerade',
    'add rule cluster/default/s7/tcp/http meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.1.200 . 8080, 1 : 10.244.1.7 . 8080 }',
  ]);
  proxy.informers.remove(Service, 'default/s8');
  assert.deepEqual(short(await proxy.last()), [
    'delete element hairpin { 10.244.1.8 . 10.244.1.8 }',
    'delete element cluster-ips { 10.96.0.9 }',
    'delete element service-ips { 10.96.0.9 . tcp . 80 }',
    'flush chain cluster/default/s8/tcp/http',
  ]);
  assert.deepEqual(short(await proxy.last(2000)), ['delete chain cluster/default/s8/tcp/http']);
  await proxy.proxy.stop();
  assert.deepEqual(await proxy.last(), ['add table ip coxswain-proxy', 'delete table ip coxswain-proxy']);
  assert.equal(proxy.clock.pending, 0);
});

test('changes of one moment are one transaction', async () => {
  const proxy = await recorded(() => undefined);
  for (let index = 0; index < 20; index++) proxy.informers.set(Service, service(`s${index}`, `10.96.0.${index + 1}`));
  await proxy.last();
  assert.equal(proxy.scripts.length, 2);
  await proxy.proxy.stop();
});

test('a failed transaction is followed by one that writes everything', async () => {
  const proxy = await recorded((informers) => informers.set(Service, service('a', '10.96.0.1')));
  proxy.fail(1);
  proxy.informers.set(Service, service('b', '10.96.0.2'));
  const lines = await proxy.last(500);
  assert.ok(lines.includes('add element ip coxswain-proxy cluster-ips { 10.96.0.1 }'));
  assert.ok(lines.includes('add element ip coxswain-proxy cluster-ips { 10.96.0.2 }'));
  assert.equal(lines[1], 'delete table ip coxswain-proxy');
  await proxy.proxy.stop();
});

test('two Services may claim one external address: the first has it until it goes', async () => {
  const external = { externalIPs: ['192.0.2.1'] };
  const proxy = await recorded((informers) => {
    informers.set(Service, service('a', '10.96.0.1', external), service('b', '10.96.0.2', external));
    informers.set(EndpointSlice, slice('a', [{ ip: '10.244.1.1' }]), slice('b', [{ ip: '10.244.1.2' }]));
  });
  assert.match(proxy.scripts[0]!, /192\.0\.2\.1 \. tcp \. 80 : goto external\/default\/a\/tcp\/http /);
  proxy.informers.remove(Service, 'default/a');
  const lines = short(await proxy.last());
  assert.ok(lines.includes('delete element service-ips { 192.0.2.1 . tcp . 80 }'));
  assert.ok(lines.includes('add element service-ips { 192.0.2.1 . tcp . 80 : goto external/default/b/tcp/http }'));
  await proxy.proxy.stop();
});

test('UDP flows to endpoints that went are deleted, and all of them when the first endpoint comes', async () => {
  const dns = service('dns', '10.96.0.10', { ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] });
  const proxy = await recorded((informers) => informers.set(Service, dns));
  const endpoints = (...ips: string[]): EndpointSlice =>
    slice(
      'dns',
      ips.map((ip) => ({ ip })),
      53,
      'UDP',
      'dns',
    );
  proxy.informers.set(EndpointSlice, endpoints('10.244.1.1', '10.244.1.2'));
  await proxy.last();
  assert.deepEqual(proxy.commands.splice(0), ['conntrack -D -p udp -f ipv4 --orig-dst 10.96.0.10 --dport 53']);
  proxy.informers.set(EndpointSlice, endpoints('10.244.1.2'));
  await proxy.last();
  assert.deepEqual(proxy.commands, ['conntrack -D -p udp -f ipv4 --orig-dst 10.96.0.10 --dport 53 --dst-nat 10.244.1.1']);
  await proxy.proxy.stop();
});

test('Services for other proxies and headless ones are left alone', async () => {
  const proxy = await recorded((informers) => {
    const labelled = service('other', '10.96.0.1');
    labelled.metadata!.labels = { 'service.kubernetes.io/service-proxy-name': 'another' };
    informers.set(Service, labelled, service('headless', 'None'), service('external', '', { type: 'ExternalName', externalName: 'x' }));
  });
  assert.doesNotMatch(proxy.scripts[0]!, /add element/);
  await proxy.proxy.stop();
});

test('a dual-stack node has a table a family', async () => {
  const proxy = await recorded(
    (informers) => {
      informers.set(Service, service('a', 'fd00::1', { clusterIPs: ['fd00::1'] }));
      informers.set(EndpointSlice, { ...slice('a', [{ ip: 'fd01::1' }]), addressType: 'IPv6' });
    },
    { nodeIps: ['10.9.0.1', 'fd09::1'], clusterCidrs: ['10.244.0.0/16', 'fd01::/64'] },
  );
  assert.match(proxy.scripts[1]!, /cluster\/default\/a\/tcp\/http meta l4proto tcp dnat ip6 to \[fd01::1\]:8080/);
  await proxy.proxy.stop();
});

test('the proxy tells its health and mode', async () => {
  const [healthPort, statusPort] = await Promise.all([freePort(), freePort()]);
  const proxy = await recorded(() => undefined, { healthPort, statusPort });
  const health = await fetch(`http://127.0.0.1:${healthPort}/healthz`);
  assert.equal(health.status, 200);
  assert.deepEqual(Object.keys((await health.json()) as object), ['lastUpdated', 'currentTime', 'nodeEligible']);
  proxy.informers.set(Node, {
    metadata: { name: 'here' },
    spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] },
  });
  assert.equal((await fetch(`http://127.0.0.1:${healthPort}/healthz`)).status, 503);
  assert.equal((await fetch(`http://127.0.0.1:${healthPort}/livez`)).status, 200);
  assert.equal(await (await fetch(`http://127.0.0.1:${statusPort}/proxyMode`)).text(), 'nftables');
  await proxy.proxy.stop();
});

test('load balancers hear whether the node has endpoints', async () => {
  const port = await freePort();
  const spec: Partial<ServiceSpec> = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: port };
  const proxy = await recorded((informers) => informers.set(Service, service('a', '10.96.0.1', spec)));
  const ask = async (): Promise<number> => (await fetch(`http://127.0.0.1:${port}/`)).status;
  assert.equal(await ask(), 503);
  proxy.informers.set(EndpointSlice, slice('a', [{ ip: '10.244.1.1' }]));
  await proxy.last();
  assert.equal(await ask(), 200);
  await proxy.proxy.stop();
  await assert.rejects(ask());
});

const skip = await whyNoNamespaces();

test('packets go where Services send them', { skip: skip ?? false, timeout: 60_000 }, async () => {
  await using network = await testNetwork();
  const informers = fedInformers();
  informers.set(Node, { metadata: { name: 'here', labels: { 'topology.kubernetes.io/zone': 'z1' } } });
  const [a, b, client] = await Promise.all(['10.244.0.2', '10.244.0.3', '10.244.0.4'].map((ip) => network.pod(ip)));
  await Promise.all([
    network.serve(a!, 'a', 8080),
    network.serve(b!, 'b', 8080),
    network.serve(network.node, 'host', 9090),
    network.serve(a!, 'a', 5353, 'udp'),
    network.serve(b!, 'b', 5353, 'udp'),
  ]);
  const both = [{ ip: '10.244.0.2' }, { ip: '10.244.0.3' }];
  const only = [{ ip: '10.244.0.2' }];
  const away = [{ ip: '10.244.9.9', node: 'there' }];
  const nodePort = (port: number): Partial<ServiceSpec> => ({
    type: 'NodePort',
    ports: [{ name: 'http', port: 80, nodePort: port, protocol: 'TCP' }],
  });
  informers.set(
    Service,
    service('plain', '10.96.0.1', nodePort(30001)),
    service('sticky', '10.96.0.2', { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } }),
    service('empty', '10.96.0.3', nodePort(30003)),
    service('hairpin', '10.96.0.4', nodePort(30004)),
    service('local-here', '10.96.0.5', { ...nodePort(30005), externalTrafficPolicy: 'Local', externalIPs: ['192.0.2.5'] }),
    service('local-away', '10.96.0.6', { ...nodePort(30006), externalTrafficPolicy: 'Local' }),
    service('internal-away', '10.96.0.7', { internalTrafficPolicy: 'Local' }),
    service('host', '10.96.0.8'),
    service(
      'guarded',
      '10.96.0.9',
      { ...nodePort(30009), type: 'LoadBalancer', loadBalancerSourceRanges: ['10.244.0.4/32'] },
      { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } },
    ),
    service('leaving', '10.96.0.11'),
    service('zoned', '10.96.0.12'),
    service('datagrams', '10.96.0.13', { ports: [{ name: 'udp', port: 53, protocol: 'UDP' }] }),
  );
  informers.set(
    EndpointSlice,
    slice('plain', both),
    slice('sticky', both),
    slice('hairpin', only),
    slice('local-here', only),
    slice('local-away', away),
    slice('internal-away', away),
    slice('host', [{ ip: '10.9.0.1' }], 9090),
    slice('guarded', only),
    slice('leaving', [{ ip: '10.244.0.3', ready: false, serving: true, terminating: true }]),
    slice('datagrams', only, 5353, 'UDP', 'udp'),
    slice('zoned', [
      { ip: '10.244.0.2', zones: ['z1'] },
      { ip: '10.244.0.3', zones: ['z2'] },
    ]),
  );
  await using _proxy = await createProxy({
    nodeName: 'here',
    nodeIps: [network.nodeIp],
    clusterCidrs: ['10.244.0.0/16'],
    serviceCidrs: ['10.96.0.0/12'],
    healthPort: 0,
    statusPort: 0,
    informers,
    machine: network.node,
  }).start({ clock: systemClock, random: seededRandom(1), log: silentLog, signal: new AbortController().signal });

  const { node, outside, get } = network;
  const cases: [name: string, from: Machine, address: string, port: number, wanted: RegExp][] = [
    ['a pod reaches a ClusterIP with its own address', client!, '10.96.0.1', 80, /^[ab] 10\.244\.0\.4$/],
    ['the node reaches a ClusterIP, masqueraded', node, '10.96.0.1', 80, /^[ab] 10\.244\.0\.1$/],
    ['another port of a ClusterIP is refused', client!, '10.96.0.1', 81, /^refused$/],
    ['an unused address of the Services is dropped', client!, '10.96.5.5', 80, /^timeout$/],
    ['a client outside reaches a node port, masqueraded', outside, '10.9.0.1', 30001, /^[ab] 10\.244\.0\.1$/],
    ['a pod reaches a node port', client!, '10.9.0.1', 30001, /^[ab] /],
    ['the node reaches its node port', node, '10.9.0.1', 30001, /^[ab] /],
    ['the node reaches its node port on 127.0.0.1', node, '127.0.0.1', 30001, /^[ab] /],
    ['a Service without endpoints refuses', client!, '10.96.0.3', 80, /^refused$/],
    ['the node is refused as well', node, '10.96.0.3', 80, /^refused$/],
    ['a node port without endpoints refuses', outside, '10.9.0.1', 30003, /^refused$/],
    ['a pod reaches itself through its Service', a!, '10.96.0.4', 80, /^a 10\.244\.0\.1$/],
    ['policy Local keeps the client address', outside, '10.9.0.1', 30005, /^a 10\.9\.0\.2$/],
    ['policy Local serves external addresses', outside, '192.0.2.5', 80, /^a 10\.9\.0\.2$/],
    ['policy Local drops what has no endpoint here', outside, '10.9.0.1', 30006, /^timeout$/],
    ['internal policy Local drops what has no endpoint here', client!, '10.96.0.7', 80, /^timeout$/],
    ['a pod reaches an endpoint on the host network', client!, '10.96.0.8', 80, /^host 10\.244\.0\.4$/],
    ['the node reaches an endpoint on its own network', node, '10.96.0.8', 80, /^host /],
    ['source ranges let in whom they name', client!, '192.0.2.9', 80, /^a /],
    ['source ranges keep others out', outside, '192.0.2.9', 80, /^timeout$/],
    ['a leaving endpoint serves while there is no other', client!, '10.96.0.11', 80, /^b /],
    ['hints keep traffic in the zone', client!, '10.96.0.12', 80, /^a /],
  ];
  const results = await Promise.all(cases.map(([, from, address, port]) => get(from, address, port)));
  for (const [index, [name, , , , wanted]] of cases.entries()) assert.match(results[index]!, wanted, name);

  const answers = async (from: Machine, address: string, times: number): Promise<Set<string>> => {
    const all = await Promise.all(Array.from({ length: times }, () => get(from, address, 80)));
    return new Set(all.map((answer) => answer.split(' ')[0]!));
  };
  assert.deepEqual(await answers(client!, '10.96.0.1', 24), new Set(['a', 'b']), 'load is spread');
  const stuck = (await get(client!, '10.96.0.2', 80)).split(' ')[0]!;
  assert.deepEqual(await answers(client!, '10.96.0.2', 12), new Set([stuck]), 'a client stays with its endpoint');

  // One client port, so that the kernel sees one flow.
  assert.equal(await network.getDatagram(client!, '10.96.0.13', 53, 4000), 'a 10.244.0.4');
  informers.set(EndpointSlice, slice('datagrams', [{ ip: '10.244.0.3' }], 5353, 'UDP', 'udp'));

  // Live changes: an endpoint less, a Service gone, an affinity that ends.
  informers.set(EndpointSlice, slice('plain', [{ ip: '10.244.0.3' }]));
  informers.set(Service, service('sticky', '10.96.0.2'));
  informers.remove(Service, 'default/zoned');
  const settled = async (probe: () => Promise<boolean>): Promise<boolean> => {
    for (let turn = 0; turn < 40; turn++) if (await probe()) return true;
    return false;
  };
  assert.ok(
    await settled(async () => (await answers(client!, '10.96.0.1', 4)).has('b') && !(await answers(client!, '10.96.0.1', 8)).has('a')),
  );
  assert.ok(await settled(async () => (await answers(client!, '10.96.0.2', 8)).size === 2));
  assert.equal(await get(client!, '10.96.0.12', 80), 'timeout');
  assert.equal(await network.getDatagram(client!, '10.96.0.13', 53, 4000), 'b 10.244.0.4');
});
