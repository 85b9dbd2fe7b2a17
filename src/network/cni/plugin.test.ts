import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { localMachine } from '../command.ts';
import { whyNoNamespaces } from '../test-namespaces.ts';
import { pluginServes, writePlugins } from './plugin.ts';

for (const [cidrs, wanted] of [
  [['10.244.1.0/24'], true],
  [['10.244.0.0/9'], true],
  [['10.244.1.0/30'], false],
  [['fd00::/64'], false],
  [['10.244.1.0/24', 'fd00::/64'], false],
] as const)
  test(`pod networks ${cidrs.join(' and ')} are ${wanted ? '' : 'not '}served`, () => assert.equal(pluginServes(cidrs), wanted));

const skip = await whyNoNamespaces();
const host = localMachine();

/** Runs a plugin as a runtime does, on a node that is a namespace. */
function call(
  node: string,
  program: string,
  environment: Record<string, string>,
): Promise<{ code: number; answer: Record<string, unknown> }> {
  return new Promise((resolve) => {
    const child = execFile('nsenter', [`--net=/run/netns/${node}`, program], { env: { ...process.env, ...environment } }, (error, stdout) =>
      resolve({ code: Number(error?.code ?? 0), answer: stdout ? (JSON.parse(stdout) as Record<string, unknown>) : {} }),
    );
    child.stdin!.on('error', () => undefined).end('{"cniVersion":"1.0.0","name":"coxswain","type":"coxswain"}');
  });
}

test(
  'pods get links and addresses, each its own, until none is left; what ends gives its back',
  { skip: skip ?? false, timeout: 60_000 },
  async () => {
    const id = `cx-${randomBytes(3).toString('hex')}`;
    const folder = await mkdtemp(`${tmpdir()}/cni plugin's `);
    const pods = Array.from({ length: 6 }, (_, index) => `${id}-p${index}`);
    const namespaces = [id, ...pods];
    for (const name of namespaces) await host.run('ip', ['netns', 'add', name]);
    try {
      await writePlugins(folder, { podCidr: '10.244.7.8/29', dataDir: `${folder}/addresses`, mtu: 1400 });
      const of = (command: string, pod: number): ReturnType<typeof call> =>
        call(id, `${folder}/coxswain`, {
          CNI_COMMAND: command,
          CNI_CONTAINERID: `pod${pod}`.repeat(8),
          CNI_NETNS: `/run/netns/${pods[pod]!}`,
          CNI_IFNAME: 'eth0',
          CNI_PATH: folder,
        });
      assert.deepEqual((await of('VERSION', 0)).answer['cniVersion'], '1.0.0');
      assert.equal((await of('CHECK', 0)).code, 1);
      // Six usable addresses less the gateway's are five.
      const added = await Promise.all([0, 1, 2, 3, 4].map((pod) => of('ADD', pod)));
      const addresses = added.map(({ answer }) => (answer['ips'] as { address: string }[])[0]!.address);
      assert.deepEqual(
        addresses.toSorted(),
        ['10', '11', '12', '13', '14'].map((last) => `10.244.7.${last}/29`),
      );
      const refused = await of('ADD', 5);
      assert.equal(refused.code, 1);
      assert.match(String(refused.answer['msg']), /no IP addresses available in range set: 10\.244\.7\.9-10\.244\.7\.14/);
      assert.equal((await of('CHECK', 1)).code, 0);

      const inside = (pod: number, ...command: string[]): Promise<string> => host.run('ip', ['netns', 'exec', pods[pod]!, ...command]);
      const bare = (address: string): string => address.split('/')[0]!;
      const [a, b] = [bare(addresses[0]!), bare(addresses[1]!)];
      assert.match(await inside(0, 'ip', 'route', 'get', b), /via 10\.244\.7\.9 dev eth0 src/);
      assert.match(await inside(0, 'ip', 'route', 'get', '192.0.2.1'), /via 10\.244\.7\.9 dev eth0 src/);
      assert.match(await inside(0, 'ip', 'link', 'show', 'eth0'), /mtu 1400 .*state UP/);
      assert.match(await inside(0, 'ip', 'link', 'show', 'lo'), /LOOPBACK,UP/);
      assert.match(await host.run('ip', ['-n', id, 'route', 'get', a]), new RegExp(`^${a.replaceAll('.', '\\.')} dev veth`));

      assert.equal((await of('DEL', 2)).code, 0);
      assert.equal((await of('DEL', 2)).code, 0, 'again is no fault');
      await host.run('ip', ['netns', 'del', pods[2]!]);
      const later = await of('ADD', 5);
      assert.equal((later.answer['ips'] as { address: string }[])[0]!.address, addresses[2], 'the address that was given back');
      for (const pod of [0, 1, 3, 4, 5]) await of('DEL', pod);
      assert.deepEqual(await readdir(`${folder}/addresses/addresses`), []);
      assert.deepEqual(await readdir(`${folder}/addresses/containers`), []);
    } finally {
      const left = new Set(await readdir('/run/netns'));
      for (const name of namespaces) if (left.has(name)) await host.run('ip', ['netns', 'del', name]);
      await rm(folder, { recursive: true });
    }
  },
);
