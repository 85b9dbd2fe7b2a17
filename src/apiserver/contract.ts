/**
 * The API server's inner contracts. The way of a request, in process or over HTTP, is always:
 * authentication → audit → impersonation → flow control → authorization → admission → registry → store.
 */
import type { Kind, KindRules } from '#api';
import type { ResourceFact } from '#api/facts';
import type { Client, Informers } from '#client';
import type { TypeSchema } from '#machinery/apply';
import type { KubeObject } from '#machinery/meta';
import type { Clock, Random } from '#machinery/clock';
import type { Log } from '#machinery/log';

export interface UserInfo {
  name: string;
  uid?: string;
  groups: readonly string[];
  extra?: Record<string, string[]>;
}

/** What a request asks for. upstream: apiserver/pkg/endpoints/request RequestInfo. */
export interface RequestInfo {
  isResourceRequest: boolean;
  path: string;
  /** get, list, watch, create, update, patch, delete, deletecollection, proxy, connect; the lower-cased method for other paths. */
  verb: string;
  group: string;
  version: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  labelSelector?: string;
  fieldSelector?: string;
}

/** Where credentials are read from. Header names are lower case. */
export interface Credentials {
  headers: Record<string, string | string[] | undefined>;
  /** DER of the client certificate chain as it was shown, leaf first; absent without one. Not verified, but for that the client has its key. */
  certificate?: Uint8Array;
  /** Of the request: some paths are for everybody. */
  path?: string;
  /** Query token of WebSocket clients (protocol base64url.bearer.authorization.k8s.io.<token>) is put into headers.authorization before. */
}

/** Undefined: these credentials are not mine. Throws StatusError Unauthorized where they are but are bad. */
export type Authenticator = (credentials: Credentials) => Promise<UserInfo | undefined> | UserInfo | undefined;

export interface AuthorizationAttributes {
  user: UserInfo;
  info: RequestInfo;
}

export interface Decision {
  verdict: 'allow' | 'deny' | 'no-opinion';
  /** For 'allow': which rule (the flow and audit show it). For the others: why not. */
  reason: string;
}

export type Authorizer = (attributes: AuthorizationAttributes) => Decision | Promise<Decision>;

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** upstream: apiserver/pkg/admission Attributes. */
export interface AdmissionAttributes {
  operation: Operation;
  kind: Kind;
  /** The subresource, "" for the resource itself. */
  subresource: string;
  namespace: string;
  /** May be empty while generateName is not yet resolved. */
  name: string;
  /** A private copy that mutating plugins change in place (or replace). Undefined for DELETE. */
  object: KubeObject | undefined;
  /** Stored state; read-only. Undefined for CREATE. */
  oldObject: KubeObject | undefined;
  /** The request's options object (CreateOptions, DeleteOptions, PodExecOptions, …). */
  options: Record<string, unknown>;
  dryRun: boolean;
  user: UserInfo;
  /** The resource it is stored as; absent for endpoints and streams. What others wrote into `object` is conformed to it. */
  served?: ServedResource;
  warn(text: string): void;
  annotate(key: string, value: string): void;
}

/** One admission plugin. `admit` mutates, `validate` only looks; both throw a StatusError to refuse. Run in the order of admission/index.ts. */
export interface AdmissionPlugin {
  name: string;
  handles(attributes: AdmissionAttributes): boolean;
  admit?(attributes: AdmissionAttributes): void | Promise<void>;
  validate?(attributes: AdmissionAttributes): void | Promise<void>;
  /** Lets go of connections and timers; at the server's stop. */
  close?(): void;
}

/** What admission plugins, authorizers and special registries are made from. */
export interface ServerDependencies {
  /** In process, as system:apiserver in system:masters: walks the request path, but never recurses into the caller's plugin. */
  client: Client;
  informers: Informers;
  clock: Clock;
  random: Random;
  log: Log;
}

export type AdmissionPluginFactory = (dependencies: ServerDependencies & { authorizer: Authorizer }) => AdmissionPlugin;

/** What the registry needs to know about one served resource: from the facts tables for built-in kinds, from a CRD for custom ones. */
export interface ServedResource {
  fact: ResourceFact;
  kind: Kind;
  rules: KindRules;
  /** The key prefix in the store: "/registry/pods/", "/registry/services/specs/". Then <namespace>/<name> or <name>. */
  storagePrefix: string;
  /** The version objects are stored in, where it is not the served one (autoscaling/v2 for HPA …). */
  storageKind: Kind;
  /**
   * A private copy of a decoded body with the kind's structure, and the paths of fields it had too many; throws StructureError. Default:
   * by `fact.type` in the schema table. Custom resources bring their own (pruning).
   */
  conform?(value: unknown): { value: Record<string, unknown>; unknown: string[] };
  /** Sent as a warning with every answer: this version goes away. */
  deprecation?: string;
  /** For field tracking and apply. Default: by `fact.type` in the schema table. */
  typeSchema?: TypeSchema;
  /** Custom resources of several versions: the others, and the way there. Admission rules for one version see requests in another. */
  equivalents?: { kinds: readonly Kind[]; convert(object: KubeObject, to: Kind): Promise<KubeObject> };
  /** For custom resources: the kind's whole JSON schema as it is published, in OpenAPI version 2 or 3. Default: from the schema table. */
  openApiSchema?(dialect: 'v2' | 'v3'): Record<string, unknown>;
}

/** An object in the watch cache: decoded (frozen under test) and, made once when first needed, its JSON bytes with resourceVersion in them. */
export interface CachedObject {
  readonly key: string;
  readonly object: KubeObject;
  readonly revision: number;
  /** JSON of `object`, encoded once. */
  bytes(): Uint8Array;
  /** The same with an end of line, as an answer of one object has it. It is the same memory. */
  line(): Uint8Array;
  /** Encodings other than JSON (protobuf), kept beside it, made once by `encode`. */
  encoded(mediaType: string, encode: (object: KubeObject) => Uint8Array): Uint8Array;
}

export interface CacheEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** The new state; for DELETED the last state, with the deletion's resourceVersion. */
  current: CachedObject;
  /** What it replaced: filters need it to turn a change into an ADDED or DELETED for a selector. */
  previous: CachedObject | undefined;
  revision: number;
}

export interface CacheWatch {
  /** Everything up to this revision has been given to the sink: what a bookmark may say. */
  readonly revision: number;
  stop(): void;
}

/**
 * Per resource: current objects with their bytes, and a window of past events. Fed by a store watch; on embedded stores that happens
 * inside the commit, so that a write's own cache entry is there before its promise resolves.
 */
export interface WatchCache {
  /** Everything up to this revision has been applied. */
  readonly revision: number;
  readonly synced: Promise<void>;
  /** How many objects there are, and how many bytes one is in the store, roughly. */
  readonly stats: { count: number; averageSize: number };
  /** Resolves when `revision` is reached; rejects with StatusError Timeout ("Too large resource version") after 3 s. */
  waitFor(revision: number): Promise<void>;
  get(key: string): CachedObject | undefined;
  /** A snapshot in key order of what is under `prefix`; stays as it is while writes go on, and is the same array while nothing under `prefix` changes. */
  list(prefix: string): { items: readonly CachedObject[]; revision: number };
  /** The same as of a past revision; undefined where the window no longer reaches back to it (then the store may). */
  listAt(prefix: string, revision: number): { items: readonly CachedObject[]; revision: number } | undefined;
  /**
   * Events after `revision` under `prefix` (one that does not end in "/" is a single key), first those in the window, then live ones,
   * in order, in batches of one turn of the loop or, for patient watchers, of some. The sink is not called before this has returned.
   * Throws StatusError Expired when the window no longer reaches back ("too old resource version: x (y)").
   * A watcher whose sink answers false is cut.
   */
  watch(
    prefix: string,
    revision: number,
    sink: (events: readonly CacheEvent[]) => boolean | void,
    options?: {
      /** Called when the cache itself ends the watch (closed, or loaded anew). */
      ended?: () => void;
      /** Events may come some milliseconds later, where that makes fewer and bigger batches for many such watchers. */
      patient?: boolean;
    },
  ): CacheWatch;
  close(): Promise<void>;
}
