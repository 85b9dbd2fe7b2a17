/** What is in the queues now, as tables. upstream: flowcontrol/apf_controller_debug.go. */
import type { Clock } from '#machinery/clock';
import type { FlowRequest, Queue } from './flow-request.ts';
import type { PriorityLevel } from './priority-level.ts';

type Levels = Iterable<PriorityLevel>;

const byName = (levels: Levels): PriorityLevel[] => [...levels].sort((left, right) => (left.name < right.name ? -1 : 1));

/** Cells end in a comma and are as wide as the widest of their column, at least eight. */
function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries())
      if (index < row.length - 1) widths[index] = Math.max(widths[index] ?? 0, Math.max(8, cell.length + 2));
  return rows
    .map((row) => `${row.map((cell, index) => (index < row.length - 1 ? `${cell},`.padEnd(widths[index]!) : cell)).join('')}\n`)
    .join('');
}

export function dumpLevels(levels: Levels): string {
  const head =
    'PriorityLevelName ActiveQueues IsIdle IsQuiescing WaitingRequests ExecutingRequests DispatchedRequests RejectedRequests TimedoutRequests CancelledRequests';
  return table([
    head.split(' '),
    ...byName(levels).map(({ name, queues, quiescing }) => [
      name,
      String(queues.queues.filter(({ waiting }) => waiting.size > 0).length),
      String(queues.idle),
      String(quiescing),
      ...[queues.waiting, queues.executing, queues.dispatched, queues.rejected, queues.timedOut, queues.cancelled].map(String),
    ]),
  ]);
}

const seatSeconds = (value: number): string => `${value.toFixed(8)}ss`;

export function dumpQueues(levels: Levels): string {
  const head =
    'PriorityLevelName Index PendingRequests ExecutingRequests SeatsInUse NextDispatchR InitialSeatsSum MaxSeatsSum TotalWorkSum';
  const sum = (queue: Queue, seats: (request: FlowRequest) => number): string =>
    String([...queue.waiting].reduce((total, request) => total + seats(request), 0));
  return table([
    head.split(' '),
    ...byName(levels).flatMap(({ name, queues }) =>
      queues.queues.map((queue) => [
        name,
        String(queue.index),
        String(queue.waiting.size),
        String(queue.executing.size),
        String(queue.seatsInUse),
        seatSeconds(queue.nextR),
        sum(queue, ({ work }) => work.seats),
        sum(queue, ({ seats }) => seats),
        seatSeconds(queue.waitingWork),
      ]),
    ),
  ]);
}

export function dumpRequests(levels: Levels, clock: Clock, details: boolean): string {
  const head =
    'PriorityLevelName FlowSchemaName QueueIndex RequestIndexInQueue FlowDistingsher ArriveTime InitialSeats FinalSeats AdditionalLatency StartTime';
  const more = 'UserName Verb APIPath Namespace Name APIVersion Resource SubResource';
  const offset = clock.now() - clock.monotonic();
  const time = (at: number): string => (at === 0 ? '0001-01-01T00:00:00Z' : new Date(offset + at).toISOString());
  const row = (level: string, queue: number, place: number, request: FlowRequest): string[] => {
    const { flow, distinguisher, arrived, started, work, user, info } = request;
    const version = info.group ? `${info.group}/${info.version}` : info.version;
    return [
      level,
      flow.name,
      String(queue),
      String(place),
      distinguisher,
      time(arrived),
      String(work.seats),
      String(work.finalSeats),
      work.lingering === 0 ? '0s' : `${work.lingering}ms`,
      time(started),
      ...(details ? [user.name, info.verb, info.path, info.namespace, info.name, version, info.resource, info.subresource] : []),
    ];
  };
  return table([
    [...head.split(' '), ...(details ? more.split(' ') : [])],
    ...byName(levels).flatMap(({ name, queues }) =>
      [...queues.queues, queues.withoutQueue].flatMap((queue) => [
        ...[...queue.waiting].map((request, place) => row(name, queue.index, place, request)),
        ...[...queue.executing].map((request) => row(name, queue.index, -1, request)),
      ]),
    ),
  ]);
}
