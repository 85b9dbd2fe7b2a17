import type { Clock, Timer } from './mod.ts';

/** A clock that a test moves. Timers fire in order of their time, then of their making. */
export interface VirtualClock extends Clock {
  /** Moves forward, firing what falls due; between firings pending promises get to run. */
  advance(milliseconds: number): Promise<void>;
  /** How many timers wait. */
  readonly pending: number;
}

export function virtualClock(start = 0): VirtualClock {
  let now = start;
  let made = 0;
  const timers = new Map<number, { at: number; run: () => void }>();
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    now: () => now,
    monotonic: () => now - start,
    setTimeout(run, milliseconds): Timer {
      const id = made++;
      timers.set(id, { at: now + Math.max(0, milliseconds), run });
      return { cancel: () => void timers.delete(id) };
    },
    async advance(milliseconds) {
      const end = now + milliseconds;
      await settle();
      for (;;) {
        let due: [number, { at: number; run: () => void }] | undefined;
        for (const entry of timers) if (entry[1].at <= end && (!due || entry[1].at < due[1].at)) due = entry;
        if (!due) break;
        timers.delete(due[0]);
        now = due[1].at;
        due[1].run();
        await settle();
      }
      now = end;
      await settle();
    },
    get pending() {
      return timers.size;
    },
  };
}
