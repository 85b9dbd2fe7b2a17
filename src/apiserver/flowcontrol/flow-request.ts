import type { RequestInfo, UserInfo } from '../contract.ts';
import type { Flow } from './classify.ts';
import type { Work } from './work-estimate.ts';

/** One request on its way through a priority level. Times are the clock's monotonic milliseconds. */
export class FlowRequest {
  readonly flow: Flow;
  readonly distinguisher: string;
  readonly work: Work;
  readonly user: UserInfo;
  readonly info: RequestInfo;
  readonly arrived: number;
  /** The larger of what it takes while it is worked on and afterwards. */
  readonly seats: number;
  started = 0;
  /** Virtual time of its arrival. */
  arrivalR = 0;
  queue: Queue | undefined;
  /** Set while it waits: tells whether it may go on. */
  decide: ((execute: boolean) => void) | undefined;

  constructor(flow: Flow, distinguisher: string, work: Work, user: UserInfo, info: RequestInfo, arrived: number) {
    this.flow = flow;
    this.distinguisher = distinguisher;
    this.work = work;
    this.user = user;
    this.info = info;
    this.arrived = arrived;
    this.seats = Math.max(work.seats, work.finalSeats);
  }
}

export interface Queue {
  index: number;
  waiting: Set<FlowRequest>;
  executing: Set<FlowRequest>;
  nextR: number;
  seatsInUse: number;
  /** Seat-seconds of those that wait. */
  waitingWork: number;
}
