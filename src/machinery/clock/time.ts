import type { Clock } from './mod.ts';

/** Resolves after `milliseconds`; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const abort = (): void => {
      timer.cancel();
      reject(signal!.reason as Error);
    };
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

let knownSecond = Number.NaN;
let knownText = '';

/** A metav1.Time, RFC 3339 in UTC with whole seconds, of milliseconds since 1970. Writes of one second share it. */
export function timeText(now: number): string {
  const second = Math.floor(now / 1000);
  if (second !== knownSecond) {
    knownText = `${new Date(now).toISOString().slice(0, 19)}Z`;
    knownSecond = second;
  }
  return knownText;
}

/** The same of the clock's time. */
export const timestamp = (clock: Clock): string => timeText(clock.now());

/** A metav1.MicroTime: RFC 3339 in UTC with six digits of a second. */
export function microTimestamp(clock: Clock): string {
  return `${new Date(clock.now()).toISOString().slice(0, 23)}000Z`;
}
