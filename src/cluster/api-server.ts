/** The API server with everything that belongs to it, on any store: for the cluster's own process and for `coxswain kube-apiserver`. */
import {
  admissionPlugins,
  aggregator,
  createApiServer,
  createAuthentication,
  createAuthorization,
  customResources,
  endpoints,
  forbidPrivileged,
  hooks,
  loopbackUser,
  openIdDocuments,
  publishAuthentication,
  ServiceAccountTokens,
  streams,
} from '#apiserver';
import type { AdmissionOptions, ApiServer, ApiServerOptions, Authentication, Authorization, ComponentProbe, TlsIdentity } from '#apiserver';
import type { Context } from '#machinery/lifecycle';
import type { Store } from '#store';
import type { ApiServerSecurity } from './security.ts';

export interface ApiServerSettings {
  store: Store;
  security: ApiServerSecurity;
  serviceCidrs: string[];
  /** Where machines and pods reach the API. */
  advertise: { address: string; port: number };
  /** Built-in plugins beyond the default ones, and without. */
  plugins?: AdmissionOptions;
  /** Default true. */
  allowPrivileged?: boolean;
  inFlight?: ApiServerOptions['inFlight'];
  compactionPeriod?: number;
  /** Milliseconds that past revisions are kept, at least. Default: the period. */
  history?: number;
  /** Default true. */
  priorityAndFairness?: boolean;
  /** What `kubectl get componentstatuses` asks, by the names upstream gives them. */
  componentProbes?: Readonly<Record<string, ComponentProbe>>;
  /** Asked after all built-in plugins. */
  admission?: ApiServerOptions['admission'];
  extensions?: ApiServerOptions['extensions'];
  /** Under test: caches hand out frozen objects. */
  freeze?: boolean;
}

export interface StartedApiServer {
  server: ApiServer;
  /** Resolves when bootstrap objects are there and the authorizer knows them; before, only system:masters is let through. */
  ready: Promise<void>;
  /** Shows another certificate and believes other authorities from now on. Throws where they do not fit; then nothing changes. */
  renew(changed: Pick<ApiServerSecurity, 'serving' | 'clientCa' | 'frontProxy'>): void;
}

/** What a server shows and believes on its port. */
const tlsIdentity = ({ serving, clientCa, frontProxy }: ApiServerSecurity): TlsIdentity => ({
  cert: serving.certificate,
  key: serving.key,
  clientCA: `${clientCa ?? ''}${frontProxy?.ca ?? ''}`,
});

/** When it resolves, the API can be asked in process; listeners are opened by the caller. `server.close()` ends it. */
export async function startApiServer(settings: ApiServerSettings, context: Context): Promise<StartedApiServer> {
  const { store, security, serviceCidrs, advertise } = settings;
  const { clock, random, log } = context;
  const { clientCa, frontProxy } = security;
  let authentication!: Authentication;
  let authorization!: Authorization;
  let serviceAccounts!: ServiceAccountTokens;
  const special = {
    authentication: () => authentication,
    authorization: () => authorization,
    tokens: () => serviceAccounts,
  };
  const server = await createApiServer({
    store,
    clock,
    random,
    log: log.with({ component: 'apiserver' }),
    authentication(dependencies) {
      serviceAccounts = new ServiceAccountTokens(dependencies, security.serviceAccounts);
      authentication = createAuthentication(dependencies, {
        ...security.authentication,
        ...(clientCa !== undefined && { clientCa: () => security.clientCa ?? '' }),
        ...(frontProxy && { frontProxy: { ...frontProxy, ca: () => security.frontProxy?.ca ?? '' } }),
        serviceAccounts,
      });
      return authentication;
    },
    authorization(dependencies) {
      authorization = createAuthorization(dependencies, security.authorization);
      return authorization.authorizer;
    },
    admission: [
      ...admissionPlugins(settings.plugins),
      ...(settings.allowPrivileged === false ? [forbidPrivileged] : []),
      ...(settings.admission ?? []),
    ],
    endpoints: endpoints({ ...special, ...(settings.componentProbes && { componentProbes: settings.componentProbes }) }),
    hooks: hooks({ ...special, serviceCidrs }),
    streams: streams({ kubelet: security.kubelet }),
    extensions: [
      ...(settings.extensions ?? []),
      customResources(),
      // Before the roles are known, everybody but system:masters would be refused.
      ({ health }) => {
        let synced = false;
        authorization.ready.then(
          () => (synced = true),
          () => undefined,
        );
        health.add({
          name: 'informer-sync',
          endpoints: ['readyz'],
          check: () => (synced ? undefined : '1 informers not started yet: [rbac]'),
        });
      },
      aggregator(security.frontProxyClient ? { frontProxy: security.frontProxyClient } : {}),
      ({ paths }) => {
        for (const document of openIdDocuments(serviceAccounts, `${advertise.address}:${advertise.port}`, security.keySetUri))
          paths.add(document.path, ({ exchange, headers }) =>
            exchange.end(200, { ...headers, 'content-type': document.contentType, 'cache-control': document.cacheControl }, document.body),
          );
      },
    ],
    ...(security.audit && { audit: security.audit }),
    tls: tlsIdentity(security),
    bootstrap: {
      kubernetesService: { serviceCidrs, advertiseAddress: advertise.address, securePort: advertise.port },
      ...(clientCa !== undefined && { clientCa }),
      ...(frontProxy && { frontProxy }),
    },
    ...(settings.inFlight && { inFlight: settings.inFlight }),
    ...(settings.priorityAndFairness !== undefined && { priorityAndFairness: settings.priorityAndFairness }),
    ...(settings.compactionPeriod !== undefined && { compactionPeriod: settings.compactionPeriod }),
    ...(settings.history !== undefined && { history: settings.history }),
    ...(settings.freeze && { freeze: true }),
  });
  const ready = server.ready.then(() => authorization.ready);
  ready.catch(() => undefined);
  return {
    server,
    ready,
    renew(changed) {
      server.renew(tlsIdentity({ ...security, ...changed }));
      Object.assign(security, changed);
      if (security.clientCa === undefined && !security.frontProxy) return;
      const published = {
        ...(security.clientCa !== undefined && { clientCa: security.clientCa }),
        ...(security.frontProxy && { frontProxy: security.frontProxy }),
      };
      publishAuthentication(server.clientFor(loopbackUser, 'kube-apiserver'), published).catch((error: unknown) =>
        log.error('Extension API servers cannot be told of the authorities', { error }),
      );
    },
  };
}
