/** Small networks of Linux network namespaces for tests: one node, pods beside it on point-to-point links, a client outside. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { localMachine } from './command.ts';
import type { Machine } from './command.ts';

/** Why tests that need namespaces cannot run here; undefined: they can. */
export async function whyNoNamespaces(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root to make network namespaces';
  for (const [program, ...args] of [
    ['ip', '-V'],
    ['nft', '-v'],
  ] as [string, ...string[]][]) {
    try {
      await localMachine().run(program, args);
    } catch {
      return `needs the program ${program}`;
    }
  }
  const name = `cx-try-${randomBytes(3).toString('hex')}`;
  try {
    await localMachine().run('ip', ['netns', 'add', name]);
    await localMachine().run('ip', ['netns', 'del', name]);
    return undefined;
  } catch (error) {
    return `cannot make a network namespace: ${(error as Error).message}`;
  }
}

export interface TestNetwork extends AsyncDisposable {
  /** The node's namespace: 10.9.0.1 towards the outside client at 10.9.0.2, pods routed by /32. */
  node: Machine;
  nodeIp: string;
  /** Adds a pod with this address and answers its machine. */
  pod(ip: string): Promise<Machine>;
  outside: Machine;
  /** Starts an HTTP server there that answers "<name> <client address>", or a UDP one that does the same. */
  serve(machine: Machine, name: string, port: number, protocol?: 'tcp' | 'udp'): Promise<void>;
  /** What a client on `machine` gets: the answer, "refused" or "timeout". */
  get(machine: Machine, address: string, port: number): Promise<string>;
  /** The answer to a datagram from `fromPort`, or "timeout". */
  getDatagram(machine: Machine, address: string, port: number, fromPort: number): Promise<string>;
}

const prefixes = new WeakMap<Machine, string[]>();

const server = `
const [name, port, protocol] = process.argv.slice(1);
if (protocol === 'udp') {
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('message', (_, from) => socket.send(name + ' ' + from.address, from.port, from.address));
  socket.bind(Number(port), () => console.log('ready'));
} else require('node:net').createServer((socket) => {
  socket.on('error', () => {});
  socket.on('data', () => socket.end('HTTP/1.0 200 OK\\r\\n\\r\\n' + name + ' ' + socket.remoteAddress.replace('::ffff:', '')));
}).listen(Number(port), '::', () => console.log('ready'));
`;

const datagramClient = `
const [address, port, fromPort] = process.argv.slice(1);
const socket = require('node:dgram').createSocket('udp4');
const end = (text) => { process.stdout.write(text); socket.close(); clearTimeout(timer); };
const timer = setTimeout(() => end('timeout'), 1000);
socket.on('message', (text) => end(String(text)));
socket.bind(Number(fromPort), () => socket.send('hello', Number(port), address));
`;

export async function testNetwork(): Promise<TestNetwork> {
  const host = localMachine();
  const id = `cx-${randomBytes(3).toString('hex')}`;
  const names: string[] = [];
  const children: ChildProcess[] = [];
  const make = async (name: string): Promise<Machine> => {
    const full = `${id}-${name}`;
    await host.run('ip', ['netns', 'add', full]);
    names.push(full);
    const prefix = ['ip', 'netns', 'exec', full];
    const machine = localMachine(prefix);
    prefixes.set(machine, prefix);
    await machine.run('ip', ['link', 'set', 'lo', 'up']);
    return machine;
  };
  const link = (a: string, inA: string, b: string, inB: string): Promise<string> =>
    host.run('ip', ['link', 'add', inA, 'netns', `${id}-${a}`, 'type', 'veth', 'peer', 'name', inB, 'netns', `${id}-${b}`]);
  const node = await make('node');
  const outside = await make('out');
  await link('node', 'out0', 'out', 'eth0');
  await node.run('ip', ['address', 'add', '10.9.0.1/24', 'dev', 'out0']);
  await node.run('ip', ['link', 'set', 'out0', 'up']);
  await outside.run('ip', ['address', 'add', '10.9.0.2/24', 'dev', 'eth0']);
  await outside.run('ip', ['link', 'set', 'eth0', 'up']);
  await outside.run('ip', ['route', 'add', 'default', 'via', '10.9.0.1']);
  await node.sysctl('net/ipv4/ip_forward', '1');
  // A route for Service addresses, as a default route would be on a real node.
  await node.run('ip', ['route', 'add', 'default', 'via', '10.9.0.2']);
  let pods = 0;
  return {
    node,
    nodeIp: '10.9.0.1',
    outside,
    async pod(ip) {
      const name = `p${++pods}`;
      const machine = await make(name);
      await link('node', name, name, 'eth0');
      await node.run('ip', ['link', 'set', name, 'up']);
      await node.run('ip', ['address', 'add', '10.244.0.1/32', 'dev', name]);
      await node.run('ip', ['route', 'add', `${ip}/32`, 'dev', name]);
      await machine.run('ip', ['address', 'add', `${ip}/32`, 'dev', 'eth0']);
      await machine.run('ip', ['link', 'set', 'eth0', 'up']);
      await machine.run('ip', ['route', 'add', '10.244.0.1/32', 'dev', 'eth0']);
      await machine.run('ip', ['route', 'add', 'default', 'via', '10.244.0.1']);
      return machine;
    },
    serve(machine, name, port, protocol = 'tcp') {
      const [program, ...args] = [...prefixes.get(machine)!, process.execPath, '-e', server, name, String(port), protocol];
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      return new Promise((resolve, reject) => {
        child.stdout.once('data', () => resolve());
        child.once('exit', (code) => reject(new Error(`server ${name} ended with ${code}`)));
      });
    },
    async get(machine, address, port) {
      const target = `http://${address.includes(':') ? `[${address}]` : address}:${port}/`;
      try {
        return await machine.run('curl', ['-gsS', '--noproxy', '*', '--connect-timeout', '0.3', '--max-time', '2', target]);
      } catch (error) {
        const { code } = error as { code?: number };
        return code === 7 ? 'refused' : code === 28 ? 'timeout' : `failed with ${code}`;
      }
    },
    getDatagram: (machine, address, port, fromPort) =>
      machine.run(process.execPath, ['-e', datagramClient, address, String(port), String(fromPort)]),
    async [Symbol.asyncDispose]() {
      for (const child of children) {
        child.removeAllListeners('exit');
        const ended = new Promise((resolve) => child.once('exit', resolve));
        if (child.exitCode === null && child.kill()) await ended;
      }
      for (const name of names) await host.run('ip', ['netns', 'del', name]);
    },
  };
}
