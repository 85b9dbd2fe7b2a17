import type { Clock, Timer } from './mod.ts';

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout(run, milliseconds) {
    if (milliseconds > longest) return inPieces(run, milliseconds);
    const handle = setTimeout(run, milliseconds);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Beyond that Node fires at once. */
const longest = 2 ** 31 - 1;

function inPieces(run: () => void, milliseconds: number): Timer {
  let left = milliseconds;
  let handle: NodeJS.Timeout;
  const arm = (): void => {
    const step = Math.min(left, longest);
    left -= step;
    handle = setTimeout(left > 0 ? arm : run, step);
    handle.unref();
  };
  arm();
  return { cancel: () => clearTimeout(handle) };
}
