import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { test } from 'node:test';
import { decode, encode, RECURSION_DESIRED } from 'dns-packet';
import type { Answer, DecodedPacket, RecordType } from 'dns-packet';
import { EndpointSlice, Namespace, Service } from '#api';
import { seededRandom, virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { fedInformers } from '../test-informers.ts';
import type { FedInformers } from '../test-informers.ts';
import { createDns } from './dns.ts';
import { framed } from './forwarder.ts';

interface Ask {
  name: string;
  type?: RecordType;
  tcp?: boolean;
  edns?: number;
}

function question({ name, type = 'A', edns }: Ask, id: number): Buffer {
  const opt = { type: 'OPT', name: '.', udpPayloadSize: edns, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] };
  return encode({
    type: 'query',
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name, type }],
    ...(edns && { additionals: [opt as unknown as Answer] }),
  });
}

function udp(bytes: Buffer, port: number): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.on('message', (answer) => {
      socket.close();
      resolve(answer);
    });
    socket.send(bytes, port, '127.0.0.1');
  });
}

function tcp(bytes: Buffer, port: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(framed(bytes)));
    let got = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
      if (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
        socket.destroy();
        resolve(got.subarray(2));
      }
    });
  });
}

function cluster(): FedInformers {
  const informers = fedInformers();
  informers.set(Namespace, { metadata: { name: 'default' } }, { metadata: { name: 'empty' } });
  const service = (name: string, spec: Service['spec']): Service => ({ metadata: { name, namespace: 'default' }, spec });
  const port = (name: string, number: number, protocol = 'TCP') => ({ name, port: number, protocol });
  informers.set(
    Service,
    service('web', { clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5', 'fd00::5'], ports: [port('http', 80), port('dns', 53, 'UDP')] }),
    service('group', { clusterIP: 'None', ports: [port('http', 80)] }),
    service('nobody', { clusterIP: 'None', ports: [port('http', 80)] }),
    service('elsewhere', { type: 'ExternalName', externalName: 'foo.example.com' }),
    service('alias', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }),
    service('many', { clusterIP: 'None' }),
  );
  const slice = (
    name: string,
    endpoints: EndpointSlice['endpoints'],
    ports: EndpointSlice['ports'] = [port('http', 8080)],
  ): EndpointSlice => ({
    metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints,
    ports,
  });
  informers.set(
    EndpointSlice,
    slice('group', [
      { addresses: ['10.244.0.1'], hostname: 'one' },
      { addresses: ['10.244.0.2'], conditions: { ready: true } },
      { addresses: ['10.244.0.3'], conditions: { ready: false } },
    ]),
    slice('web', [{ addresses: ['10.244.0.9'] }]),
    slice(
      'many',
      Array.from({ length: 60 }, (_, index) => ({ addresses: [`10.244.1.${index}`] })),
      [],
    ),
  );
  return informers;
}

/** Makes "name type ttl data" of records, for tables. */
const told = (records: Answer[] | undefined): string[] =>
  (records ?? [])
    .filter((record) => record.type !== 'OPT')
    .map((record) => {
      const { name, type, data } = record as { name: string; type: string; data: unknown };
      if (type === 'SRV') {
        const { priority, weight, port, target } = data as { priority: number; weight: number; port: number; target: string };
        return `${name} SRV ${priority} ${weight} ${port} ${target}`;
      }
      return `${name} ${type} ${type === 'TXT' ? String((data as Buffer[])[0]) : String(data)}`;
    })
    .sort();

async function start(informers: FedInformers, upstreams: string[] = []) {
  const clock = virtualClock();
  const dns = await createDns({ informers, listen: [{ address: '127.0.0.1', port: 0 }], upstreams }).start({
    clock,
    random: seededRandom(1),
    log: silentLog,
    signal: new AbortController().signal,
  });
  const { port } = dns.listeners[0]!;
  return {
    dns,
    clock,
    port,
    async ask(ask: Ask): Promise<DecodedPacket & { rcode: string }> {
      const bytes = await (ask.tcp ? tcp : udp)(question(ask, 77), port);
      return decode(bytes) as DecodedPacket & { rcode: string };
    },
  };
}

const zone = 'default.svc.cluster.local';
const table: [ask: Ask, rcode: string, answers: string[], additionals?: string[]][] = [
  [{ name: `web.${zone}` }, 'NOERROR', [`web.${zone} A 10.96.0.5`]],
  [{ name: `web.${zone}`, type: 'AAAA' }, 'NOERROR', [`web.${zone} AAAA fd00::5`]],
  [{ name: `web.${zone}`, tcp: true }, 'NOERROR', [`web.${zone} A 10.96.0.5`]],
  [{ name: `WeB.${zone}` }, 'NOERROR', [`WeB.${zone} A 10.96.0.5`]],
  [{ name: `web.${zone}`, type: 'MX' }, 'NOERROR', []],
  [{ name: `group.${zone}` }, 'NOERROR', [`group.${zone} A 10.244.0.1`, `group.${zone} A 10.244.0.2`]],
  [{ name: `one.group.${zone}` }, 'NOERROR', [`one.group.${zone} A 10.244.0.1`]],
  [{ name: `10-244-0-2.group.${zone}` }, 'NOERROR', [`10-244-0-2.group.${zone} A 10.244.0.2`]],
  [{ name: `10-244-0-3.group.${zone}` }, 'NXDOMAIN', []],
  [{ name: `nobody.${zone}` }, 'NXDOMAIN', []],
  [{ name: `none.${zone}` }, 'NXDOMAIN', []],
  [{ name: 'web.nowhere.svc.cluster.local' }, 'NXDOMAIN', []],
  [{ name: 'empty.svc.cluster.local' }, 'NOERROR', []],
  [{ name: 'svc.cluster.local' }, 'NOERROR', []],
  [{ name: 'web.default.cluster.local' }, 'NXDOMAIN', []],
  [
    { name: `_http._tcp.web.${zone}`, type: 'SRV' },
    'NOERROR',
    [`_http._tcp.web.${zone} SRV 0 100 80 web.${zone}`],
    [`web.${zone} A 10.96.0.5`, `web.${zone} AAAA fd00::5`],
  ],
  [{ name: `_dns._udp.web.${zone}`, type: 'SRV' }, 'NOERROR', [`_dns._udp.web.${zone} SRV 0 100 53 web.${zone}`]],
  [{ name: `_http._udp.web.${zone}`, type: 'SRV' }, 'NXDOMAIN', []],
  [
    { name: `_http._tcp.group.${zone}`, type: 'SRV' },
    'NOERROR',
    [`_http._tcp.group.${zone} SRV 0 50 8080 10-244-0-2.group.${zone}`, `_http._tcp.group.${zone} SRV 0 50 8080 one.group.${zone}`],
    [`10-244-0-2.group.${zone} A 10.244.0.2`, `one.group.${zone} A 10.244.0.1`],
  ],
  [{ name: `elsewhere.${zone}`, type: 'CNAME' }, 'NOERROR', [`elsewhere.${zone} CNAME foo.example.com`]],
  [{ name: `elsewhere.${zone}` }, 'NOERROR', [`elsewhere.${zone} CNAME foo.example.com`]],
  [{ name: `alias.${zone}` }, 'NOERROR', [`alias.${zone} CNAME web.${zone}`, `web.${zone} A 10.96.0.5`]],
  [{ name: '1-2-3-4.default.pod.cluster.local' }, 'NOERROR', ['1-2-3-4.default.pod.cluster.local A 1.2.3.4']],
  [{ name: '1-2-3-4.nowhere.pod.cluster.local' }, 'NXDOMAIN', []],
  [{ name: '5.0.96.10.in-addr.arpa', type: 'PTR' }, 'NOERROR', [`5.0.96.10.in-addr.arpa PTR web.${zone}`]],
  [{ name: '1.0.244.10.in-addr.arpa', type: 'PTR' }, 'NOERROR', [`1.0.244.10.in-addr.arpa PTR one.group.${zone}`]],
  [
    { name: '5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa', type: 'PTR' },
    'NOERROR',
    [`5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa PTR web.${zone}`],
  ],
  [{ name: 'dns-version.cluster.local', type: 'TXT' }, 'NOERROR', ['dns-version.cluster.local TXT 1.1.0']],
  [{ name: 'ns.dns.cluster.local' }, 'NOERROR', ['ns.dns.cluster.local A 127.0.0.1']],
  [{ name: 'example.com' }, 'REFUSED', []],
  [{ name: '1.1.1.1.in-addr.arpa', type: 'PTR' }, 'REFUSED', []],
];

test('names of the cluster mean what the specification says', async (t) => {
  const server = await start(cluster());
  for (const [ask, rcode, answers, additionals] of table)
    await t.test(`${ask.name} ${ask.type ?? 'A'}${ask.tcp ? ' by TCP' : ''}`, async () => {
      const answer = await server.ask(ask);
      assert.equal(answer.rcode, rcode);
      assert.equal(answer.id, 77);
      assert.deepEqual(told(answer.answers), answers);
      if (additionals) assert.deepEqual(told(answer.additionals), additionals);
      if (answers.length === 0 && rcode !== 'REFUSED') assert.equal(answer.authorities?.[0]?.type, 'SOA');
    });
  await server.dns.stop();
});

test('changes are seen at once', async () => {
  const informers = cluster();
  const server = await start(informers);
  informers.set(Service, { metadata: { name: 'new', namespace: 'default' }, spec: { clusterIP: '10.96.0.77' } });
  assert.deepEqual(told((await server.ask({ name: `new.${zone}` })).answers), [`new.${zone} A 10.96.0.77`]);
  informers.remove(Service, 'default/new');
  assert.equal((await server.ask({ name: `new.${zone}` })).rcode, 'NXDOMAIN');
  await server.dns.stop();
});

test('a question that comes again gets the same answer with its own id, until the zone changes', async () => {
  const informers = cluster();
  const server = await start(informers);
  const ask = (id: number, name: string, type: RecordType = 'A', edns?: number): Promise<Buffer> =>
    udp(question({ name, type, ...(edns && { edns }) }, id), server.port);
  const asks: [name: string, type?: RecordType, edns?: number][] = [
    [`web.${zone}`],
    [`web.${zone}`, 'AAAA'],
    [`WEB.${zone}`],
    [`web.${zone}`, 'A', 1400],
    [`none.${zone}`],
    [`many.${zone}`],
    [`_http._tcp.group.${zone}`, 'SRV'],
  ];
  for (const of of asks) {
    const [first, second] = [await ask(7, ...of), await ask(0xabcd, ...of)];
    assert.equal(second.readUInt16BE(0), 0xabcd);
    assert.deepEqual(second.subarray(2), first.subarray(2), String(of));
  }
  const addressNow = async (): Promise<string[]> => told((await server.ask({ name: `web.${zone}` })).answers);
  informers.set(Service, { metadata: { name: 'web', namespace: 'default' }, spec: { clusterIP: '10.96.0.6' } });
  assert.deepEqual(await addressNow(), [`web.${zone} A 10.96.0.6`]);
  informers.remove(Namespace, 'default');
  assert.deepEqual(await addressNow(), []);
  informers.set(Namespace, { metadata: { name: 'default' } });
  assert.deepEqual(await addressNow(), [`web.${zone} A 10.96.0.6`]);
  await server.dns.stop();
});

test('what does not fit UDP is cut, and whole by TCP', async () => {
  const server = await start(cluster());
  const cut = await server.ask({ name: `many.${zone}` });
  assert.equal(cut.flag_tc, true);
  assert.equal(cut.answers?.length, 0);
  const whole = await server.ask({ name: `many.${zone}`, tcp: true });
  assert.equal(whole.answers?.length, 60);
  const edns = await server.ask({ name: `web.${zone}`, edns: 1400 });
  assert.equal(edns.additionals?.at(-1)?.type, 'OPT');
  await server.dns.stop();
});

test('nonsense is refused, and answers are not answered', async () => {
  const server = await start(cluster());
  const broken = Buffer.concat([question({ name: 'x' }, 5).subarray(0, 12), Buffer.from([63, 1, 2])]);
  const answer = await udp(broken, server.port);
  assert.equal(answer.readUInt16BE(0), 5);
  assert.equal(answer.readUInt16BE(2) & 0xf, 1);
  const notify = question({ name: 'cluster.local' }, 6);
  notify.writeUInt8(0x20, 2);
  assert.equal((await udp(notify, server.port)).readUInt16BE(2) & 0xf, 4);
  await server.dns.stop();
});

test('other names go to a resolver outside, and are kept as long as they last', async () => {
  let asked = 0;
  const resolver = createSocket('udp4');
  resolver.on('message', (bytes, from) => {
    asked++;
    const query = decode(bytes);
    const { name } = query.questions![0]!;
    const answers: Answer[] = [{ type: 'A', name, ttl: 20, data: '192.0.2.1' }];
    resolver.send(encode({ type: 'response', id: query.id!, questions: query.questions!, answers }), from.port, from.address);
  });
  await new Promise<void>((resolve) => resolver.bind(0, '127.0.0.1', resolve));
  const server = await start(cluster(), [`127.0.0.1:${resolver.address().port}`]);
  assert.deepEqual(told((await server.ask({ name: 'foo.example.com' })).answers), ['foo.example.com A 192.0.2.1']);
  await server.clock.advance(5000);
  const again = await server.ask({ name: 'foo.example.com' });
  assert.equal((again.answers![0] as { ttl: number }).ttl, 15);
  assert.equal(asked, 1);
  await server.clock.advance(16_000);
  await server.ask({ name: 'foo.example.com' });
  assert.equal(asked, 2);
  assert.deepEqual(told((await server.ask({ name: `elsewhere.${zone}` })).answers), [
    `elsewhere.${zone} CNAME foo.example.com`,
    'foo.example.com A 192.0.2.1',
  ]);
  await server.dns.stop();
  resolver.close();
});

test('a resolver that does not answer costs its time and no more', async () => {
  const silent = createSocket('udp4');
  await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
  const heard = new Promise((resolve) => silent.once('message', resolve));
  const server = await start(cluster(), [`127.0.0.1:${silent.address().port}`]);
  const answer = server.ask({ name: 'foo.example.com' });
  await heard;
  await server.clock.advance(2000);
  assert.equal((await answer).rcode, 'SERVFAIL');
  await server.dns.stop();
  silent.close();
});
