/** Who may go on now, who waits, who is turned away: the contract of what limits requests. upstream: apiserver/pkg/server/filters. */
import type { RequestInfo, UserInfo } from '../contract.ts';
import type { Exchange } from '../proxy/contract.ts';

export interface Arrival {
  exchange: Exchange;
  info: RequestInfo;
  user: UserInfo;
  query: URLSearchParams;
  longRunning: boolean;
  /** Milliseconds that the request may take, 0 for those that may take any time. */
  patience: number;
  /** Sent with the answer, whoever gives it. */
  headers: Record<string, string | string[]>;
}

/** A request that was let in. */
export interface Ticket {
  /** A watch has sent what there was at the start: from now on it costs next to nothing. */
  opened(): void;
  /** The request is over. Once is enough. */
  done(): void;
}

export interface Admittance {
  /** Undefined: the request has been answered with 429 (or its client has gone), and is over. */
  enter(arrival: Arrival): Ticket | undefined | Promise<Ticket | undefined>;
}

/** Requests that nobody counts. */
export const uncounted: Ticket = Object.freeze({ opened: () => undefined, done: () => undefined });

/** The answer to who is turned away; plain text, as upstream's. */
export function turnAway({ exchange, headers }: Pick<Arrival, 'exchange' | 'headers'>, retryAfter: number): undefined {
  if (exchange.gone) return;
  exchange.end(
    429,
    {
      ...headers,
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'retry-after': String(retryAfter),
    },
    'Too many requests, please try again later.\n',
  );
}
