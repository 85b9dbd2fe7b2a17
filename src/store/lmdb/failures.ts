/** What a failing disk means to those who asked. */
import { StoreError } from '../contract.ts';
import { noSpace } from '../mvcc/errors.ts';

/** LMDB's "map full", and the system's errors as lmdb and as Node name them. */
const full = new Set<unknown>([-30792, 28, 122, 'ENOSPC', 'EDQUOT']);

export function failureOf(path: string, cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  if (full.has((cause as { code?: unknown }).code)) return noSpace(cause);
  const message = cause instanceof Error ? cause.message : String(cause);
  return new StoreError('unavailable', `Store ${path} does not answer: ${message}`, { cause });
}
