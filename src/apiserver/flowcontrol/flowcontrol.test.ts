import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowSchema, PriorityLevelConfiguration } from '#api';
import { virtualClock } from '#machinery/clock';
import { flowControlEntries } from '../bootstrap/flow-control.ts';
import type { RequestInfo, UserInfo } from '../contract.ts';
import type { Arrival, Ticket } from '../filters/admittance.ts';
import type { Exchange } from '../proxy/contract.ts';
import { testbed } from '../testbed.ts';
import { allocate } from './allocation.ts';
import { Demand } from './demand.ts';
import { FlowControl } from './flow-control.ts';
import { priorityAndFairness } from './index.ts';
import { RetryAfter } from './retry-after.ts';
import { dealHand, flowHash } from './shuffle-shard.ts';
import { WatchCounts } from './watch-counts.ts';
import { estimateWork } from './work-estimate.ts';

function request(text: string, more: Partial<RequestInfo> = {}): RequestInfo {
  const [verb = '', what = '', place = ''] = text.split(' ');
  const base = { verb, version: 'v1', group: '', resource: '', subresource: '', namespace: '', name: '', path: '' };
  if (what.startsWith('/')) return { ...base, isResourceRequest: false, path: what, ...more };
  const [plural = '', subresource = ''] = what.split('/');
  const [resource = '', ...group] = plural.split('.');
  const [namespace = '', name = ''] = place.includes('/') ? place.split('/') : ['', place];
  return { ...base, isResourceRequest: true, resource, group: group.join('.'), subresource, namespace, name, ...more };
}

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups: [...groups, 'system:authenticated'] });

interface Sent {
  code?: number;
  headers?: Record<string, unknown>;
  body?: string;
}

/** A request without a connection. */
function arrival(who: UserInfo, info: RequestInfo, query = ''): Arrival & { sent: Sent; leave(): void } {
  const sent: Sent = {};
  const abort = new AbortController();
  const exchange = {
    gone: false,
    signal: abort.signal,
    end: (code: number, headers: Record<string, unknown>, body: string) => void Object.assign(sent, { code, headers, body }),
  } as unknown as Exchange;
  return {
    exchange,
    info,
    user: who,
    query: new URLSearchParams(query),
    longRunning: info.verb === 'watch',
    patience: 60_000,
    headers: {},
    sent,
    leave: () => abort.abort(),
  };
}

const bootstrap = <T>(kind: object): T[] =>
  flowControlEntries()
    .filter((entry) => entry.kind === kind)
    .map(({ object }) => ({ ...object, metadata: { ...object.metadata, uid: `uid-of-${object.metadata?.name}` } }) as T);

function level(name: string, shares: number, limitResponse: object): PriorityLevelConfiguration {
  return {
    metadata: { name, uid: name },
    spec: { type: 'Limited', limited: { nominalConcurrencyShares: shares, limitResponse: limitResponse as never } },
  };
}

function schema(name: string, to: string, precedence: number, group: string): FlowSchema {
  return {
    metadata: { name, uid: name },
    spec: {
      priorityLevelConfiguration: { name: to },
      matchingPrecedence: precedence,
      distinguisherMethod: { type: 'ByUser' },
      rules: [
        {
          subjects: [{ kind: 'Group', group: { name: group } }],
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
        },
      ],
    },
  };
}

function control(seats: number, levels: PriorityLevelConfiguration[], schemas: FlowSchema[]) {
  const clock = virtualClock(1_000_000);
  const flow = new FlowControl({ clock, seats, stats: () => undefined });
  flow.configuration.digest(levels, schemas);
  flow.reconfigured();
  return { clock, flow };
}

test('the schemas of a new cluster send requests where upstream sends them', () => {
  const { flow } = control(600, bootstrap(PriorityLevelConfiguration), bootstrap(FlowSchema));
  for (const [who, asked, schemaName, levelName] of [
    [user('admin', 'system:masters'), 'delete pods ns/a', 'exempt', 'exempt'],
    [{ name: 'system:anonymous', groups: ['system:unauthenticated'] }, 'get /readyz', 'probes', 'exempt'],
    [user('system:kube-scheduler'), 'update leases.coordination.k8s.io kube-system/x', 'system-leader-election', 'leader-election'],
    [user('system:kube-scheduler'), 'list pods', 'kube-scheduler', 'workload-high'],
    [user('system:node:a', 'system:nodes'), 'patch nodes/status a', 'system-node-high', 'node-high'],
    [user('system:node:a', 'system:nodes'), 'get pods ns/a', 'system-nodes', 'system'],
    [user('system:serviceaccount:kube-system:dns', 'system:serviceaccounts'), 'list pods', 'kube-system-service-accounts', 'workload-high'],
    [user('system:serviceaccount:ns:app', 'system:serviceaccounts'), 'list pods', 'service-accounts', 'workload-low'],
    [user('ann'), 'get /version', 'global-default', 'global-default'],
    [{ name: 'nobody', groups: [] }, 'get pods ns/a', 'catch-all', 'catch-all'],
  ] as const) {
    const found = flow.configuration.flows.classify(who, request(asked));
    assert.deepEqual([found.name, found.level], [schemaName, levelName], `${who.name} ${asked}`);
  }
});

test('seats are divided by shares, and answers name flow and level', () => {
  const { flow } = control(600, bootstrap(PriorityLevelConfiguration), bootstrap(FlowSchema));
  const nominal = Object.fromEntries([...flow.configuration.levels.values()].map(({ name, nominal: seats }) => [name, seats]));
  // 245 shares in all.
  assert.deepEqual(nominal, {
    exempt: 0,
    'catch-all': 13,
    system: 74,
    'node-high': 98,
    'leader-election': 25,
    'workload-high': 98,
    'workload-low': 245,
    'global-default': 49,
  });
  const asked = arrival(user('ann'), request('get pods ns/a'));
  const ticket = flow.enter(asked) as Ticket;
  assert.deepEqual(asked.headers, {
    'x-kubernetes-pf-prioritylevel-uid': 'uid-of-global-default',
    'x-kubernetes-pf-flowschema-uid': 'uid-of-global-default',
  });
  ticket.done();
  flow.stop();
});

test('a level without queues turns away what it has no seats for', () => {
  const { flow } = control(2, [level('few', 10, { type: 'Reject' })], [schema('few', 'few', 100, 'crowd')]);
  const crowd = user('one', 'crowd');
  const seats = flow.configuration.levels.get('few')!.current;
  const tickets = Array.from({ length: seats }, () => flow.enter(arrival(crowd, request('get pods ns/a'))) as Ticket);
  assert.ok(tickets.every(Boolean));
  const refused = arrival(crowd, request('get pods ns/a'));
  assert.equal(flow.enter(refused), undefined);
  assert.equal(refused.sent.code, 429);
  assert.equal(refused.sent.body, 'Too many requests, please try again later.\n');
  assert.equal(refused.sent.headers!['retry-after'], '1');
  tickets[0]!.done();
  tickets[0]!.done();
  assert.ok(flow.enter(arrival(crowd, request('get pods ns/a'))), 'a seat given back once is one seat');
  assert.equal(flow.enter(arrival(crowd, request('get pods ns/a'))), undefined);
  assert.ok(flow.enter(arrival(user('root', 'system:masters'), request('get pods ns/a'))), 'the exempt are let in');
  flow.stop();
});

const queued = { type: 'Queue', queuing: { queues: 8, handSize: 1, queueLengthLimit: 3 } };

test('what finds no seat waits, goes on in fairness between flows, and is turned away when its queue is full', async () => {
  const { flow, clock } = control(1, [level('queued', 100, queued)], [schema('queued', 'queued', 100, 'crowd')]);
  const entered: string[] = [];
  const tickets: Ticket[] = [];
  const ask = (name: string): Arrival & { sent: Sent } => {
    const asked = arrival(user(name, 'crowd'), request('get pods ns/a'));
    void Promise.resolve(flow.enter(asked)).then((ticket) => {
      if (!ticket) return;
      entered.push(name);
      tickets.push(ticket);
    });
    return asked;
  };
  // A name whose queue is another than that of the flood.
  const hand = (name: string): number => dealHand(flowHash('queued', name), 8, 1)[0]!;
  const other = ['b', 'c', 'd', 'e', 'f'].find((name) => hand(name) !== hand('flood'))!;
  const first = flow.configuration.levels.get('queued')!;
  assert.equal(first.current, 1);
  for (let count = 0; count < 4; count++) ask('flood');
  const refused = ask('flood');
  const fair = ask(other);
  await clock.advance(0);
  assert.deepEqual(entered, ['flood']);
  assert.equal(refused.sent.code, 429);
  assert.equal(fair.sent.code, undefined);
  for (let count = 0; count < 4; count++) {
    await clock.advance(10);
    tickets.at(-1)!.done();
    await clock.advance(0);
  }
  assert.deepEqual(entered.slice(0, 5).sort(), ['flood', 'flood', 'flood', 'flood', other].sort());
  assert.ok(entered.indexOf(other) <= 2, `the other flow waits for one turn at most: ${entered.join(' ')}`);
  flow.stop();
});

test('who waits too long is turned away, and who leaves makes room', async () => {
  const { flow, clock } = control(1, [level('queued', 100, queued)], [schema('queued', 'queued', 100, 'crowd')]);
  const crowd = user('one', 'crowd');
  const ticket = flow.enter(arrival(crowd, request('get pods ns/a'))) as Ticket;
  const waiting = arrival(crowd, request('get pods ns/a'));
  const leaving = arrival(crowd, request('get pods ns/a'));
  const both = [flow.enter(waiting), flow.enter(leaving)];
  const { queues } = flow.configuration.levels.get('queued')!;
  assert.equal(queues.waiting, 2);
  leaving.leave();
  assert.equal(await both[1], undefined);
  assert.equal(queues.waiting, 1);
  await clock.advance(15_000);
  assert.equal(await both[0], undefined);
  assert.equal(waiting.sent.code, 429);
  assert.deepEqual([queues.waiting, queues.executing, queues.timedOut], [0, 1, 1]);
  ticket.done();
  assert.ok(queues.idle);
  flow.stop();
});

test('in a turn of the loop that has gone on for long requests queue, the exempt do not', async () => {
  const virtual = virtualClock(0);
  let spent = 0;
  const clock = { ...virtual, monotonic: () => spent };
  const flow = new FlowControl({ clock, seats: 600, stats: () => undefined });
  flow.configuration.digest(bootstrap(PriorityLevelConfiguration), bootstrap(FlowSchema));
  const enter = (who: UserInfo): unknown => flow.enter(arrival(who, request('get pods ns/a')));
  assert.ok(!(enter(user('ann')) instanceof Promise));
  spent = 12;
  const waits = enter(user('ann'));
  assert.ok(waits instanceof Promise);
  assert.ok(!(enter(user('root', 'system:masters')) instanceof Promise));
  assert.ok(await waits, 'the next turn lets it in');
  flow.stop();
});

test('of what waits for time, flows get equal parts however much each wants', async () => {
  let spent = 0;
  const flow = new FlowControl({ clock: { ...virtualClock(0), monotonic: () => spent }, seats: 600, stats: () => undefined });
  flow.configuration.digest(bootstrap(PriorityLevelConfiguration), bootstrap(FlowSchema));
  const order: string[] = [];
  const enter = (name: string): Promise<void> =>
    Promise.resolve(flow.enter(arrival(user(name), request('get pods ns/a')))).then((ticket) => {
      order.push(name);
      ticket?.done();
    });
  await enter('flood');
  spent = 12;
  const all = [...Array.from({ length: 300 }, () => enter('flood')), enter('calm')];
  spent = 13;
  await Promise.all(all);
  // The flood has six queues, the calm one the best of its own.
  assert.ok(order.indexOf('calm') <= 8, `begun as number ${order.indexOf('calm')}`);
  flow.stop();
});

test('a watch holds its seat until it is open, and is counted until it ends', () => {
  const { flow } = control(600, bootstrap(PriorityLevelConfiguration), bootstrap(FlowSchema));
  const { queues } = flow.configuration.levels.get('global-default')!;
  const ticket = flow.enter(arrival(user('ann'), request('watch pods'))) as Ticket;
  assert.equal(queues.executing, 1);
  ticket.opened();
  assert.equal(queues.executing, 0);
  ticket.done();
  assert.ok(queues.idle);
  flow.stop();
});

test('WatchCounts finds who is told of a write', () => {
  const counts = new WatchCounts();
  const ends = [
    counts.register(request('watch configmaps')),
    counts.register(request('watch configmaps ns/')),
    counts.register(request('watch configmaps other/')),
    counts.register(request('watch configmaps ns/a')),
    counts.register(request('watch pods', { fieldSelector: 'spec.nodeName=x' })),
  ];
  for (const [asked, wanted] of [
    ['update configmaps ns/a', 3],
    ['update configmaps ns/b', 2],
    ['get configmaps ns/a', 0],
    ['update pods ns/a', 0],
    ['update secrets ns/a', 0],
  ] as const)
    assert.equal(counts.interested(request(asked)), wanted, asked);
  for (const end of ends) end?.();
  assert.equal(counts.interested(request('update configmaps ns/a')), 0);
});

test('estimateWork() gives lists and writes their width', () => {
  const sources = (count: number, averageSize: number, watchers = 0) => ({
    stats: () => ({ count, averageSize }),
    watchers: () => watchers,
  });
  for (const [asked, query, from, wanted] of [
    ['get pods ns/a', '', sources(10_000, 2000), [1, 0, 0]],
    ['list pods', '', sources(10, 2000), [1, 0, 0]],
    ['list pods', '', sources(10_000, 2000), [10, 0, 0]],
    ['list pods', 'resourceVersion=5&resourceVersionMatch=Exact', sources(10_000, 2000), [100, 0, 0]],
    ['list pods', 'limit=500', sources(10_000, 2000), [10, 0, 0]],
    ['list pods', 'limit=500&continue=x', sources(10_000, 1000), [5, 0, 0]],
    ['list pods', 'continue=x&limit=10', sources(10_000, 1000), [1, 0, 0]],
    ['watch pods', 'resourceVersion=7', sources(10_000, 2000), [1, 0, 0]],
    ['watch pods', '', sources(10_000, 2000), [10, 0, 0]],
    ['create pods ns/', '', sources(0, 0, 9), [1, 0, 0]],
    ['create pods ns/', '', sources(0, 0, 40), [1, 4, 5]],
    ['create pods ns/', '', sources(0, 0, 1000), [1, 10, 50]],
    ['create serviceaccounts/token ns/a', '', sources(0, 0, 1000), [1, 0, 0]],
  ] as const) {
    const work = estimateWork(request(asked), new URLSearchParams(query), 0, from);
    assert.deepEqual([work.seats, work.finalSeats, work.lingering], wanted, `${asked}?${query}`);
  }
  assert.equal(estimateWork(request('list pods'), new URLSearchParams(), 4, sources(10_000, 2000)).seats, 4, "bounded by the level's");
});

test('dealHand() deals different queues, the same ones each time', () => {
  assert.deepEqual(dealHand(0n, 128, 4), [0, 1, 2, 3]);
  assert.deepEqual(dealHand(127n + 128n * 126n, 128, 3), [127, 126, 0]);
  const hand = dealHand(flowHash('service-accounts', 'ann'), 128, 6);
  assert.deepEqual(hand, dealHand(flowHash('service-accounts', 'ann'), 128, 6));
  for (let flow = 0; flow < 500; flow++) {
    const dealt = dealHand(flowHash('s', String(flow)), 64, 8);
    assert.equal(new Set(dealt).size, 8);
    assert.ok(dealt.every((queue) => queue >= 0 && queue < 64));
  }
});

test('allocate() gives everybody the same proportion of his target within his bounds', () => {
  const claim = (target: number, lowest: number, highest: number) => ({ target, lowest, highest });
  for (const [sum, claims, wanted] of [
    [30, [claim(10, 0, 100), claim(20, 0, 100)], [10, 20]],
    [60, [claim(10, 0, 100), claim(20, 0, 100)], [20, 40]],
    [60, [claim(10, 0, 15), claim(20, 0, 100)], [15, 45]],
    [60, [claim(50, 30, 100), claim(0, 0, 100), claim(50, 0, 10)], [50, 0, 10]],
    [20, [claim(10, 10, 100), claim(10, 10, 100)], [10, 10]],
  ] as const)
    assert.deepEqual(
      allocate(sum, claims)?.shares.map((share) => Math.round(share)),
      wanted,
      JSON.stringify({ sum, claims }),
    );
  assert.equal(allocate(1, [claim(10, 10, 100)]), undefined);
  assert.equal(allocate(1000, [claim(10, 10, 100)]), undefined);
});

test('a busy level borrows what others lend, and gives it back', async () => {
  const { flow, clock } = control(600, bootstrap(PriorityLevelConfiguration), bootstrap(FlowSchema));
  const busy = flow.configuration.levels.get('global-default')!;
  const before = busy.current;
  const tickets: Ticket[] = [];
  for (let count = 0; count < 400; count++)
    void Promise.resolve(flow.enter(arrival(user(`user-${count}`), request('get pods ns/a')))).then(
      (ticket) => ticket && tickets.push(ticket),
    );
  await clock.advance(10_000);
  assert.ok(busy.current > before * 2, `${before} → ${busy.current}`);
  const lent = flow.configuration.levels.get('workload-low')!;
  assert.ok(lent.current >= lent.lowest && lent.current < lent.nominal, `${lent.lowest} ≤ ${lent.current} < ${lent.nominal}`);
  for (const ticket of tickets) ticket.done();
  flow.stop();
});

test('Demand weighs by time', () => {
  let now = 0;
  const demand = new Demand({ ...virtualClock(), monotonic: () => now });
  demand.set(10, 1000);
  demand.set(0, 2000);
  now = 4000;
  const { average, deviation, highest, duration } = demand.take();
  assert.deepEqual([average, Math.round(deviation * 100) / 100, highest, duration], [2.5, 4.33, 10, 4]);
});

test('RetryAfter grows while many are turned away', () => {
  const retry = new RetryAfter();
  const said: number[] = [];
  for (let second = 0; second < 12; second++)
    for (let count = 0; count < 100; count++) said[second] = retry.refused('level', second * 1000);
  assert.equal(said[0], 1);
  assert.ok(said[11]! >= 8, said.join(' '));
  for (let second = 100; second < 400; second += 20) said[second] = retry.refused('level', second * 1000);
  assert.equal(said[380], 1);
});

test('flow schemas say whether their level exists', async () => {
  await using bed = testbed();
  bed.put(PriorityLevelConfiguration, ...bootstrap<PriorityLevelConfiguration>(PriorityLevelConfiguration));
  bed.put(FlowSchema, schema('good', 'system', 10, 'x'), schema('lost', 'nowhere', 20, 'x'));
  const applied: Record<string, unknown> = {};
  const client = {
    ...bed.client,
    patch: (_kind: unknown, ref: { name: string }, _type: unknown, body: { status: { conditions: unknown[] } }) => {
      applied[ref.name] = body.status.conditions[0];
      return Promise.resolve(body);
    },
  } as unknown as typeof bed.client;
  const fairness = priorityAndFairness({ ...bed, client }, { seats: 600, stats: () => undefined });
  await bed.informers.synced();
  await bed.clock.advance(0);
  await bed.clock.advance(0);
  const what = (name: string): string => `This FlowSchema references the PriorityLevelConfiguration object named "${name}"`;
  const common = { type: 'Dangling', lastTransitionTime: '2026-01-01T00:00:00Z' };
  assert.deepEqual(applied, {
    good: { ...common, status: 'False', reason: 'Found', message: `${what('system')} and it exists` },
    lost: { ...common, status: 'True', reason: 'NotFound', message: `${what('nowhere')} but there is no such object` },
  });
  assert.deepEqual(
    fairness.filter.configuration.flows.flows.map(({ name }) => name),
    ['exempt', 'good', 'catch-all'],
  );
  fairness.stop();
});
