/**
 * What serves a resource: one generic storage for every kind, hooks for the few that allocate something beside their object
 * (Services), endpoints for subresources and virtual resources with behaviour of their own (binding, eviction, token, reviews).
 */
import type { KubeObject } from '#machinery/meta';
import type { AuditTrail } from '../audit/index.ts';
import type { CachedObject, RequestInfo, ServedResource, ServerDependencies, UserInfo } from '../contract.ts';

/** One authenticated and authorized request on its way through the registry. */
export interface RequestContext {
  info: RequestInfo;
  user: UserInfo;
  query: URLSearchParams;
  dryRun: boolean;
  fieldManager: string;
  /** Sent to the client as Warning headers. */
  warn(text: string): void;
  /** What is written down of the request; absent where nothing is. */
  audit?: AuditTrail | undefined;
  /** Audit annotations. */
  annotate(key: string, value: string): void;
  signal: AbortSignal;
}

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  orphanDependents?: boolean;
  preconditions?: { uid?: string; resourceVersion?: string };
}

/** Beyond what every caller of `ResourceStorage` says; endpoints, whose own operation was admitted before, leave it out. */
export interface StorageOptions {
  /** Run admission for this write: CREATE, UPDATE or DELETE on the resource. Default false. */
  admit?: boolean;
  /** Update only: create the object where it does not exist (server-side apply). */
  forceCreate?: boolean;
  /** Update only: no strategy and no validation; the endpoint answers for the whole object (binding, eviction). */
  direct?: boolean;
}

/**
 * The generic storage of one served resource. Everything that every kind shares happens here: names and generateName, uid, timestamps,
 * resourceVersion preconditions and retries, generation, managed fields, strategies, validation, admission, finalizers and graceful deletion.
 * Writes go to the store in one transaction; the answer is what was stored. Failures are StatusErrors.
 */
export interface ResourceStorage {
  readonly served: ServedResource;
  get(context: RequestContext, namespace: string, name: string): Promise<CachedObject>;
  /** `object` is a private copy, which is changed. */
  create(context: RequestContext, namespace: string, object: KubeObject, options?: StorageOptions): Promise<KubeObject>;
  /**
   * Reads, calls `change` with the stored object (undefined where it does not exist and the kind allows creating), and writes what it
   * answers; again when another writer was faster, unless the object carries a resourceVersion. Runs under the rules of `subresource` ("" for the resource).
   */
  update(
    context: RequestContext,
    namespace: string,
    name: string,
    change: (old: KubeObject | undefined) => KubeObject | Promise<KubeObject>,
    subresource?: string,
    storageOptions?: StorageOptions,
  ): Promise<{ object: KubeObject; created: boolean }>;
  /** The removed object (or, with `removed` false, the object that now waits for its finalizers or its owner). */
  delete(
    context: RequestContext,
    namespace: string,
    name: string,
    options: DeleteOptions,
    storageOptions?: StorageOptions,
  ): Promise<{ object: KubeObject; removed: boolean }>;
}

/** Settles what a hook had prepared: kept when the write succeeded, undone when it did not. */
export type Finish = (succeeded: boolean) => void | Promise<void>;

/** Beside a kind's writes. `object` may be changed (allocated addresses are written into it). upstream: registry.Store BeginCreate, BeginUpdate, AfterDelete. */
export interface StorageHooks {
  group: string;
  resource: string;
  beginCreate?(context: RequestContext, object: KubeObject): Promise<Finish>;
  beginUpdate?(context: RequestContext, object: KubeObject, old: KubeObject): Promise<Finish>;
  afterDelete?(context: RequestContext, object: KubeObject): void | Promise<void>;
}

/** A subresource (`subresource` set) or a virtual resource (TokenReview …) with behaviour of its own. Admission ran before where the operation is a write. */
export interface Endpoint {
  group: string;
  /** Undefined: every served version. */
  version?: string;
  resource: string;
  subresource: string;
  create?(context: RequestContext, name: string, body: KubeObject): Promise<KubeObject>;
  get?(context: RequestContext, name: string): Promise<KubeObject>;
  /** A virtual resource that is read as stored ones are: it comes as a Table and as metadata, too. */
  served?: ServedResource;
  /** GET without a name: all there are; selectors are applied to them. Only with `served`. */
  list?(context: RequestContext): Promise<readonly KubeObject[]>;
  /** PUT and PATCH: `change` makes the new body from the present one. */
  update?(context: RequestContext, name: string, change: (old: KubeObject) => KubeObject | Promise<KubeObject>): Promise<KubeObject>;
}

export interface Registry {
  storage(group: string, resource: string): ResourceStorage | undefined;
}

export type EndpointFactory = (dependencies: ServerDependencies & { registry: Registry }) => Endpoint;
export type HooksFactory = (dependencies: ServerDependencies & { registry: Registry }) => StorageHooks;
