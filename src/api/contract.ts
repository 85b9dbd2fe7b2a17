import type { FieldError } from '#machinery/status';
import type { KubeObject } from '#machinery/meta';

/** A kind of the API and where it is served. Plain data, so that kinds met at run time (custom resources) are made the same way. */
export interface Kind<T = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** The plural in the path: "pods". */
  readonly resource: string;
  readonly namespaced: boolean;
  /** "v1", "apps/v1". */
  readonly apiVersion: string;
  /** Never set: it carries the type of the kind's objects. */
  readonly type?: T;
}

/** What a strategy may know about the request it serves. */
export interface StrategyContext {
  /** Milliseconds since 1970. */
  now: number;
  /** The one who asks: some strategies stamp it (CertificateSigningRequest). */
  user: { name: string; uid?: string; groups: readonly string[]; extra?: Record<string, string[]> };
}

/** What is wrong with an expression, told of `path`: nothing where it compiles. */
export type ExpressionCheck = (path: string, expression: string) => FieldError[];

/** The expressions of one policy. Variables are known to what is asked after them. */
export interface PolicyExpressionChecks {
  condition: ExpressionCheck;
  variable(path: string, name: string, expression: string): FieldError[];
  validation: ExpressionCheck;
  message: ExpressionCheck;
  annotation: ExpressionCheck;
}

/** Compiles what clients write: validation tells what it finds where upstream does, beside what else is wrong. */
export interface ExpressionChecks {
  webhookCondition: ExpressionCheck;
  policy(has: { params: boolean; variables: boolean }): PolicyExpressionChecks;
  deviceSelector: ExpressionCheck;
}

/** One column of `kubectl get`. upstream: pkg/printers/internalversion/printers.go. */
export interface Column<T> {
  name: string;
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  format?: string;
  /** 0: always shown; 1: with -o wide. Default 0. */
  priority?: number;
  /** The cell for one object; `now` in milliseconds since 1970 for ages. Default for the column Name: metadata.name. */
  cell(object: T, now: number): string | number | bigint | boolean | null;
}

/**
 * What the tables cannot say about one kind: defaults, validation, strategies, columns. One file a kind, `src/api/<group>/<kind>.ts`,
 * listed in `src/api/rules.ts`. Every function is pure but for the first argument where it says that this may be changed.
 * Objects given for change are private copies; `old` is stored and read-only.
 * The generic registry does what all kinds share (metadata, generation, resourceVersion, managed fields): a kind says only what differs.
 */
export interface KindRules<T extends KubeObject = KubeObject> {
  kind: Kind<T>;
  /** Fills in what the client left out. Changes `object`. Runs on every decode of a request body and on reading the store. upstream: pkg/apis/<group>/v1/defaults.go. */
  applyDefaults?(object: T): void;
  /** Changes `object`: drops the status and whatever a client may not set. upstream: strategy.go. */
  prepareForCreate?(object: T, context: StrategyContext): void;
  /** Changes `object`: restores from `old` what this update may not touch (status). */
  prepareForUpdate?(object: T, old: T, context: StrategyContext): void;
  validate?(object: T, expressions?: ExpressionChecks): FieldError[];
  /** Runs beside metadata validation. Includes validate's rules where upstream does. */
  validateUpdate?(object: T, old: T, expressions?: ExpressionChecks): FieldError[];
  /** Whether there are expressions to compile. Only then are the two above given what does so: CEL takes its time to load. */
  hasExpressions?(object: T, old?: T): boolean;
  /** What takes loading (default values in schemas). Runs at creation and at updates of the main resource, after the checks above have found nothing. */
  validateLater?(object: T, old?: T): Promise<FieldError[]>;
  /** Whether the kind's rules look at metadata; where they do not (events), only what holds for all kinds is checked. Default true. */
  checksMetadata?: boolean;
  /** Whether something is added to a generateName; where not, it is the name. Default true. */
  generatesNames?: boolean;
  /** Whole metadata.name check. Default: DNS-1123 subdomain. */
  validateName?(name: string, prefix: boolean): string[];
  /** Rules of the subresources that write a part of the object: status, scale (generic), approval, finalize, ephemeralcontainers, resize. */
  subresources?: Record<
    string,
    {
      /** Changes `object`: restores from `old` all that this subresource may not touch. Default for status: everything but status and metadata. */
      prepareForUpdate?(object: T, old: T, context: StrategyContext): void;
      validateUpdate?(object: T, old: T): FieldError[];
      /** Texts for Warning headers. */
      warnings?(object: T, old: T): string[];
    }
  >;
  /** Texts for Warning headers. */
  warnings?(object: T, old?: T): string[];
  /**
   * Whether `metadata.generation` counts changes outside metadata and status. Default: true where the type has a spec and a status.
   * A function says for one update whether it counts (a Deployment's generation counts its annotations too); generation then starts at 1.
   */
  generation?: boolean | ((object: T, old: T) => boolean);
  /** PUT to a name that does not exist creates it. Default false. */
  allowCreateOnUpdate?: boolean;
  /** PUT without resourceVersion is allowed. Default true. */
  allowUnconditionalUpdate?: boolean;
  /**
   * Decides on graceful deletion: the grace period in seconds with which the object stays until its owner removes it, or 0 to remove it
   * now. Absent: removed at once. Given the period asked for (undefined: none asked). upstream: RESTGracefulDeleteStrategy.
   */
  gracePeriod?(object: T, asked: number | undefined): number;
  /** Fields that a write of the object itself never changes, and nobody comes to own by it. Default: the status where there is one. */
  resetFields?: readonly string[];
  /** The same of a write of its status. Default: all but metadata and status. */
  statusResetFields?: readonly string[];
  /** Why an object of this name may never be deleted; undefined where it may. */
  refuseDeletion?(name: string): string | undefined;
  /** Columns after Name; Age is added last unless `columns` names it. A list that names Name is whole: nothing is added. Default: Name and Age. */
  columns?: Column<T>[];
  /** Field selectors beyond metadata.name and metadata.namespace. */
  selectableFields?: Record<string, (object: T) => string>;
  /** Where the scale subresource finds things (paths without leading dot: "spec.replicas"). */
  scale?: { specReplicas: string; statusReplicas: string; selector(object: T): string };
}

/** Identity for inference: `export const podRules = defineKind<Pod>({ kind: Pod, … })`. */
export const defineKind = <T extends KubeObject>(rules: KindRules<T>): KindRules<T> => rules;
