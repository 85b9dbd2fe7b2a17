import type { Clock } from './mod.ts';

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout(run, milliseconds) {
    // Node fires at once beyond 2^31-1 ms; wait in pieces.
    const limit = 2 ** 31 - 1;
    let left = milliseconds;
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const step = Math.min(left, limit);
      left -= step;
      handle = setTimeout(left > 0 ? arm : run, step);
      handle.unref();
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
};
