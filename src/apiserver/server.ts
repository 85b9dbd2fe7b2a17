/** Puts the server together. Read options.ts first: what comes from outside; then http/handle.ts: the way of a request. */
import { clientOver, informersOver } from '#client';
import type { Transport } from '#client';
import { Disposables } from '#machinery/lifecycle';
import type { Authorizer, ServerDependencies, UserInfo } from './contract.ts';
import { prepareStore } from './bootstrap/start.ts';
import { compactPeriodically } from './registry/compaction.ts';
import { serveDiscovery } from './discovery/serve.ts';
import { serveVersion } from './discovery/version.ts';
import { defaultLimits, InFlight } from './filters/in-flight.ts';
import { priorityAndFairness } from './flowcontrol/index.ts';
import { RequestMetrics } from './filters/metrics.ts';
import type { Handlers } from './handlers/dispatch.ts';
import { inProcessTransport } from './handlers/in-process.ts';
import { handle } from './http/handle.ts';
import type { DelegatedRequest, HttpContext } from './http/handle.ts';
import { Health } from './http/health.ts';
import { listen } from './http/listener.ts';
import type { Listener } from './http/listener.ts';
import { PathTable } from './http/paths.ts';
import { serveOpenApi } from './openapi/serve.ts';
import type { ApiServer, ApiServerOptions, ServerParts } from './options.ts';
import { converterFor } from './registry/conversion/index.ts';
import { admissionChain } from './registry/generic/admission-chain.ts';
import type { AdmissionChain } from './registry/generic/admission-chain.ts';
import { Resources } from './registry/resources.ts';
import { builtInResources } from './registry/served.ts';
import { ResourceTable } from './registry/table.ts';
import { watchCaches } from './watchcache/mod.ts';

/** The server's own identity: it may do everything. */
export const loopbackUser: UserInfo = Object.freeze({
  name: 'system:apiserver',
  groups: Object.freeze(['system:masters', 'system:authenticated']),
});

const loopbackOnly: Authorizer = ({ user }) =>
  user === loopbackUser ? { verdict: 'allow', reason: '' } : { verdict: 'no-opinion', reason: 'the authorizer is not made yet' };

/** More requests at once than any process can hold. */
const mostSeats = 1_000_000;

const fiveMinutes = 5 * 60_000;
/** Upstream's names for what is one step here: bootstrap objects are there. upstream: pkg/controlplane, pkg/registry/rbac/rest. */
const bootstrapParts = [
  'start-system-namespaces-controller',
  'start-cluster-authentication-info-controller',
  'rbac/bootstrap-roles',
  'scheduling/bootstrap-system-priority-classes',
  'priority-and-fairness-config-producer',
  'bootstrap-controller',
];
/** Watches without a timeout of their own end after 30 to 60 minutes, not all at once. upstream: MinRequestTimeout. */
const minWatch = 30 * 60_000;

export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, clock, random, log } = options;
  const disposables = new Disposables();
  const stopping = new AbortController();
  const table = new ResourceTable();
  const paths = new PathTable();
  const health = new Health();
  health.add({ name: 'ping', check: () => undefined });
  health.add({ name: 'log', check: () => undefined });
  health.add({ name: 'etcd', check: () => store.revision().then(() => undefined) });
  health.add({ name: 'etcd-readiness', endpoints: ['readyz'], check: () => store.revision().then(() => undefined) });
  const metrics = new RequestMetrics();

  let authorizer: Authorizer | undefined;
  let chain: AdmissionChain = admissionChain([]);
  let delegate: ((request: DelegatedRequest) => Promise<void> | undefined) | undefined;
  // The authorizer's own informers begin while it is being made; until then there is nobody else.
  const theAuthorizer = (): Authorizer => authorizer ?? loopbackOnly;

  // Before anything reads the store: a new one is filled in one transaction.
  const ensure = await prepareStore(options);
  const caches = watchCaches({ store, clock, log, ...(options.freeze && { freeze: true }) });
  disposables.add(() => caches.close());
  const resources = new Resources({ store, caches, table, clock, random, admission: () => chain });
  for (const served of builtInResources()) resources.add(served, converterFor(served));

  const handlers: Handlers = {
    table,
    admission: () => chain,
    authorizer: theAuthorizer,
    watchTimeout: () => minWatch * (1 + random.next()),
    now: () => clock.now(),
  };
  const transportFor = (user: UserInfo, userAgent = managerOf(user)): Transport =>
    inProcessTransport(
      { handlers, authorizer: theAuthorizer, auditor: options.audit, clock, random, signal: stopping.signal },
      user,
      userAgent,
    );
  const client = clientOver(transportFor(loopbackUser, 'kube-apiserver'));
  const informers = informersOver(client, { clock, random, log });
  disposables.add(() => informers.stop());
  const dependencies: ServerDependencies = { client, informers, clock, random, log };

  authorizer = options.authorization(dependencies);
  const { authenticate } = options.authentication(dependencies);
  const withRegistry = { ...dependencies, registry: table };
  for (const make of options.hooks ?? []) table.addHooks(make(withRegistry));
  for (const make of options.endpoints ?? []) table.addEndpoint(make(withRegistry));
  for (const handler of options.streams?.({ ...dependencies, table }) ?? []) table.addConnect(handler);
  const plugins = (options.admission ?? []).map((make) => make({ ...dependencies, authorizer: theAuthorizer() }));
  disposables.add(() => plugins.forEach((plugin) => plugin.close?.()));
  chain = admissionChain(plugins);

  const limits = { ...defaultLimits, ...options.inFlight };
  const fairness =
    (options.priorityAndFairness ?? true)
      ? priorityAndFairness(dependencies, {
          // No limit is still one that can be divided.
          seats: Math.min(limits.reading + limits.writing, mostSeats),
          stats: ({ group, resource }) => table.storage(group, resource)?.cache.stats,
        })
      : undefined;
  disposables.add(() => fairness?.stop());
  fairness?.serve(paths);

  const service = options.bootstrap ? options.bootstrap.kubernetesService : undefined;
  const advertised = (): string => (service ? `${service.advertiseAddress}:${service.securePort}` : '');
  const discovery = serveDiscovery(paths, table, advertised);
  serveVersion(paths);
  const openApi = serveOpenApi(paths, discovery, table);
  health.serve(paths);
  paths.add('/metrics', ({ exchange, headers }) =>
    exchange.end(
      200,
      { ...headers, 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
      metrics.render() + (fairness?.renderMetrics() ?? ''),
    ),
  );
  paths.add('/', ({ exchange, headers }) =>
    exchange.end(200, { ...headers, 'content-type': 'application/json' }, JSON.stringify({ paths: paths.paths() })),
  );

  const parts: ServerParts = {
    ...dependencies,
    table,
    paths,
    health,
    discovery,
    openApi,
    store,
    authorizer: theAuthorizer(),
    resources,
    delegate: (handler) => void (delegate = handler),
    signal: stopping.signal,
  };
  for (const extend of options.extensions ?? []) {
    const stop = extend(parts);
    if (stop) disposables.add(stop);
  }

  let booted: boolean | Error = false;
  const ready = ensure(client).then(
    () => void (booted = true),
    (error: unknown) => {
      booted = error instanceof Error ? error : new Error(String(error));
      if (!stopping.signal.aborted) log.error('Bootstrap objects cannot be made', { error });
      throw error;
    },
  );
  ready.catch(() => undefined);
  const bootstrapped = (): string | undefined => (booted === true ? undefined : booted ? booted.message : 'not finished');
  for (const part of bootstrapParts) health.add({ name: `poststarthook/${part}`, check: bootstrapped });
  health.add({ name: 'shutdown', endpoints: ['readyz'], check: () => (stopping.signal.aborted ? 'process is shutting down' : undefined) });

  disposables.add(
    compactPeriodically({
      store,
      clock,
      log,
      period: options.compactionPeriod ?? fiveMinutes,
      ...(options.history !== undefined && { history: options.history }),
    }),
  );

  disposables.add(() => options.audit?.close());

  const listeners = new Set<Listener>();
  let { tls } = options;
  const http: HttpContext = {
    handlers,
    paths,
    authenticate,
    authorizer: theAuthorizer,
    delegate: () => delegate,
    admittance: fairness?.filter ?? new InFlight(options.inFlight),
    metrics,
    auditor: options.audit,
    clock,
    random,
    log,
    stopping: stopping.signal,
  };
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= (async () => {
      stopping.abort(new Error('the API server is stopping'));
      await Promise.all([...listeners].map((listener) => listener.close()));
      await disposables.dispose();
    })());
  return {
    transportFor,
    clientFor: (user, userAgent) => clientOver(transportFor(user, userAgent)),
    ready,
    parts,
    renew(next) {
      for (const listener of listeners) listener.renew(next);
      tls = next;
    },
    async listen(target) {
      if (!tls) throw new Error('Cannot listen: no certificate was given');
      const listener = await listen(tls, target, (exchange, peer, upgrade) => handle(http, exchange, peer, upgrade), log, clock);
      listeners.add(listener);
      return {
        ...listener,
        async close() {
          listeners.delete(listener);
          await listener.close();
        },
      };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** "system:kube-scheduler" manages as kube-scheduler, "system:serviceaccount:kube-system:x" as x. */
const managerOf = (user: UserInfo): string => user.name.slice(user.name.lastIndexOf(':') + 1);
