import type { Pod } from '#api';
import type { Clock } from '#machinery/clock';
import { containersOf, initContainersOf, isSidecar } from '../pod-spec.ts';

/** Sidecars outlive the containers they serve, and end in reverse order of their start. upstream: kuberuntime_termination_order.go. */
export class TerminationOrder {
  readonly #clock: Clock;
  readonly #ended = new Map<string, { promise: Promise<void>; resolve: () => void }>();
  readonly #before = new Map<string, string[]>();

  constructor(pod: Pod, running: readonly string[], clock: Clock) {
    this.#clock = clock;
    for (const { name } of [...containersOf(pod), ...initContainersOf(pod)]) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#ended.set(name, { promise, resolve });
      if (!running.includes(name)) resolve();
    }
    const mains = containersOf(pod).map(({ name }) => name);
    let later: string | undefined;
    for (const container of initContainersOf(pod).toReversed()) {
      if (!isSidecar(container)) continue;
      this.#before.set(container.name, later === undefined ? mains : [...mains, later]);
      later = container.name;
    }
  }

  /** Waits for the others, at most so many seconds; answers how many it took. */
  async wait(name: string, seconds: number): Promise<number> {
    const others = this.#before.get(name);
    if (!others?.length || seconds <= 0) return 0;
    const begun = this.#clock.monotonic();
    const late = Promise.withResolvers<void>();
    const timer = this.#clock.setTimeout(late.resolve, seconds * 1000);
    await Promise.race([late.promise, Promise.all(others.map(async (other) => this.#ended.get(other)?.promise))]);
    timer.cancel();
    return (this.#clock.monotonic() - begun) / 1000;
  }

  ended(name: string): void {
    this.#ended.get(name)?.resolve();
  }
}
