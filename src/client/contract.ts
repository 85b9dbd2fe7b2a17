/**
 * One client, in process or over HTTP, behind `Transport`; everything else (typed calls, informers, leader election, events) is built on it once.
 * Objects handed out are read-only: `draft` from #machinery/meta makes a copy to change.
 * Failures are StatusErrors (#machinery/status). A lost connection is a StatusError 'ServiceUnavailable'.
 */
import type { Kind } from '#api';
import type { KubeObject, ObjectRef } from '#machinery/meta';

/** One call of the API, as data. */
export interface ApiCall {
  verb: 'get' | 'list' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';
  kind: Kind;
  namespace?: string;
  name?: string;
  subresource?: string;
  /** The object sent: the resource, DeleteOptions, a patch. */
  body?: unknown;
  patchType?: PatchType;
  /** Query parameters as the API names them (labelSelector, resourceVersion, dryRun, fieldManager, force, …). */
  query?: Record<string, string>;
  /** Ask for PartialObjectMetadata instead of the whole. */
  metadataOnly?: boolean;
  signal?: AbortSignal;
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface Transport {
  /** The answer's object. Rejects with a StatusError. */
  call(call: ApiCall): Promise<unknown>;
  /**
   * Starts a watch; resolves once the server has accepted it. `sink` gets every event in order; the object of a 'DELETED' event is the last state.
   * Ends when the signal aborts, the server ends it (timeout) or an ERROR event comes.
   */
  watch(call: Omit<ApiCall, 'verb' | 'body' | 'patchType'>, sink: (event: WatchEvent) => void): Promise<WatchHandle>;
  /**
   * GET of a path that is no resource: discovery ("/apis", "/apis/apps/v1"), "/version", "/openapi/v3". The decoded JSON.
   * Who asks for discovery without it reads the built-in tables and the CustomResourceDefinitions instead.
   */
  raw?(path: string, signal?: AbortSignal): Promise<unknown>;
}

export interface WatchEvent<T = KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

export interface WatchHandle {
  /** Resolves when the watch ended regularly; rejects with a StatusError ('Expired' when the revision is too old). */
  readonly done: Promise<void>;
  stop(): void;
}

export interface ListOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
  resourceVersionMatch?: 'Exact' | 'NotOlderThan';
  metadataOnly?: boolean;
  signal?: AbortSignal;
}

export interface WatchOptions extends Omit<ListOptions, 'limit' | 'continue'> {
  allowWatchBookmarks?: boolean;
  sendInitialEvents?: boolean;
  timeoutSeconds?: number;
}

export interface List<T> {
  items: T[];
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
}

export interface WriteOptions {
  subresource?: string;
  dryRun?: boolean;
  fieldManager?: string;
  fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
}

export interface DeleteRequest {
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  preconditions?: { uid?: string; resourceVersion?: string };
  dryRun?: boolean;
}

export interface Client {
  readonly transport: Transport;
  get<T extends KubeObject>(
    kind: Kind<T>,
    ref: ObjectRef,
    options?: { resourceVersion?: string; subresource?: string; metadataOnly?: boolean },
  ): Promise<T>;
  list<T extends KubeObject>(kind: Kind<T>, options?: ListOptions): Promise<List<T>>;
  watch<T extends KubeObject>(kind: Kind<T>, options: WatchOptions, sink: (event: WatchEvent<T>) => void): Promise<WatchHandle>;
  create<T extends KubeObject>(kind: Kind<T>, object: T, options?: WriteOptions): Promise<T>;
  /** POST to a subresource of a named object (binding, eviction, token). */
  createSubresource<R>(kind: Kind, ref: ObjectRef, subresource: string, body: unknown, options?: WriteOptions): Promise<R>;
  update<T extends KubeObject>(kind: Kind<T>, object: T, options?: WriteOptions): Promise<T>;
  updateStatus<T extends KubeObject>(kind: Kind<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    kind: Kind<T>,
    ref: ObjectRef,
    type: PatchType,
    body: unknown,
    options?: WriteOptions & { force?: boolean },
  ): Promise<T>;
  delete(kind: Kind, ref: ObjectRef, options?: DeleteRequest): Promise<void>;
  deleteCollection(kind: Kind, options: ListOptions & DeleteRequest): Promise<void>;
}

/**
 * A local, always-current copy of one kind. Promises, as client-go's informers: handlers see each object's changes in order, skipping
 * states that a later one replaced while disconnected; after `synced` everything that existed at the start has been delivered; a
 * deletion missed while disconnected is delivered with the last known state. Handlers run synchronously, one at a time, and must not throw.
 */
export interface Informer<T extends KubeObject> {
  readonly kind: Kind<T>;
  /** Resolves after the first list was delivered. */
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  /** By "namespace/name" (or "name"). */
  get(key: string): T | undefined;
  list(namespace?: string): T[];
  /** Objects for which the index function gave `value`. */
  byIndex(index: string, value: string): T[];
  /** Adds an index; at any time, idempotent by name. */
  addIndex(index: string, values: (object: T) => string[]): void;
  /** Subscribes. Objects already there are delivered as added. */
  on(handler: InformerHandler<T>): Disposable;
}

export interface InformerHandler<T> {
  added?(object: T): void;
  updated?(object: T, old: T): void;
  deleted?(object: T): void;
}

/** One shared informer a kind (and selector); starts when first asked for, stops with the factory. */
export interface Informers extends AsyncDisposable {
  for<T extends KubeObject>(
    kind: Kind<T>,
    options?: { namespace?: string; labelSelector?: string; fieldSelector?: string; metadataOnly?: boolean },
  ): Informer<T>;
  /** Resolves when every informer asked for so far has synced. */
  synced(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A rate-limited queue of keys (client-go's workqueue): a key added while queued is there once; one added while being worked on
 * comes again after `done`; failures come back with exponential back-off (5 ms to 1000 s by item, 10/s overall with bursts of 100).
 */
export interface WorkQueue<K = string> {
  add(key: K): void;
  addAfter(key: K, milliseconds: number): void;
  addRateLimited(key: K): void;
  forget(key: K): void;
  failures(key: K): number;
  /** The next key, or undefined after `close`. */
  take(): Promise<K | undefined>;
  done(key: K): void;
  readonly length: number;
  close(): void;
}

/** What somebody did, to what, and on whose account. */
export interface RecordedAction {
  regarding: KubeObject;
  related?: KubeObject;
  type: 'Normal' | 'Warning';
  reason: string;
  action: string;
  note: string;
}

/** Records Events of events.k8s.io: the same ones become a series (client-go's tools/events). Never throws, never waits. */
export interface ActionRecorder {
  record(what: RecordedAction): void;
}

/** Records Events on objects: aggregated, counted, rate limited by source and object (client-go's tools/record). Never throws, never waits. */
export interface EventRecorder {
  event(
    object: KubeObject & { apiVersion?: string; kind?: string },
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    fieldPath?: string,
  ): void;
}
