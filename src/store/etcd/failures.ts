/** Failures on the wire: gRPC codes with etcd's texts, in both directions. upstream: etcd api/v3rpc/rpctypes/error.go. */
import { StoreError } from '../contract.ts';
import type { StoreErrorCode } from '../contract.ts';

/** gRPC's numbers. */
export const grpcCode = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unimplemented: 12,
  unavailable: 14,
  dataLoss: 15,
} as const;

const byText: [part: string, code: StoreErrorCode][] = [
  ['required revision has been compacted', 'compacted'],
  ['required revision is a future revision', 'future-revision'],
  ['duplicate key given in txn request', 'duplicate-key'],
  ['too many operations in txn request', 'too-many-operations'],
  ['request is too large', 'too-large'],
  ['message larger than max', 'too-large'],
  ['database space exceeded', 'no-space'],
  ['requested lease not found', 'lease-not-found'],
  ['lease already exists', 'lease-exists'],
  ['key not found', 'key-not-found'],
  ['corrupt', 'corrupt'],
];

/** What the store's user sees of a failed call. */
export function fromGrpc(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { code, details, message } = error as { code?: number; details?: string; message?: string };
  const text = details || message || String(error);
  const known = byText.find(([part]) => text.toLowerCase().includes(part));
  if (known) return new StoreError(known[1], text, { cause: error });
  if (code === grpcCode.invalidArgument || code === grpcCode.outOfRange) return new StoreError('invalid', text, { cause: error });
  return new StoreError('unavailable', `Cannot reach etcd: ${text}`, { cause: error });
}

const codes: Record<StoreErrorCode, number> = {
  compacted: grpcCode.outOfRange,
  'future-revision': grpcCode.outOfRange,
  'duplicate-key': grpcCode.invalidArgument,
  'too-many-operations': grpcCode.invalidArgument,
  'too-large': grpcCode.invalidArgument,
  'no-space': grpcCode.resourceExhausted,
  'lease-not-found': grpcCode.notFound,
  'lease-exists': grpcCode.failedPrecondition,
  'key-not-found': grpcCode.invalidArgument,
  invalid: grpcCode.invalidArgument,
  closed: grpcCode.unavailable,
  unavailable: grpcCode.unavailable,
  corrupt: grpcCode.dataLoss,
};

/** What a client of the facade sees of a failed store operation. */
export function toGrpc(error: unknown): { code: number; details: string } {
  if (error instanceof StoreError) return { code: codes[error.code], details: error.message };
  return { code: grpcCode.unknown, details: error instanceof Error ? error.message : String(error) };
}
