/**
 * What etcd says of a store that is out of space: an alarm, listed until somebody disarms it, and no puts until then.
 * upstream: etcd server/etcdserver/api/v3alarm, apply/apply.go (applierV3Capped). Ours end with the process; the next put raises it anew.
 */
import { StoreError } from '../contract.ts';
import type { TxnRequest } from '../contract.ts';
import { noSpace } from '../mvcc/errors.ts';
import { sharedBy } from './shared.ts';

/** As etcd's API names them. 'NONE' stands for all of them, or for none. */
export type AlarmType = 'NONE' | 'NOSPACE' | 'CORRUPT';

export class Alarms {
  readonly #active = new Set<AlarmType>();

  /** Those of a type, or all. */
  list(type: AlarmType = 'NONE'): AlarmType[] {
    return [...this.#active].filter((alarm) => type === 'NONE' || alarm === type);
  }

  /** Answers whether something has changed. */
  raise(type: AlarmType): boolean {
    if (type === 'NONE' || this.#active.has(type)) return false;
    this.#active.add(type);
    return true;
  }

  disarm(type: AlarmType): boolean {
    return this.#active.delete(type);
  }

  /** Runs what may need space: refused while the alarm is on, which it is once there is none. */
  watched<T>(puts: boolean, run: () => Promise<T>): Promise<T> {
    if (!puts) return run();
    if (this.#active.has('NOSPACE')) return Promise.reject(noSpace());
    return run().catch((error: unknown) => {
      if (error instanceof StoreError && error.code === 'no-space') this.raise('NOSPACE');
      throw error;
    });
  }
}

export const alarmsOf = sharedBy(() => new Alarms());

/** Nested transactions included. */
export const hasPuts = ({ success, failure }: TxnRequest): boolean =>
  [...success, ...failure].some((operation) => operation.type === 'put' || (operation.type === 'txn' && hasPuts(operation.request)));
