/** A backing that kills its process at a named point, to see what is found afterwards. upstream: etcd's gofail points in its backend. */
import type { Batch, Recovered } from '../../mvcc/backing.ts';
import type { Record } from '../../mvcc/record.ts';
import type { Logged } from '../log-format.ts';
import { LoggedBacking } from '../logged-backing.ts';
import type { LoggedOptions } from '../logged-backing.ts';

/** Steps of the backing, each of which can be cut short before and after. The disk has points of its own: its writes and syncs. */
export const failPoints = ['recover', 'write', 'log', 'apply', 'compact', 'drop', 'snapshot', 'defragment'].flatMap((step) => [
  `before ${step}`,
  `after ${step}`,
]);

export class FailingBacking extends LoggedBacking {
  readonly #point: string | undefined;
  #left: number;

  /** Dies when `point` is reached for the `count`th time. */
  constructor(options: LoggedOptions, point: string | undefined, count: number) {
    super(options);
    this.#point = point;
    this.#left = count;
  }

  override recover(): Promise<Recovered> {
    return this.#around('recover', () => super.recover());
  }

  override write(batch: Batch): Promise<boolean> {
    return this.#around('write', () => super.write(batch));
  }

  protected override log(logged: Logged): Promise<number> {
    return this.#around('log', () => super.log(logged));
  }

  protected override apply(): Promise<void> {
    return this.#around('apply', () => super.apply());
  }

  override compact(revision: number): Promise<void> {
    return this.#around('compact', () => super.compact(revision));
  }

  override drop(records: readonly Record[]): Promise<void> {
    return this.#around('drop', () => super.drop(records));
  }

  override snapshot(directory: string): Promise<void> {
    return this.#around('snapshot', () => super.snapshot(directory));
  }

  override defragment(): Promise<void> {
    return this.#around('defragment', () => super.defragment());
  }

  async #around<T>(step: string, run: () => Promise<T>): Promise<T> {
    this.#reach(`before ${step}`);
    const result = await run();
    this.#reach(`after ${step}`);
    return result;
  }

  #reach(point: string): void {
    if (point === this.#point && --this.#left === 0) process.kill(process.pid, 'SIGKILL');
  }
}
