/**
 * What every part of Coxswain is: a component that starts and stops, leaving nothing behind.
 * Invariant: after `stop()` resolves, no timer, socket, watcher, process, mount or rule of the component remains.
 */
import type { Clock, Random } from '#machinery/clock';
import type { Log } from '#machinery/log';

/** What a component is given; it takes nothing from the process around it. */
export interface Context {
  clock: Clock;
  random: Random;
  log: Log;
  /** Aborts when the component must stop; `Running.stop` is called as well and waits. */
  signal: AbortSignal;
}

export interface Component {
  name: string;
  /** Resolves when the component does its work (not when it is first asked to). Rejects when it cannot start; then nothing is left behind. */
  start(context: Context): Promise<Running>;
}

export interface Running extends AsyncDisposable {
  /** Graceful; idempotent. */
  stop(): Promise<void>;
}

/** Makes a Running of a stop function: runs it once, however often it is asked. */
export function running(stop: () => Promise<void> | void): Running {
  let stopping: Promise<void> | undefined;
  const once = (): Promise<void> => (stopping ??= Promise.resolve().then(stop));
  return { stop: once, [Symbol.asyncDispose]: once };
}

/** Things to undo, in reverse order of adding. `dispose` goes on past failures and throws them together at the end. */
export class Disposables implements AsyncDisposable {
  #entries: (() => unknown)[] = [];

  add(undo: () => unknown): void {
    this.#entries.push(undo);
  }

  async dispose(): Promise<void> {
    const errors: unknown[] = [];
    for (const undo of this.#entries.splice(0).reverse()) {
      try {
        await undo();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, 'Cannot dispose of everything');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** Starts a part and gives its Running, which an abort of the signal stops as well. Where the start fails, it is stopped before this rejects. */
export async function runningPart(
  part: { start(signal: AbortSignal): Promise<void>; stop(): Promise<void> },
  signal: AbortSignal,
): Promise<Running> {
  try {
    await part.start(signal);
  } catch (error) {
    await part.stop();
    throw error;
  }
  const started = running(() => part.stop());
  signal.addEventListener('abort', () => void started.stop(), { once: true });
  return started;
}
