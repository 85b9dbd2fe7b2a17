/**
 * node driver.ts <kubeconfig> <address> <round> <queries>, on a machine's network: makes Services and asks the machine's own proxy and DNS for them.
 * Prints as JSON: seconds until a new Service's address leads to its endpoint, until a changed endpoint is what it leads to, until its name resolves; and DNS
 * answers a second to 64 questions at a time.
 */
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { decode, encode } from 'dns-packet';
import { EndpointSlice, Service } from '#api';
import { clientOver } from '#client';
import { kubeconfigTransport } from '#client/kubeconfig';
import { draft } from '#machinery/meta';
import { systemClock } from '#machinery/clock';

const [, , kubeconfig, address, round, queriesText] = process.argv;
const queries = Number(queriesText);
const transport = kubeconfigTransport(kubeconfig!, { clock: systemClock });
const client = clientOver(transport);
const namespace = 'default';
const name = `net-${round}`;
const dns = '10.96.0.10';

/** A server of this machine that says which one it is. */
function answering(text: string): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.end(text)).listen(0, '0.0.0.0', () => resolve((server.address() as AddressInfo).port));
  });
}

/** What a connection is told; undefined when there is none. */
const ask = (host: string, port: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 300 });
    let text = '';
    const end = (answer: string | undefined): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('data', (data) => (text += String(data)));
    socket.on('end', () => end(text));
    socket.on('timeout', () => end(undefined));
    socket.on('error', () => end(undefined));
  });

async function until(what: () => Promise<boolean>): Promise<number> {
  const started = performance.now();
  while (!(await what())) {
    if (performance.now() - started > 60_000) throw new Error('the network did not follow within a minute');
    await new Promise<void>((resolve) => void setTimeout(resolve, 2));
  }
  return (performance.now() - started) / 1000;
}

const slice = (port: number): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name, 'endpointslice.kubernetes.io/managed-by': 'bench' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: [address!], conditions: { ready: true } }],
  ports: [{ name: 'x', port, protocol: 'TCP' }],
});

const question = (id: number, host: string): Buffer =>
  Buffer.from(encode({ type: 'query', id, flags: 256, questions: [{ type: 'A', name: host }] }));

const resolves = (host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4');
    const timer = setTimeout(() => end(false), 300);
    const end = (found: boolean): void => {
      clearTimeout(timer);
      socket.close();
      resolve(found);
    };
    socket.on('message', (message) => end((decode(message).answers?.length ?? 0) > 0));
    socket.on('error', () => end(false));
    socket.send(question(1, host), 53, dns);
  });

async function dnsRate(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.connect(53, dns, resolve));
  const host = 'kubernetes.default.svc.cluster.local';
  let [sent, got] = [0, 0];
  const started = performance.now();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`DNS answered ${got} of ${queries} questions within 60 s`)), 60_000);
    socket.on('message', () => {
      if (++got === queries) {
        clearTimeout(timer);
        resolve();
      } else if (sent < queries) socket.send(question(sent++ & 0xffff, host));
    });
    for (; sent < 64; sent++) socket.send(question(sent, host));
  });
  socket.close();
  return queries / ((performance.now() - started) / 1000);
}

const [first, second] = [await answering('first'), await answering('second')];
const made = await client.create(Service, {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { ports: [{ name: 'x', port: 80, targetPort: first, protocol: 'TCP' }] },
});
const ip = made.spec!.clusterIP!;
const current = await client.create(EndpointSlice, slice(first));
const connected = await until(async () => (await ask(ip, 80)) === 'first');
const changed = draft(current);
changed.ports = slice(second).ports!;
await client.update(EndpointSlice, changed);
const moved = await until(async () => (await ask(ip, 80)) === 'second');
await client.create(Service, {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: `${name}-dns`, namespace },
  spec: { ports: [{ port: 80 }] },
});
const named = await until(() => resolves(`${name}-dns.default.svc.cluster.local`));
const rate = await dnsRate();
await client.delete(Service, { namespace, name });
await client.delete(Service, { namespace, name: `${name}-dns` });
await client.delete(EndpointSlice, { namespace, name }).catch(() => undefined);
console.log(JSON.stringify({ connected, moved, named, rate }));
await transport.close();
process.exit();
