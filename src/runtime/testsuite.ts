/**
 * What every runtime must do: run on the simulated one and on containerd. Commands are ones that a simulated container understands, too
 * (simulated/stages.ts). What needs a process (output, streams, ports) is asked of those that have them; of the others, that they say so.
 */
import assert from 'node:assert/strict';
import { readFileSync, renameSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { RuntimeError } from './contract.ts';
import { Bed, failsWith } from './testsuite-bed.ts';
import type { RuntimeUnderTest } from './testsuite-bed.ts';
import type { ContainerEventResponse, ContainerEventType } from './contract.ts';

export interface RuntimeBackend {
  name: string;
  /** A runtime with nothing in it but images, among them `image` (a busybox where there are processes). */
  open(): Promise<RuntimeUnderTest>;
  /** Containers are processes: they write, and streams reach them. */
  processes: boolean;
  /** Of events it tells the ends only. */
  onlyEnds?: boolean;
  /** After the last test. */
  end?(): Promise<void> | void;
  /** Why nothing can be tested here. */
  skip?: string | undefined;
}

const untilStopped = ['sh', '-c', 'trap "exit 0" TERM; echo ready; sleep 1000 & wait'];

export function runtimeSuite(backend: RuntimeBackend): void {
  describe(`runtime: ${backend.name}`, { skip: backend.skip ?? false, concurrency: false }, () => {
    let pods = 0;
    after(() => backend.end?.());
    const withRuntime = (run: (bed: Bed) => Promise<void>) => async () => {
      const under = await backend.open();
      const bed = new Bed(under, `p${++pods}`);
      try {
        await run(bed);
      } finally {
        await bed.clean();
        await under.close();
      }
    };
    const processes = { skip: backend.processes ? false : 'its containers have no processes' };

    test(
      'it says who it is, and that it is ready',
      withRuntime(async ({ runtime }) => {
        const { runtimeName, runtimeApiVersion } = await runtime.runtime.version({});
        assert.equal(runtimeApiVersion, 'v1');
        assert.equal(runtimeName, runtime.name);
        const { status } = await runtime.runtime.status({});
        for (const type of ['RuntimeReady', 'NetworkReady'])
          assert.equal(status?.conditions?.find((condition) => condition.type === type)?.status, true, type);
      }),
    );

    test(
      'a sandbox is made, found, stopped, removed; each as often as one likes',
      withRuntime(async (bed) => {
        const { runtime } = bed.runtime;
        const id = await bed.sandbox({ labels: { app: 'a' }, annotations: { note: 'n' } });
        const { status } = await runtime.podSandboxStatus({ podSandboxId: id });
        // The first value of an enumeration is not on the wire.
        assert.equal(status?.state ?? 'SANDBOX_READY', 'SANDBOX_READY');
        assert.equal(status?.metadata?.name, bed.name);
        assert.deepEqual([status?.labels, status?.annotations], [{ app: 'a' }, { note: 'n' }]);
        assert.match(status?.network?.ip ?? '', /^\d+\.\d+\.\d+\.\d+$/);
        assert(Math.abs((status?.createdAt ?? 0) / 1e6 - (await bed.now())) < 60_000, 'created now');
        const found = async (filter: object): Promise<number> => (await runtime.listPodSandbox({ filter })).items?.length ?? 0;
        assert.equal(await found({ id }), 1);
        assert.equal(await found({ id, state: { state: 'SANDBOX_READY' } }), 1);
        assert.equal(await found({ id, state: { state: 'SANDBOX_NOTREADY' } }), 0);
        assert.equal(await found({ labelSelector: { app: 'a' } }), 1);
        assert.equal(await found({ labelSelector: { app: 'b' } }), 0);
        for (let time = 0; time < 2; time++) await runtime.stopPodSandbox({ podSandboxId: id });
        assert.equal((await runtime.podSandboxStatus({ podSandboxId: id })).status?.state, 'SANDBOX_NOTREADY');
        for (let time = 0; time < 2; time++) await runtime.removePodSandbox({ podSandboxId: id });
        await assert.rejects(runtime.podSandboxStatus({ podSandboxId: id }), failsWith('not-found'));
        assert.equal(await found({ id }), 0);
      }),
    );

    test(
      'addresses of sandboxes that live at a time differ',
      withRuntime(async (bed) => {
        const ids = [await bed.sandbox(), await bed.sandbox(), await bed.sandbox()];
        const addresses = await Promise.all(
          ids.map(async (podSandboxId) => (await bed.runtime.runtime.podSandboxStatus({ podSandboxId })).status?.network?.ip),
        );
        assert.equal(new Set(addresses).size, 3, String(addresses));
      }),
    );

    test(
      'a container is created, runs, is stopped and removed; each state with its times',
      withRuntime(async (bed) => {
        const { runtime } = bed.runtime;
        const sandbox = await bed.sandbox();
        const id = await bed.create(sandbox, { command: untilStopped, labels: { part: 'x' }, annotations: { note: 'n' } });
        const created = await bed.status(id);
        assert.equal(created.state ?? 'CONTAINER_CREATED', 'CONTAINER_CREATED');
        assert.equal(created.metadata?.name, 'c');
        assert.deepEqual([created.labels, created.annotations], [{ part: 'x' }, { note: 'n' }]);
        assert(!created.startedAt && !created.finishedAt);
        await runtime.startContainer({ containerId: id });
        await bed.spoken(id);
        const running = await bed.status(id);
        assert.equal(running.state, 'CONTAINER_RUNNING');
        assert(running.startedAt! >= running.createdAt!);
        await assert.rejects(runtime.startContainer({ containerId: id }), RuntimeError, 'a running container is not started again');
        for (let time = 0; time < 2; time++) await runtime.stopContainer({ containerId: id, timeout: 30 });
        const stopped = await bed.status(id);
        assert.deepEqual([stopped.state, stopped.exitCode ?? 0, stopped.reason], ['CONTAINER_EXITED', 0, 'Completed']);
        assert(stopped.finishedAt! >= running.startedAt!);
        for (let time = 0; time < 2; time++) await runtime.removeContainer({ containerId: id });
        await assert.rejects(runtime.containerStatus({ containerId: id }), failsWith('not-found'));
      }),
    );

    const ends: [title: string, command: string[], code: number, reason: string][] = [
      ['that ends well', ['true'], 0, 'Completed'],
      ['that fails', ['false'], 1, 'Error'],
      ['with a code of its own', ['sh', '-c', 'exit 3'], 3, 'Error'],
    ];
    for (const [title, command, code, reason] of ends)
      test(
        `a command ${title}: exit code ${code}, reason ${reason}`,
        withRuntime(async (bed) => {
          const id = await bed.run(await bed.sandbox(), { command });
          const status = await bed.ended(id);
          assert.deepEqual([status.exitCode ?? 0, status.reason], [code, reason]);
        }),
      );

    test(
      'who does not heed is killed when the grace is over: 137',
      withRuntime(async (bed) => {
        const id = await bed.run(await bed.sandbox(), { command: ['sleep', '1000'] });
        await bed.runtime.runtime.stopContainer({ containerId: id, timeout: 0 });
        const status = await bed.status(id);
        assert.deepEqual([status.state, status.exitCode, status.reason], ['CONTAINER_EXITED', 137, 'Error']);
      }),
    );

    test(
      'a command that cannot be started says why, and its container has ended',
      withRuntime(async (bed) => {
        const id = await bed.create(await bed.sandbox({ annotations: { 'coxswain.dev/simulate': 'fail to start' } }), {
          command: ['/no/such/program'],
        });
        await assert.rejects(bed.runtime.runtime.startContainer({ containerId: id }), (error: unknown) => {
          assert(error instanceof RuntimeError);
          assert.match(error.message, backend.processes ? /no such file or directory/ : /start failure/);
          return true;
        });
        const status = await bed.status(id);
        assert.deepEqual([status.state, status.exitCode, status.reason], ['CONTAINER_EXITED', 128, 'StartError']);
      }),
    );

    test(
      'a sandbox that is stopped stops its containers; removed, it removes them',
      withRuntime(async (bed) => {
        const { runtime } = bed.runtime;
        const sandbox = await bed.sandbox();
        const id = await bed.run(sandbox, { command: ['sleep', '1000'] });
        await runtime.stopPodSandbox({ podSandboxId: sandbox });
        assert.equal((await bed.status(id)).state, 'CONTAINER_EXITED');
        await runtime.removePodSandbox({ podSandboxId: sandbox });
        await assert.rejects(runtime.containerStatus({ containerId: id }), failsWith('not-found'));
      }),
    );

    test(
      'a pod is whole after the end of the one that was made before it',
      withRuntime(async (bed) => {
        const { runtime } = bed.runtime;
        const [first, second] = [await bed.sandbox(), await bed.sandbox()];
        await bed.run(first, { command: untilStopped });
        const kept = await bed.run(second, { command: untilStopped });
        await runtime.stopPodSandbox({ podSandboxId: first });
        await runtime.removePodSandbox({ podSandboxId: first });
        assert.equal((await bed.status(kept)).state, 'CONTAINER_RUNNING');
        if (bed.processes) assert.equal((await runtime.execSync({ containerId: kept, cmd: ['true'], timeout: 10 })).exitCode ?? 0, 0);
        const more = await bed.run(second, { command: ['true'] }, 'more');
        assert.equal((await bed.ended(more)).exitCode ?? 0, 0);
        await runtime.stopContainer({ containerId: kept, timeout: 2 });
        assert.equal((await bed.status(kept)).state, 'CONTAINER_EXITED');
      }),
    );

    test(
      'containers are listed by sandbox, state and labels',
      withRuntime(async (bed) => {
        const [one, two] = [await bed.sandbox(), await bed.sandbox()];
        const a = await bed.run(one, { command: untilStopped, labels: { part: 'a' } }, 'a');
        const b = await bed.create(one, { command: untilStopped, labels: { part: 'b' } }, 'b');
        const c = await bed.run(two, { command: ['true'], labels: { part: 'a' } }, 'c');
        await bed.ended(c);
        const found = async (filter: object): Promise<string[]> =>
          ((await bed.runtime.runtime.listContainers({ filter })).containers ?? []).map(({ id = '' }) => id).sort();
        assert.deepEqual(await found({ podSandboxId: one }), [a, b].sort());
        assert.deepEqual(await found({ id: b }), [b]);
        assert.deepEqual(await found({ state: { state: 'CONTAINER_RUNNING' } }), [a]);
        assert.deepEqual(await found({ state: { state: 'CONTAINER_EXITED' } }), [c]);
        assert.deepEqual(await found({ labelSelector: { part: 'a' } }), [a, c].sort());
      }),
    );

    test(
      'ids that nobody knows: errors where something is asked, nothing where the end is there already',
      withRuntime(async (bed) => {
        const { runtime } = bed.runtime;
        const unknown = 'f'.repeat(64);
        const config = bed.container({ command: ['true'] }, 'c');
        const asked: Record<string, () => Promise<unknown>> = {
          podSandboxStatus: () => runtime.podSandboxStatus({ podSandboxId: unknown }),
          containerStatus: () => runtime.containerStatus({ containerId: unknown }),
          createContainer: () => runtime.createContainer({ podSandboxId: unknown, config, sandboxConfig: bed.pod() }),
          startContainer: () => runtime.startContainer({ containerId: unknown }),
          updateContainerResources: () => runtime.updateContainerResources({ containerId: unknown, linux: { cpuShares: 2 } }),
          execSync: () => runtime.execSync({ containerId: unknown, cmd: ['true'], timeout: 1 }),
          exec: () => runtime.exec({ containerId: unknown, cmd: ['true'], stdout: true }),
          attach: () => runtime.attach({ containerId: unknown, stdout: true }),
          portForward: () => runtime.portForward({ podSandboxId: unknown, port: [80] }),
          containerStats: () => runtime.containerStats({ containerId: unknown }),
        };
        for (const [name, ask] of Object.entries(asked)) await assert.rejects(ask(), failsWith('not-found'), name);
        // CRI wants no error here either; containerd before 1.7 has one.
        await runtime.stopPodSandbox({ podSandboxId: unknown }).catch(failsWith('not-found'));
        await runtime.removePodSandbox({ podSandboxId: unknown });
        await runtime.removeContainer({ containerId: unknown });
      }),
    );

    test(
      'images are found by name and by id, and gone when removed; one that is not there is no error',
      withRuntime(async (bed) => {
        const { images } = bed.runtime;
        const status = async (image: string): Promise<string | undefined> => (await images.imageStatus({ image: { image } })).image?.id;
        const id = await status(bed.image);
        assert.match(id ?? '', /^sha256:[0-9a-f]{64}$/);
        assert.equal(await status(id!), id);
        assert.equal(await status('coxswain.internal/nosuch:1'), undefined);
        const listed = (await images.listImages({})).images?.find((image) => image.id === id);
        assert(listed?.repoTags?.includes(bed.image), JSON.stringify(listed));
        assert((listed?.size ?? 0) > 0);
        for (let time = 0; time < 2; time++) await images.removeImage({ image: { image: id! } });
        assert.equal(await status(bed.image), undefined);
      }),
    );

    test(
      'a container of an image that is not there is refused',
      withRuntime(async (bed) => {
        const podSandboxId = await bed.sandbox();
        const config = { ...bed.container({ command: ['true'] }, 'c'), image: { image: 'coxswain.internal/nosuch:1' } };
        await assert.rejects(
          bed.runtime.runtime.createContainer({ podSandboxId, config, sandboxConfig: bed.pod() }),
          failsWith('not-found'),
        );
      }),
    );

    test(
      'an archive is loaded, its images named; what is none is refused',
      withRuntime(async (bed) => {
        const { runtime, image, archive } = bed;
        if (!archive) {
          await assert.rejects(runtime.load('/dev/null'), failsWith('unimplemented'));
          return;
        }
        await runtime.images.removeImage({ image: { image } });
        assert((await runtime.load(archive)).includes(image));
        assert((await runtime.images.imageStatus({ image: { image } })).image);
        await assert.rejects(runtime.load('/no/such/archive.tar'), RuntimeError);
        await assert.rejects(runtime.load('/etc/hostname'), RuntimeError);
      }),
    );

    test(
      'events tell of what happens to a container in order, its end above all, until nobody listens',
      withRuntime(async (bed) => {
        const { runtime } = bed.runtime;
        const listening = new AbortController();
        const seen: ContainerEventResponse[] = [];
        const told = (async () => {
          for await (const event of runtime.getContainerEvents({}, { signal: listening.signal })) seen.push(event);
        })();
        await bed.advance(bed.processes ? 300 : 1);
        const sandbox = await bed.sandbox();
        const id = await bed.run(sandbox, { command: ['true'] });
        await bed.ended(id);
        for (let tries = 0; tries < 100 && !seen.some(({ containerId }) => containerId === id); tries++) await bed.advance(20);
        await runtime.removeContainer({ containerId: id });
        const of = (container: string): ContainerEventType[] =>
          seen.flatMap(({ containerId, containerEventType }) => (containerId === container ? [containerEventType!] : []));
        const expected: ContainerEventType[] = backend.onlyEnds
          ? ['CONTAINER_STOPPED_EVENT']
          : ['CONTAINER_CREATED_EVENT', 'CONTAINER_STARTED_EVENT', 'CONTAINER_STOPPED_EVENT', 'CONTAINER_DELETED_EVENT'];
        for (let tries = 0; tries < 100 && of(id).length < expected.length; tries++) await bed.advance(50);
        assert.deepEqual(of(id), expected);
        const end = seen.find((event) => event.containerId === id && event.containerEventType === 'CONTAINER_STOPPED_EVENT')!;
        assert.equal(end.podSandboxStatus?.id, sandbox);
        assert.equal(end.containersStatuses?.find((status) => status.id === id)?.state, 'CONTAINER_EXITED');
        listening.abort();
        await told.catch(() => undefined);
      }),
    );

    test(
      'resources of a running container change',
      withRuntime(async (bed) => {
        const id = await bed.run(await bed.sandbox(), { command: untilStopped });
        await bed.runtime.runtime.updateContainerResources({ containerId: id, linux: { cpuShares: 512, memoryLimitInBytes: 64 << 20 } });
        const { linux } = (await bed.status(id)).resources ?? {};
        assert.deepEqual([linux?.cpuShares, linux?.memoryLimitInBytes], [512, 64 << 20]);
      }),
    );

    test(
      'statistics are those of the container that is asked for',
      withRuntime(async (bed) => {
        const { runtime } = bed.runtime;
        const [one, two] = [await bed.sandbox(), await bed.sandbox()];
        const a = await bed.run(one, { command: untilStopped, labels: { part: 'a' } }, 'a');
        const b = await bed.run(two, { command: untilStopped, labels: { part: 'b' } }, 'b');
        const { stats } = await runtime.containerStats({ containerId: a });
        assert.equal(stats?.attributes?.id, a);
        assert.equal(stats.attributes.metadata?.name, 'a');
        assert(stats.cpu?.usageCoreNanoSeconds && stats.memory?.workingSetBytes);
        const listed = async (filter: object): Promise<string[]> =>
          ((await runtime.listContainerStats({ filter })).stats ?? []).map(({ attributes }) => attributes?.id ?? '').sort();
        assert.deepEqual(await listed({}), [a, b].sort());
        assert.deepEqual(await listed({ id: b }), [b]);
        assert.deepEqual(await listed({ podSandboxId: one }), [a]);
        assert.deepEqual(await listed({ labelSelector: { part: 'b' } }), [b]);
      }),
    );

    test(
      'a command in a running container: its code; in one that has ended: refused',
      withRuntime(async (bed) => {
        const { runtime } = bed.runtime;
        const sandbox = await bed.sandbox();
        const id = await bed.run(sandbox, { command: untilStopped }, 'a');
        const fine = await runtime.execSync({ containerId: id, cmd: ['true'], timeout: 10 });
        assert.equal(fine.exitCode ?? 0, 0);
        const ended = await bed.run(sandbox, { command: ['true'] }, 'b');
        await bed.ended(ended);
        await assert.rejects(runtime.execSync({ containerId: ended, cmd: ['true'], timeout: 10 }), RuntimeError);
      }),
    );

    test(
      'a simulated container says that it has no process to speak to',
      { skip: backend.processes ? 'its containers have processes' : false },
      withRuntime(async ({ runtime }) => {
        const channels = { stdin: false, stdout: true, stderr: true, tty: false };
        await assert.rejects(runtime.stream('simulated:exec/x/["ls"]', channels), failsWith('unimplemented'));
        const forwarder = await runtime.forward('simulated:forward/x');
        await assert.rejects(forwarder.connect(80), failsWith('unimplemented'));
      }),
    );

    test(
      'a command in a container: output, errors, code, and its end when it takes too long',
      processes,
      withRuntime(async (bed) => {
        const { runtime } = bed.runtime;
        const containerId = await bed.run(await bed.sandbox(), { command: untilStopped });
        const answer = await runtime.execSync({ containerId, cmd: ['sh', '-c', 'echo out; echo err >&2; exit 4'], timeout: 10 });
        const string = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
        assert.deepEqual([string(answer.stdout), string(answer.stderr), answer.exitCode], ['out\n', 'err\n', 4]);
        await assert.rejects(runtime.execSync({ containerId, cmd: ['sleep', '100'], timeout: 1 }), failsWith('deadline-exceeded'));
      }),
    );

    test(
      'what a container writes is in its log, a line each with time and stream; a new file when it is asked for',
      processes,
      withRuntime(async (bed) => {
        const { runtime } = bed.runtime;
        const command = ['sh', '-c', 'echo one; echo two >&2; while [ ! -e /go ]; do sleep 0.05; done; echo three; printf four'];
        const id = await bed.run(await bed.sandbox(), { command });
        const path = (await bed.status(id)).logPath!;
        const lines = (file: string): string[] => readFileSync(file, 'utf8').split('\n').filter(Boolean);
        for (let tries = 0; tries < 100 && lines(path).length < 2; tries++) await bed.advance(20);
        const [first, ...more] = lines(path).sort((a, b) => (a.includes('stdout') && !b.includes('stdout') ? -1 : 1));
        assert.match(first!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d) stdout F one$/);
        assert.match(more[0]!, / stderr F two$/);
        renameSync(path, `${path}.old`);
        await runtime.reopenContainerLog({ containerId: id });
        await runtime.execSync({ containerId: id, cmd: ['touch', '/go'], timeout: 10 });
        await bed.ended(id);
        for (let tries = 0; tries < 100 && lines(path).length < 2; tries++) await bed.advance(20);
        assert.deepEqual(
          lines(path).map((line) => line.replace(/^\S+ /, '')),
          ['stdout F three', 'stdout P four'],
        );
        assert.equal(lines(`${path}.old`).length, 2);
      }),
    );

    test(
      'exec streams input, output and errors, and ends with the code',
      processes,
      withRuntime(async (bed) => {
        const { runtime } = bed;
        const containerId = await bed.run(await bed.sandbox(), { command: untilStopped });
        const channels = { stdin: true, stdout: true, stderr: true, tty: false };
        const { url } = await runtime.runtime.exec({ containerId, cmd: ['sh', '-c', 'cat; echo err >&2; exit 7'], ...channels });
        const command = await runtime.stream(url!, channels);
        command.stdin!.write('typed\n');
        command.stdin!.end('more\n');
        const [out, err, done] = await Promise.all([text(command.stdout!), text(command.stderr!), command.done]);
        assert.deepEqual([out, err], ['typed\nmore\n', 'err\n']);
        assert.equal(done['status'], 'Failure');
        assert.deepEqual(done['details'], { causes: [{ reason: 'ExitCode', message: '7' }] });
        command.close();
      }),
    );

    test(
      'exec on a terminal: one stream, and its size follows',
      processes,
      withRuntime(async (bed) => {
        const { runtime } = bed;
        const containerId = await bed.run(await bed.sandbox(), { command: untilStopped });
        const channels = { stdin: true, stdout: true, stderr: false, tty: true };
        const { url } = await runtime.runtime.exec({ containerId, cmd: ['sh', '-c', 'read go; stty size; echo err >&2'], ...channels });
        const command = await runtime.stream(url!, channels);
        command.resize(101, 33);
        await bed.advance(200);
        command.stdin!.write('\n');
        assert.match(await text(command.stdout!), /33 101\r\nerr\r\n/);
        assert.equal((await command.done)['status'], 'Success');
        command.close();
      }),
    );

    test(
      'attach reaches the container’s own process',
      processes,
      withRuntime(async (bed) => {
        const { runtime } = bed;
        const containerId = await bed.run(await bed.sandbox(), {
          command: ['sh', '-c', 'read line; echo "got $line"'],
          stdin: true,
          stdinOnce: true,
        });
        const channels = { stdin: true, stdout: true, stderr: true, tty: false };
        const { url } = await runtime.runtime.attach({ containerId, ...channels });
        const attached = await runtime.stream(url!, channels);
        attached.stdin!.write('this\n');
        assert.equal(await text(attached.stdout!), 'got this\n');
        attached.close();
        assert.equal((await bed.ended(containerId)).exitCode ?? 0, 0);
      }),
    );

    test(
      'a forwarded port answers, several times; one that nobody listens on says so',
      processes,
      withRuntime(async (bed) => {
        const { runtime } = bed;
        const sandbox = await bed.sandbox();
        const containerId = await bed.run(sandbox, { command: ['sh', '-c', 'nc -ll -p 8080 -e cat'] });
        for (let tries = 0; tries < 100; tries++) {
          const { exitCode } = await runtime.runtime.execSync({
            containerId,
            cmd: ['sh', '-c', 'netstat -ltn | grep -q :8080'],
            timeout: 5,
          });
          if (!exitCode) break;
          await bed.advance(50);
        }
        const { url } = await runtime.runtime.portForward({ podSandboxId: sandbox, port: [8080] });
        const forwarder = await runtime.forward(url!);
        for (const word of ['once', 'twice']) {
          const { stream } = await forwarder.connect(8080);
          stream.end(word);
          assert.equal(await text(stream), word);
        }
        const refused = await forwarder.connect(8081);
        refused.stream.on('error', () => undefined);
        refused.stream.resume();
        assert.match(await refused.error, /refused/);
        forwarder.close();
      }),
    );

    test(
      'many at a time',
      withRuntime(async (bed) => {
        const codes = await Promise.all(
          Array.from({ length: 8 }, async (_, index) => {
            const id = await bed.run(await bed.sandbox(), { command: ['sh', '-c', `exit ${index}`] });
            return (await bed.ended(id)).exitCode ?? 0;
          }),
        );
        assert.deepEqual(codes, [0, 1, 2, 3, 4, 5, 6, 7]);
      }),
    );
  });
}
