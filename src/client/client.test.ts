import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventsV1Event, Pod } from '#api';
import { Event as EventKind, Lease as LeaseKind, Node as NodeKind, Pod as PodKind } from '#api';
import type { VirtualClock } from '#machinery/clock';
import { seededRandom, virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { KubeObject } from '#machinery/meta';
import { draft, keyOf } from '#machinery/meta';
import { alreadyExists, badRequest, expired, isConflict, modified, notFound, serviceUnavailable } from '#machinery/status';
import type { ApiCall, Transport, WatchEvent } from './mod.ts';
import { actionRecorder, clientOver, eventRecorder, informersOver, leaderElection, pathOf, retryOnConflict, workQueue } from './mod.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Moves the clock in small steps, so that chains of promises and timers keep up. */
async function pass(clock: VirtualClock, milliseconds: number): Promise<void> {
  for (let step = 0; step < 100; step++) await clock.advance(milliseconds / 100);
}

/** A server of one kind, with switches for what goes wrong. */
class FakeServer implements Transport {
  objects = new Map<string, KubeObject>();
  revision = 10;
  watchers = new Set<{ sink: (event: WatchEvent) => void; end(error?: Error): void }>();
  calls: ApiCall[] = [];
  watches: Record<string, string>[] = [];
  refuseStream = false;
  failWatch: Error | undefined;
  failCall: Error | undefined;

  put(name: string, extra: KubeObject & Record<string, unknown> = {}): KubeObject {
    const old = this.objects.get(name);
    const object = {
      ...extra,
      metadata: {
        uid: old?.metadata?.uid ?? `u-${name}`,
        ...extra.metadata,
        name,
        namespace: 'default',
        resourceVersion: String(++this.revision),
      },
    };
    this.objects.set(name, object);
    this.tell({ type: old ? 'MODIFIED' : 'ADDED', object });
    return object;
  }

  remove(name: string): void {
    const object = draft(this.objects.get(name)!);
    object.metadata!.resourceVersion = String(++this.revision);
    this.objects.delete(name);
    this.tell({ type: 'DELETED', object });
  }

  tell(event: WatchEvent): void {
    for (const watcher of this.watchers) watcher.sink(event);
  }

  async call(call: ApiCall): Promise<unknown> {
    this.calls.push(call);
    await settle();
    if (this.failCall) throw this.failCall;
    const name = call.name ?? (call.body as KubeObject)?.metadata?.name ?? '';
    const stored = this.objects.get(name);
    switch (call.verb) {
      case 'list':
        return { items: [...this.objects.values()], metadata: { resourceVersion: String(this.revision) } };
      case 'get':
        if (!stored) throw notFound(call.kind, name);
        return stored;
      case 'create':
        if (stored) throw alreadyExists(call.kind, name);
        return this.put(name, call.body as KubeObject & Record<string, unknown>);
      case 'update': {
        if (!stored) throw notFound(call.kind, name);
        const sent = call.body as KubeObject & Record<string, unknown>;
        if (sent.metadata?.resourceVersion !== stored.metadata?.resourceVersion) throw modified(call.kind, name);
        return this.put(name, sent);
      }
      case 'patch':
        if (!stored) throw notFound(call.kind, name);
        return this.put(name, { ...stored, ...(call.body as object) });
      default:
        this.remove(name);
        return undefined;
    }
  }

  async watch(call: Omit<ApiCall, 'verb'>, sink: (event: WatchEvent) => void) {
    const query = call.query ?? {};
    this.watches.push(query);
    await settle();
    if (this.failWatch) throw this.failWatch;
    if (query['sendInitialEvents'] && this.refuseStream) throw badRequest('sendInitialEvents is forbidden');
    let end!: (error?: Error) => void;
    const done = new Promise<void>((resolve, reject) => (end = (error) => (error ? reject(error) : resolve())));
    done.catch(() => undefined);
    const watcher = {
      sink,
      end: (error?: Error) => {
        this.watchers.delete(watcher);
        end(error);
      },
    };
    this.watchers.add(watcher);
    call.signal?.addEventListener('abort', () => watcher.end());
    if (query['sendInitialEvents'])
      void settle().then(() => {
        for (const object of this.objects.values()) sink({ type: 'ADDED', object });
        sink({
          type: 'BOOKMARK',
          object: { metadata: { resourceVersion: String(this.revision), annotations: { 'k8s.io/initial-events-end': 'true' } } },
        });
      });
    return { done, stop: () => watcher.end() };
  }

  cut(error?: Error): void {
    for (const watcher of this.watchers) watcher.end(error);
  }
}

function begin(server: FakeServer) {
  const clock = virtualClock(1_700_000_000_000);
  const random = seededRandom(1);
  const client = clientOver(server);
  const informers = informersOver(client, { clock, random, log: silentLog, freeze: true });
  return { clock, random, client, informers };
}

const recordOf = (informer: { on(handler: object): unknown }): string[] => {
  const seen: string[] = [];
  informer.on({
    added: (object: KubeObject) => seen.push(`+${keyOf(object)}`),
    updated: (object: KubeObject) => seen.push(`~${keyOf(object)}`),
    deleted: (object: KubeObject) => seen.push(`-${keyOf(object)}`),
  });
  return seen;
};

for (const refuse of [false, true])
  test(`an informer delivers the first state and every change (${refuse ? 'list and watch' : 'streamed'})`, async () => {
    const server = new FakeServer();
    server.refuseStream = refuse;
    server.put('a');
    server.put('b');
    const { clock, informers } = begin(server);
    const pods = informers.for(PodKind);
    const seen = recordOf(pods);
    await pass(clock, 10);
    await informers.synced();
    assert.deepEqual(seen, ['+default/a', '+default/b']);
    server.put('a');
    server.remove('b');
    server.put('c');
    assert.deepEqual(seen.slice(2), ['~default/a', '-default/b', '+default/c']);
    assert.equal(pods.get('default/a')?.kind, 'Pod');
    assert.equal(informers.for(PodKind), pods);
    await informers.stop();
    assert.equal(server.watchers.size, 0);
    assert.equal(clock.pending, 0);
  });

test('an informer resumes a cut watch at its last revision', async () => {
  const server = new FakeServer();
  server.put('a');
  const { clock, informers } = begin(server);
  const seen = recordOf(informers.for(PodKind));
  await pass(clock, 10);
  server.put('a');
  server.tell({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '77' } } });
  server.cut(serviceUnavailable('gone'));
  await pass(clock, 1000);
  assert.equal(server.watches.at(-1)!['resourceVersion'], '77');
  assert.deepEqual(seen, ['+default/a', '~default/a']);
  await informers.stop();
});

test('an informer lists again when its revision expired, and tells of what it missed', async () => {
  const server = new FakeServer();
  for (const name of ['kept', 'changed', 'removed', 'replaced']) server.put(name);
  const { clock, informers } = begin(server);
  const seen = recordOf(informers.for(PodKind));
  await pass(clock, 10);
  seen.length = 0;
  const [watcher] = server.watchers;
  server.watchers.clear();
  server.put('changed');
  server.remove('removed');
  server.put('new');
  server.put('replaced', { metadata: { uid: 'other' } });
  watcher!.end(expired('too old resource version'));
  await pass(clock, 1000);
  assert.equal(server.watches.at(-1)!['sendInitialEvents'], 'true');
  assert.deepEqual(seen.toSorted(), ['+default/new', '+default/replaced', '-default/removed', '-default/replaced', '~default/changed']);
  await informers.stop();
});

test('an informer backs off while the server fails', async () => {
  const server = new FakeServer();
  server.failWatch = serviceUnavailable('down');
  const { clock, informers } = begin(server);
  const pods = informers.for(PodKind);
  await pass(clock, 60_000);
  assert.ok(server.watches.length > 5 && server.watches.length < 20, `asked ${server.watches.length} times in a minute`);
  assert.equal(pods.hasSynced, false);
  server.failWatch = undefined;
  await pass(clock, 60_000);
  assert.equal(pods.hasSynced, true);
  await informers.stop();
});

test('indexes follow changes', async () => {
  const server = new FakeServer();
  const { clock, informers } = begin(server);
  const pods = informers.for(PodKind);
  pods.addIndex('node', (pod: Pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
  await pass(clock, 10);
  server.put('a', { spec: { nodeName: 'n1' } });
  server.put('b', { spec: { nodeName: 'n1' } });
  const names = (value: string): unknown[] => pods.byIndex('node', value).map((pod) => pod.metadata?.name);
  assert.deepEqual(names('n1'), ['a', 'b']);
  server.put('a', { spec: { nodeName: 'n2' } });
  server.remove('b');
  assert.deepEqual([names('n1'), names('n2')], [[], ['a']]);
  assert.equal(pods.list('default').length, 1);
  assert.equal(pods.list('other').length, 0);
  await informers.stop();
});

test('a work queue keeps one of each key and never hands out one twice at once', async () => {
  const clock = virtualClock();
  const queue = workQueue({ clock });
  queue.add('a');
  queue.add('a');
  queue.add('b');
  assert.equal(queue.length, 2);
  assert.equal(await queue.take(), 'a');
  queue.add('a');
  assert.equal(queue.length, 1);
  assert.equal(await queue.take(), 'b');
  const next = queue.take();
  queue.done('a');
  assert.equal(await next, 'a');
  queue.done('a');
  queue.done('b');
  queue.addRateLimited('c');
  queue.addAfter('d', 3);
  assert.equal(queue.length, 0);
  await clock.advance(3);
  assert.equal(queue.length, 1);
  await clock.advance(2);
  assert.equal(queue.length, 2);
  assert.equal(queue.failures('c'), 1);
  queue.forget('c');
  assert.equal(queue.failures('c'), 0);
  queue.addAfter('e', 1000);
  queue.close();
  assert.equal(await queue.take(), undefined);
  assert.equal(clock.pending, 0);
});

test('an event recorder counts same events, combines like ones and drops floods', async () => {
  const server = new FakeServer();
  const { clock, client } = begin(server);
  const recorder = eventRecorder({ client, clock, component: 'kubelet', host: 'n1' });
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'default', uid: 'u' } };
  recorder.event(pod, 'Warning', 'BackOff', 'again');
  recorder.event(pod, 'Warning', 'BackOff', 'again');
  await recorder.flush();
  const events = (): { count?: number; message?: string }[] => [...server.objects.values()] as never[];
  assert.deepEqual(
    events().map(({ count, message }) => ({ count, message })),
    [{ count: 2, message: 'again' }],
  );
  for (let index = 0; index < 40; index++) recorder.event(pod, 'Warning', 'BackOff', `text ${index}`);
  await recorder.flush();
  assert.equal(events().filter(({ message }) => message?.startsWith('text')).length, 8);
  assert.equal(events().find(({ message }) => message?.startsWith('(combined'))?.count, 15);
  assert.ok(server.calls.every(({ kind }) => kind === EventKind));
  await recorder.stop();
});

test('an action recorder makes a series of the same action, and tells how long it was when it is over', async () => {
  const server = new FakeServer();
  const { clock, client } = begin(server);
  const recorder = actionRecorder({ client, clock, reportingController: 'default-scheduler', host: 'n1' });
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'default', uid: 'u' } };
  const record = (): void =>
    recorder.record({ regarding: pod, type: 'Warning', reason: 'FailedScheduling', action: 'Scheduling', note: 'no room' });
  const stored = (): EventsV1Event[] => [...server.objects.values()] as never[];
  record();
  await recorder.flush();
  const [first] = stored();
  assert.equal(first?.reportingInstance, 'default-scheduler-n1');
  assert.equal(first?.series, undefined);
  for (let again = 0; again < 4; again++) record();
  await recorder.flush();
  assert.deepEqual(
    stored().map(({ series }) => series?.count),
    [5],
  );
  record();
  await pass(clock, 800_000);
  await recorder.flush();
  assert.deepEqual(
    stored().map(({ series }) => series?.count),
    [6],
  );
  record();
  await recorder.flush();
  assert.equal(stored().length, 2, 'what is over begins anew');
  await recorder.stop();
});

test('leader election: one leads, the other waits for the lease to expire or be given up', async () => {
  const server = new FakeServer();
  const { clock, client, random } = begin(server);
  const log: string[] = [];
  const run = (identity: string, transport = client) =>
    leaderElection({
      client: transport,
      clock,
      random,
      log: silentLog,
      namespace: 'kube-system',
      name: 'scheduler',
      identity,
      onStartedLeading: () => void log.push(`${identity} leads`),
      onStoppedLeading: () => void log.push(`${identity} stops`),
    });
  const first = run('a');
  await pass(clock, 3000);
  const second = run('b');
  await pass(clock, 60_000);
  assert.deepEqual(log, ['a leads']);
  await first.stop();
  await pass(clock, 6000);
  assert.deepEqual(log, ['a leads', 'a stops', 'b leads']);
  server.failCall = serviceUnavailable('down');
  await pass(clock, 12_000);
  assert.equal(log.at(-1), 'b stops');
  server.failCall = undefined;
  await pass(clock, 20_000);
  assert.equal(log.at(-1), 'b leads');
  assert.equal(server.objects.get('scheduler') && (await client.get(LeaseKind, { name: 'scheduler' })).spec?.holderIdentity, 'b');
  await second.stop();
  assert.equal(clock.pending, 0);
});

test('retryOnConflict() tries again after conflicts only', async () => {
  let tries = 0;
  await retryOnConflict(async () => {
    if (++tries < 3) throw modified(PodKind, 'p');
  });
  assert.equal(tries, 3);
  await assert.rejects(
    retryOnConflict(async () => {
      throw modified(PodKind, 'p');
    }),
    isConflict,
  );
});

for (const [call, wanted] of [
  [{ kind: PodKind, namespace: 'ns', name: 'p', subresource: 'status' }, '/api/v1/namespaces/ns/pods/p/status'],
  [{ kind: NodeKind, query: { limit: '5' } }, '/api/v1/nodes?limit=5'],
  [{ kind: LeaseKind }, '/apis/coordination.k8s.io/v1/leases'],
] as const)
  test(`pathOf() gives ${wanted}`, () => assert.equal(pathOf(call), wanted));
