import type { Kind } from '#api';
import type { Client, EventRecorder, Informer, Informers } from '#client';
import type { KubeObject } from '#machinery/meta';
import type { Clock, Random } from '#machinery/clock';
import type { Log } from '#machinery/log';

/** What a controller works with. Its client speaks as its own service account (system:serviceaccount:kube-system:<serviceAccount>). */
export interface ControllerContext {
  client: Client;
  informers: Informers;
  /** Shared informer of a kind; asking for it starts it. */
  lister<T extends KubeObject>(kind: Kind<T>): Informer<T>;
  events: EventRecorder;
  clock: Clock;
  random: Random;
  log: Log;
  /** Puts a key on this controller's queue, now or after some milliseconds. */
  enqueue(key: string, afterMilliseconds?: number): void;
  options: ControllerOptions;
  /** Aborts when the controller must stop. */
  signal: AbortSignal;
}

/** Cluster-wide settings that controllers read. Durations in milliseconds. upstream: kube-controller-manager's flags and defaults. */
export interface ControllerOptions {
  clusterCidrs: string[];
  nodeCidrMaskSize: number;
  serviceCidrs: string[];
  /** PEM of the cluster's CA, published as kube-root-ca.crt and used to sign certificates. */
  rootCa: string;
  signer?: { certificate: string; key: string };
  /** Milliseconds that signed certificates are good for at most. Default one year. */
  signingDuration?: number;
  /** PEM of the key that signs service-account tokens; without it token secrets are not filled. */
  serviceAccountKey?: string;
  nodeMonitorPeriod: number;
  nodeMonitorGracePeriod: number;
  terminatedPodThreshold: number;
  allocateNodeCidrs: boolean;
}

/** Something a controller reacts to: changes of `kind` put `keys(object)` on its queue. Default keys: the object's own. */
export interface Source<T extends KubeObject = KubeObject> {
  kind: Kind<T>;
  /** Called for the new state, and for the old one as well when it changed. */
  keys?(object: T, context: ControllerContext): string[];
  /**
   * Milliseconds that a key waits for more changes to be looked at together: for work that grows with the number of objects behind a key.
   * Default 0.
   */
  delay?(key: string, context: ControllerContext): number;
  /** Return false to ignore a change. */
  when?(object: T, old: T | undefined, event: 'added' | 'updated' | 'deleted', context: ControllerContext): boolean;
}

export interface Result {
  /** Come back after so many milliseconds even if nothing changes. */
  requeueAfter?: number;
}

/**
 * A controller: level-triggered and idempotent. `reconcile` is called for one key at a time (never the same key twice at once; up to
 * `workers` different ones), after the caches synced; it reads the caches, makes the world as the object asks, and throws to be called
 * again with back-off. It must do the right thing when its caches are a little old (conflicts and expectations).
 */
export interface Controller {
  /** Upstream's name: "deployment-controller" (controller_descriptor.go / names). */
  name: string;
  /**
   * Whose name its client speaks in: system:serviceaccount:kube-system:<this>; "" for the controller manager's own (system:kube-controller-manager).
   * upstream: controller_descriptor.go, bootstrappolicy.
   */
  serviceAccount: string;
  /** Source of its events. Default: the name. */
  component?: string;
  watches: Source<any>[]; // oxlint-disable-line typescript/no-explicit-any -- one list holds sources of many kinds
  /** Default 5. */
  workers?: number;
  /** Runs once before the first reconcile: make indexes, state, timers. What it returns is disposed of at stop. */
  setup?(context: ControllerContext): void | AsyncDisposable | Promise<void | AsyncDisposable>;
  reconcile(context: ControllerContext, key: string): Promise<Result | void>;
}

export const defineController = (controller: Controller): Controller => controller;

/** For a controller with state of its own: a function makes a fresh one at each start. */
export type ControllerFactory = () => Controller;

export const source = <T extends KubeObject>(kind: Kind<T>, options: Omit<Source<T>, 'kind'> = {}): Source<T> => ({ kind, ...options });
