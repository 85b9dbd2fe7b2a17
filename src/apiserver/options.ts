/** What an API server is made of. Everything that others build is passed in: the server knows no authenticator, plugin or hook by name. */
import type { Clock, Random } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { Client, Transport } from '#client';
import type { Store } from '#store';
import type { AdmissionPluginFactory, Authorizer, Credentials, ServerDependencies, UserInfo } from './contract.ts';
import type { AuthenticationConfigOptions, KubernetesServiceOptions } from './bootstrap/index.ts';
import type { Auditor } from './audit/index.ts';
import type { InFlightLimits } from './filters/in-flight.ts';
import type { Discovery } from './discovery/serve.ts';
import type { DelegatedRequest } from './http/handle.ts';
import type { Health } from './http/health.ts';
import type { ListenTarget, Listener, TlsIdentity } from './http/listener.ts';
import type { PathTable } from './http/paths.ts';
import type { OpenApi } from './openapi/serve.ts';
import type { ConnectHandler } from './proxy/contract.ts';
import type { EndpointFactory, HooksFactory } from './registry/contract.ts';
import type { ResourceTable } from './registry/table.ts';

export interface ApiServerOptions {
  store: Store;
  clock: Clock;
  random: Random;
  log: Log;
  /** Answers somebody or throws Unauthorized. Made with an in-process client, whose first use must be later. */
  authentication(dependencies: ServerDependencies): { authenticate(credentials: Credentials): UserInfo | Promise<UserInfo> };
  authorization(dependencies: ServerDependencies): Authorizer;
  /** In the order they are asked. */
  admission?: readonly AdmissionPluginFactory[];
  endpoints?: readonly EndpointFactory[];
  hooks?: readonly HooksFactory[];
  /** exec, attach, portforward, log, proxies. */
  streams?(dependencies: StreamDependencies): readonly ConnectHandler[];
  /** Called once everything else is made: more paths, resources, aggregated APIs. What it answers is run at stop. */
  extensions?: readonly ((server: ServerParts) => void | (() => void | Promise<void>))[];
  /** What is written down of requests. Closed with the server. */
  audit?: Auditor;
  /** Needed for `listen`. */
  tls?: TlsIdentity;
  /** The first objects. `kubernetesService` and the authorities of clients add what depends on the set-up. False: none. */
  bootstrap?: false | ({ kubernetesService?: KubernetesServiceOptions } & AuthenticationConfigOptions);
  /** How many requests may be worked on at once; with priority and fairness their sum is what levels divide. */
  inFlight?: InFlightLimits;
  /** Default true: by the API's flow schemas and priority levels. */
  priorityAndFairness?: boolean;
  /** Under test: freezes cached objects. */
  freeze?: boolean;
  /** Milliseconds between compactions of the store; what is older can then not be watched or listed. 0: never. Default 5 minutes. */
  compactionPeriod?: number;
  /** Milliseconds that past revisions are kept, at least. Default: the period. */
  history?: number;
}

export type StreamDependencies = ServerDependencies & { table: ResourceTable };

/** For extensions. */
export interface ServerParts extends ServerDependencies {
  table: ResourceTable;
  paths: PathTable;
  health: Health;
  discovery: Discovery;
  openApi: OpenApi;
  store: Store;
  authorizer: Authorizer;
  /** Storage for a resource met at run time: its cache is made (and shared by the resource's versions) here. */
  resources: import('./registry/resources.ts').Resources;
  /** Sets who takes requests for other servers; called after authorization. */
  delegate(handler: (request: DelegatedRequest) => Promise<void> | undefined): void;
  /** Aborts when the server stops. */
  signal: AbortSignal;
}

export interface ApiServer extends AsyncDisposable {
  /** A client's way in without sockets: authorization and admission as over HTTP. `userAgent` names the field manager. */
  transportFor(user: UserInfo, userAgent?: string): Transport;
  clientFor(user: UserInfo, userAgent?: string): Client;
  /** Resolves when bootstrap objects are there and plugins have what they need. */
  readonly ready: Promise<void>;
  listen(target: ListenTarget): Promise<Listener>;
  /** Listeners, and those to come, show other certificates and believe other authorities from now on. */
  renew(tls: TlsIdentity): void;
  readonly parts: ServerParts;
  /** Graceful: long-running requests end, others are answered; idempotent. */
  close(): Promise<void>;
}
