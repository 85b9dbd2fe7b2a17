/**
 * The queues of one priority level: fair queuing among flows, by the seats and the time they take.
 * upstream: apiserver/pkg/util/flowcontrol/fairqueuing/queueset.
 *
 * Words. *R* is virtual time. A queue's *next R* is when its next request would begin if all busy queues were served at once; the request
 * that would then be finished first is begun first. Upstream's R runs with the clock, as fast as seats can be used. Here one thread serves,
 * and what it can do in a second nobody knows: R is where the request stood that was begun last (start-time fair queuing).
 * Example: two busy queues, one with a list of 10 seats at its head, one with gets of 1 seat; both have the same next R. Ten gets are
 * begun before the list, since each moves its queue's next R by a tenth of what the list would.
 */
import type { Clock } from '#machinery/clock';
import type { Demand } from './demand.ts';
import type { FlowRequest, Queue } from './flow-request.ts';

export interface Queuing {
  queues: number;
  handSize: number;
  lengthLimit: number;
}

export type Outcome = 'execute' | 'wait' | 'reject';

/** Seconds that a request is taken to last before it has shown how long it does. */
const expected = 0.003;

const workOf = ({ work }: FlowRequest): number => work.seats * expected + (work.finalSeats * work.lingering) / 1000;

const makeQueue = (index: number): Queue => ({
  index,
  waiting: new Set(),
  executing: new Set(),
  nextR: 0,
  seatsInUse: 0,
  waitingWork: 0,
});

export class QueueSet {
  readonly #clock: Clock;
  readonly #demand: Demand;
  #queuing: Queuing | undefined;
  #limit = 0;
  #queues: Queue[] = [];
  /** Of a level without queues: those that this turn of the loop has no time for. */
  readonly #overflow = makeQueue(-1);
  readonly #busy = new Set<Queue>();
  #robin = 0;
  #enqueued = 0;
  #r = 0;
  #seatsWaiting = 0;
  waiting = 0;
  executing = 0;
  seatsInUse = 0;
  dispatched = 0;
  rejected = 0;
  timedOut = 0;
  cancelled = 0;
  /** Told when seats became free while something waits. */
  released: (() => void) | undefined;

  constructor(clock: Clock, demand: Demand) {
    this.#clock = clock;
    this.#demand = demand;
  }

  get queuing(): Queuing | undefined {
    return this.#queuing;
  }

  get limit(): number {
    return this.#limit;
  }

  get idle(): boolean {
    return this.waiting === 0 && this.executing === 0;
  }

  get seatsWaiting(): number {
    return this.#seatsWaiting;
  }

  get queues(): readonly Queue[] {
    return this.#queues;
  }

  get withoutQueue(): Queue {
    return this.#overflow;
  }

  /** Queues that are too many go when they are empty. */
  configure(queuing: Queuing | undefined, limit: number): void {
    this.#queuing = queuing;
    this.#limit = limit;
    for (let index = this.#queues.length; index < (queuing?.queues ?? 0); index++) this.#queues.push(makeQueue(index));
    this.#dropEmpty();
  }

  /** `hand`: the queues that are the flow's; `late`: nothing may begin in this turn of the loop. */
  start(request: FlowRequest, hand: readonly number[], late: boolean): Outcome {
    const now = request.arrived;
    request.arrivalR = this.#r;
    const queue = this.#queuing ? this.#choose(hand) : this.#overflow;
    if (this.#refuses(queue, request)) {
      this.rejected++;
      return 'reject';
    }
    request.queue = queue;
    if (queue.waiting.size === 0 && queue.executing.size === 0) queue.nextR = this.#r;
    if (!late && this.waiting === 0 && this.#fits(request)) {
      this.#begin(request, queue, now);
      return 'execute';
    }
    queue.waiting.add(request);
    queue.waitingWork += workOf(request);
    this.#busy.add(queue);
    this.waiting++;
    this.#seatsWaiting += request.seats;
    this.#noteDemand(now);
    return 'wait';
  }

  /** Begins the request whose turn it is and tells it so; false where none may begin. */
  dispatch(): boolean {
    if (this.waiting === 0) return false;
    const now = this.#clock.monotonic();
    const queue = this.#next();
    const request = queue && first(queue.waiting);
    if (!queue || !request || !this.#fits(request)) return false;
    this.#robin = queue.index;
    this.#leaveQueue(request, queue);
    this.#begin(request, queue, now);
    request.decide?.(true);
    return true;
  }

  /** Whether something waits that may begin. */
  get dispatchable(): boolean {
    return this.waiting > 0 && this.seatsInUse < this.#limit;
  }

  /** Takes out a request that waited too long, or whose client went away. */
  cancel(request: FlowRequest, why: 'timed-out' | 'cancelled'): boolean {
    const { queue } = request;
    if (!queue?.waiting.has(request)) return false;
    const now = this.#clock.monotonic();
    this.#leaveQueue(request, queue);
    this.rejected++;
    if (why === 'timed-out') this.timedOut++;
    this.cancelled++;
    this.#bound(queue);
    this.#noteDemand(now);
    return true;
  }

  finish(request: FlowRequest): void {
    const now = this.#clock.monotonic();
    const queue = request.queue!;
    this.executing--;
    queue.executing.delete(request);
    // It was begun as if it lasted as long as expected.
    queue.nextR -= request.work.seats * (expected - (now - request.started) / 1000);
    this.#bound(queue);
    if (request.work.lingering > 0) this.#clock.setTimeout(() => this.#release(request, queue), request.work.lingering);
    else this.#release(request, queue, now);
  }

  #release(request: FlowRequest, queue: Queue, now = this.#clock.monotonic()): void {
    this.seatsInUse -= request.seats;
    queue.seatsInUse -= request.seats;
    this.#noteDemand(now);
    this.#dropEmpty();
    if (this.waiting > 0) this.released?.();
  }

  #begin(request: FlowRequest, queue: Queue, now: number): void {
    request.started = now;
    this.executing++;
    this.dispatched++;
    this.seatsInUse += request.seats;
    queue.executing.add(request);
    queue.seatsInUse += request.seats;
    if (queue.nextR > this.#r) this.#r = queue.nextR;
    queue.nextR += workOf(request);
    this.#bound(queue);
    this.#noteDemand(now);
  }

  #leaveQueue(request: FlowRequest, queue: Queue): void {
    queue.waiting.delete(request);
    queue.waitingWork = queue.waiting.size === 0 ? 0 : queue.waitingWork - workOf(request);
    if (queue.waiting.size === 0) this.#busy.delete(queue);
    this.waiting--;
    this.#seatsWaiting -= request.seats;
  }

  #refuses(queue: Queue, request: FlowRequest): boolean {
    if (this.#queuing) return this.seatsInUse >= this.#limit && queue.waiting.size >= this.#queuing.lengthLimit;
    const taken = this.seatsInUse + this.#seatsWaiting;
    return request.seats > this.#limit ? !this.idle : taken + request.seats > this.#limit;
  }

  /** One that is wider than the level may still go on when it is alone. */
  #fits({ seats }: FlowRequest): boolean {
    if (seats <= this.#limit) return this.seatsInUse + seats <= this.#limit;
    return this.executing === 0 && (this.#limit > 0 || !this.#queuing);
  }

  /** The queue of the hand with the least work in it; beginning elsewhere each time, so that equals are used alike. */
  #choose(hand: readonly number[]): Queue {
    const offset = this.#enqueued++ % hand.length;
    let best: Queue | undefined;
    for (let index = 0; index < hand.length; index++) {
      const queue = this.#queues[hand[(offset + index) % hand.length]!]!;
      if (queue.waiting.size === 0) return queue;
      if (!best || queue.waitingWork < best.waitingWork) best = queue;
    }
    return best!;
  }

  /** The queue whose first request would be finished first; of equals the one that follows the last one served. */
  #next(): Queue | undefined {
    const count = Math.max(1, this.#queues.length);
    const distance = ({ index }: Queue): number => (index - this.#robin - 1 + 2 * count) % count;
    let best: Queue | undefined;
    let finish = 0;
    for (const queue of this.#busy) {
      const finishes = queue.nextR + workOf(first(queue.waiting)!);
      if (best && (finishes > finish || (finishes === finish && distance(queue) > distance(best)))) continue;
      best = queue;
      finish = finishes;
    }
    return best;
  }

  /** Nothing begins, virtually, before it arrived: otherwise a queue that was slow would have saved up time. */
  #bound(queue: Queue): void {
    const oldest = first(queue.waiting);
    if (oldest && queue.nextR < oldest.arrivalR) queue.nextR = oldest.arrivalR;
  }

  #noteDemand(now: number): void {
    this.#demand.set(this.seatsInUse + this.#seatsWaiting, now);
  }

  /** Hands name queues by their place: only those at the end can go. */
  #dropEmpty(): void {
    const wanted = this.#queuing?.queues ?? 0;
    while (this.#queues.length > wanted) {
      const last = this.#queues.at(-1)!;
      if (last.waiting.size > 0 || last.executing.size > 0 || last.seatsInUse > 0) return;
      this.#queues.pop();
    }
  }
}

const first = (requests: Set<FlowRequest>): FlowRequest | undefined => requests.values().next().value;
