/** Seconds: no client is told to wait longer. */
const longest = 32;

interface Level {
  second: number;
  count: number;
  history: { second: number; count: number }[];
  retryAfter: number;
  raised: number;
}

/**
 * How long refused clients are told to wait, a priority level: doubled while many are refused, a second less when few are.
 * upstream: flowcontrol/dropped_requests_tracker.go.
 */
export class RetryAfter {
  readonly #levels = new Map<string, Level>();

  /** Counts a refusal at `now` (milliseconds since 1970) and says what to tell that client. */
  refused(level: string, now: number): number {
    const second = Math.floor(now / 1000);
    let state = this.#levels.get(level);
    if (!state) this.#levels.set(level, (state = { second, count: 0, history: [], retryAfter: 1, raised: second }));
    if (state.second === second) state.count++;
    else {
      state.history.push({ second: state.second, count: state.count });
      const kept = Math.min(longest, 2 * state.retryAfter);
      state.history = state.history.filter((entry) => state.second - entry.second <= kept);
      state.second = second;
      state.count = 1;
      adjust(state, second);
    }
    return state.retryAfter;
  }
}

function adjust(state: Level, second: number): void {
  const { retryAfter } = state;
  const dropped = state.history
    .filter((entry) => second - entry.second <= retryAfter && entry.second < second)
    .reduce((sum, { count }) => sum + count, 0);
  if (second - state.raised >= retryAfter && dropped >= 3 * retryAfter) {
    state.retryAfter = Math.min(longest, retryAfter * 2);
    state.raised = second;
  } else if (dropped < retryAfter && retryAfter > 1) state.retryAfter--;
}
