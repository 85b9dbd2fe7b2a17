/** The control plane in one process: store, API server, controllers, scheduler. The parts meet through the API server's in-process client alone. */
import {
  createApiServer,
  createAuthentication,
  createAuthorization,
  loopbackUser,
  nodeRules,
  openIdDocuments,
  ServiceAccountTokens,
  admissionPlugins,
  aggregator,
  customResources,
  endpoints,
  frontProxyHeaders,
  hooks,
  streams,
} from '#apiserver';
import type { ApiServer, Authentication, Authorization } from '#apiserver';
import { eventRecorder, informersOver } from '#client';
import { controllers, defaultOptions, startControllers } from '#controllers';
import { Disposables } from '#machinery/lifecycle';
import type { Context } from '#machinery/lifecycle';
import { loadSigningKey } from '#machinery/pki';
import { createScheduler } from '#scheduler';
import type { Store } from '#store';
import { ensureAddOns, maintainDnsEndpoints } from './add-ons.ts';
import type { ClusterCertificates } from './certificates.ts';
import type { ClusterConfig } from './config.ts';
import { clusterFlow } from './flow.ts';

export interface ControlPlaneOptions {
  config: ClusterConfig;
  certificates: ClusterCertificates;
  store: Store;
  /** Where machines and pods reach the API. */
  advertise: { address: string; port: number };
  /** Under test: caches hand out frozen objects. */
  freeze?: boolean;
}

export interface ControlPlane extends AsyncDisposable {
  server: ApiServer;
  /** Resolves when controllers and the scheduler work. */
  ready: Promise<void>;
  stop(): Promise<void>;
}

/** Starts everything but listeners and machines. When it resolves, the API can be asked. */
export async function startControlPlane(options: ControlPlaneOptions, context: Context): Promise<ControlPlane> {
  const { config, certificates, store, advertise } = options;
  const { clock, random, log, signal } = context;
  const held = new Disposables();
  const issuer = `https://kubernetes.default.svc.${config.clusterDomain}`;
  let authentication!: Authentication;
  let authorization!: Authorization;
  let serviceAccounts!: ServiceAccountTokens;
  const special = {
    authentication: () => authentication,
    authorization: () => authorization,
    tokens: () => serviceAccounts,
  };
  const kubeletClient = {
    cert: certificates.kubeletClient.certificate,
    key: certificates.kubeletClient.key,
    ca: certificates.ca.certificate,
  };
  const frontProxy = { ca: certificates.frontProxyCa.certificate, allowedNames: ['front-proxy-client'], ...frontProxyHeaders };
  const flow = clusterFlow(clock);
  const server = await createApiServer({
    store,
    clock,
    random,
    log: log.with({ component: 'apiserver' }),
    authentication(dependencies) {
      serviceAccounts = new ServiceAccountTokens(dependencies, {
        issuers: [issuer],
        signingKey: loadSigningKey(certificates.serviceAccountKey),
      });
      authentication = createAuthentication(dependencies, {
        clientCa: certificates.ca.certificate,
        serviceAccounts,
        frontProxy,
      });
      return authentication;
    },
    authorization(dependencies) {
      authorization = createAuthorization(dependencies, { nodeRules });
      return authorization.authorizer;
    },
    admission: [...admissionPlugins(), flow.admission],
    endpoints: endpoints(special),
    hooks: hooks({ ...special, serviceCidrs: [config.serviceCidr] }),
    streams: streams({ kubelet: kubeletClient }),
    extensions: [
      flow.extension,
      customResources(),
      aggregator({ frontProxy: certificates.frontProxyClient }),
      ({ paths }) => {
        for (const document of openIdDocuments(serviceAccounts, `${advertise.address}:${advertise.port}`))
          paths.add(document.path, ({ exchange, headers }) =>
            exchange.end(200, { ...headers, 'content-type': document.contentType, 'cache-control': document.cacheControl }, document.body),
          );
      },
    ],
    tls: {
      cert: certificates.apiserver.certificate,
      key: certificates.apiserver.key,
      clientCA: `${certificates.ca.certificate}${certificates.frontProxyCa.certificate}`,
    },
    bootstrap: {
      kubernetesService: { serviceCidrs: [config.serviceCidr], advertiseAddress: advertise.address, securePort: advertise.port },
      clientCa: certificates.ca.certificate,
      frontProxy,
    },
    ...(options.freeze && { freeze: true }),
  });
  held.add(() => server.close());
  const stop = (): Promise<void> => held.dispose();
  try {
    const ready = (async () => {
      await server.ready;
      // Before the authorizer knows roles and bindings only system:masters is let through.
      await authorization.ready;
      signal.throwIfAborted();
      const own = server.clientFor(loopbackUser, 'coxswain');
      await ensureAddOns(own, config);
      // One set of caches for all controllers; each writes as its own service account.
      const controllerLog = log.with({ component: 'controllers' });
      const controllerInformers = informersOver(server.clientFor(loopbackUser, 'kube-controller-manager'), {
        clock,
        random,
        log: controllerLog,
      });
      held.add(() => controllerInformers.stop());
      const following = flow.follow(controllerInformers);
      held.add(() => following[Symbol.dispose]());
      const running = await startControllers({
        clientFor: (name) =>
          server.clientFor(
            name === ''
              ? { name: 'system:kube-controller-manager', groups: ['system:authenticated'] }
              : {
                  name: `system:serviceaccount:kube-system:${name}`,
                  groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
                },
            'kube-controller-manager',
          ),
        informers: controllerInformers,
        clock,
        random,
        log: controllerLog,
        controllers,
        options: {
          ...defaultOptions,
          clusterCidrs: [config.podCidr],
          serviceCidrs: [config.serviceCidr],
          allocateNodeCidrs: true,
          rootCa: certificates.ca.certificate,
          signer: certificates.ca,
          serviceAccountKey: certificates.serviceAccountKey,
        },
      });
      held.add(() => running.stop());
      if (config.machines > 0 && config.runtime === 'containerd') {
        const endpoints = maintainDnsEndpoints(own, controllerInformers, controllerLog);
        held.add(() => endpoints[Symbol.dispose]());
      }
      const schedulerClient = server.clientFor({ name: 'system:kube-scheduler', groups: ['system:authenticated'] }, 'kube-scheduler');
      const schedulerLog = log.with({ component: 'scheduler' });
      const schedulerInformers = informersOver(schedulerClient, { clock, random, log: schedulerLog });
      held.add(() => schedulerInformers.stop());
      const events = eventRecorder({ client: schedulerClient, clock, component: 'default-scheduler', log: schedulerLog });
      held.add(() => events.stop());
      const scheduler = await createScheduler({
        client: schedulerClient,
        informers: schedulerInformers,
        events,
        onDecision: (decision) => flow.decided(decision),
      }).start({
        ...context,
        log: schedulerLog,
      });
      held.add(() => scheduler.stop());
      await running.ready;
    })();
    ready.catch(() => undefined);
    return { server, ready, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
