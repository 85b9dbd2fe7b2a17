/** The store's failures with the texts that etcd's clients read. upstream: etcd api/v3rpc/rpctypes/error.go. */
import { StoreError } from '../contract.ts';

export const compacted = (): StoreError => new StoreError('compacted', 'etcdserver: mvcc: required revision has been compacted');
export const futureRevision = (): StoreError =>
  new StoreError('future-revision', 'etcdserver: mvcc: required revision is a future revision');
export const duplicateKey = (): StoreError => new StoreError('duplicate-key', 'etcdserver: duplicate key given in txn request');
export const tooManyOperations = (): StoreError => new StoreError('too-many-operations', 'etcdserver: too many operations in txn request');
export const tooLarge = (): StoreError => new StoreError('too-large', 'etcdserver: request is too large');
export const noSpace = (cause?: unknown): StoreError =>
  new StoreError('no-space', 'etcdserver: mvcc: database space exceeded', cause === undefined ? undefined : { cause });
export const leaseNotFound = (): StoreError => new StoreError('lease-not-found', 'etcdserver: requested lease not found');
export const leaseExists = (): StoreError => new StoreError('lease-exists', 'etcdserver: lease already exists');
export const keyNotFound = (): StoreError => new StoreError('key-not-found', 'etcdserver: key not found');
export const emptyKey = (): StoreError => new StoreError('invalid', 'etcdserver: key is not provided');
export const valueProvided = (): StoreError => new StoreError('invalid', 'etcdserver: value is provided');
export const leaseProvided = (): StoreError => new StoreError('invalid', 'etcdserver: lease is provided');
export const leaseTtlTooLarge = (): StoreError => new StoreError('invalid', 'etcdserver: too large lease TTL');
export const leaseTtlTooSmall = (): StoreError => new StoreError('invalid', 'etcdserver: lease TTL must be a whole number above 0');
export const closed = (): StoreError => new StoreError('closed', 'etcdserver: server stopped');
