import type { PathRequest } from './paths.ts';

/**
 * The answer about a path that is no part of the API; clients read it as a Status. One below a group that is served gets a Status
 * (`notFoundPath`). upstream: net/http's NotFound, which apiserver/pkg/server/mux falls back to.
 */
export function answerNothingThere({ exchange, headers }: Pick<PathRequest, 'exchange' | 'headers'>): void {
  exchange.end(
    404,
    { ...headers, 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
    '404 page not found\n',
  );
}
