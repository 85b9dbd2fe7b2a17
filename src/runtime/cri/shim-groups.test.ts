import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSandboxConfig, RuntimeService } from '../contract.ts';
import { ShimGroups, groupAnnotation } from './shim-groups.ts';

/** A runtime whose sandboxes are there when they are told to be. */
function bed(size: number) {
  const asked: { config: PodSandboxConfig; answer: (id: string) => void; fail: () => void }[] = [];
  const ended: string[] = [];
  const containers: (string | undefined)[] = [];
  const service = new ShimGroups(size).watch({
    runPodSandbox: ({ config }) =>
      new Promise((resolve, reject) => {
        asked.push({ config: config!, answer: (podSandboxId) => resolve({ podSandboxId }), fail: () => reject(new Error('no')) });
      }),
    createContainer: ({ sandboxConfig }) => {
      containers.push(sandboxConfig?.annotations?.[groupAnnotation]);
      return Promise.resolve({});
    },
    stopPodSandbox: ({ podSandboxId }) => {
      ended.push(podSandboxId!);
      return Promise.resolve({});
    },
    removePodSandbox: () => Promise.resolve({}),
  } as Partial<RuntimeService> as RuntimeService);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    service,
    asked,
    ended,
    containers,
    turn,
    groups: () => asked.map(({ config }) => config.annotations?.[groupAnnotation] ?? '-').join(' '),
    async run(more: { runtimeHandler?: string; annotations?: Record<string, string> } = {}) {
      const { annotations, ...request } = more;
      const done = service.runPodSandbox({ ...request, config: annotations ? { annotations } : {} }).catch(() => undefined);
      await turn();
      return done;
    },
    /** Asked for, and there at once. */
    async made(id: string) {
      const done = service.runPodSandbox({ config: {} });
      await turn();
      asked.at(-1)!.answer(id);
      await done;
    },
  };
}

test('sandboxes join the first one until its group is full', async () => {
  const { made, groups } = bed(3);
  for (const id of ['a', 'b', 'c', 'd', 'e']) await made(id);
  assert.equal(groups(), '- a a - d');
});

test('those asked for together wait for the first of their group', async () => {
  const { asked, groups, service, turn } = bed(2);
  const done = ['a', 'b', 'c', 'd'].map(() => service.runPodSandbox({ config: {} }));
  await turn();
  assert.equal(groups(), '- -');
  asked[1]!.answer('c');
  await turn();
  assert.equal(groups(), '- - c');
  asked[0]!.answer('a');
  await turn();
  assert.equal(groups(), '- - c a');
  for (const [at, id] of ['d', 'b'].entries()) asked[at + 2]!.answer(id);
  assert.equal((await Promise.all(done)).length, 4);
});

test('when the first one fails the next is first', async () => {
  const { asked, groups, service, turn } = bed(3);
  const failed = assert.rejects(service.runPodSandbox({ config: {} }));
  void service.runPodSandbox({ config: {} });
  void service.runPodSandbox({ config: {} });
  await turn();
  asked[0]!.fail();
  await failed;
  await turn();
  assert.equal(groups(), '- -');
  asked[1]!.answer('b');
  await turn();
  assert.equal(groups(), '- - b');
});

test('nobody joins a group that somebody leaves', async () => {
  const { groups, made, service } = bed(8);
  await made('a');
  await made('b');
  await service.stopPodSandbox({ podSandboxId: 'a' });
  await made('c');
  await made('d');
  assert.equal(groups(), '- a - c');
});

test('the last one stays until those are there who were told to join', async () => {
  const { asked, ended, made, service, turn } = bed(8);
  await made('a');
  const joined = service.runPodSandbox({ config: {} });
  await turn();
  const stopped = service.stopPodSandbox({ podSandboxId: 'a' });
  await turn();
  assert.deepEqual(ended, []);
  asked[1]!.answer('b');
  await joined;
  await stopped;
  assert.deepEqual(ended, ['a']);
  await service.stopPodSandbox({ podSandboxId: 'b' });
  assert.deepEqual(ended, ['a', 'b']);
});

test('another handler has other shims', async () => {
  const { asked, groups, made, service, turn } = bed(8);
  await made('a');
  void service.runPodSandbox({ config: {}, runtimeHandler: 'sandboxed' });
  await turn();
  assert.equal(groups(), '- -');
  asked[1]!.answer('b');
});

test("a pod's own annotation has no say", async () => {
  const { asked, containers, run, service, turn } = bed(8);
  const annotations = { [groupAnnotation]: 'mine', other: 'stays' };
  void run({ annotations });
  await turn();
  assert.deepEqual(asked[0]!.config.annotations, { other: 'stays' });
  asked[0]!.answer('a');
  await turn();
  await service.createContainer({ podSandboxId: 'a', sandboxConfig: { annotations } });
  await service.createContainer({ podSandboxId: 'of an earlier life', sandboxConfig: { annotations } });
  assert.deepEqual(containers, ['a', undefined]);
});
