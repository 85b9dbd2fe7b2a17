/** The control plane in one process: store, API server, controllers, scheduler. The parts meet through the API server's in-process client alone. */
import { loopbackUser } from '#apiserver';
import type { ApiServer, Auditor } from '#apiserver';
import { informersOver } from '#client';
import { Disposables } from '#machinery/lifecycle';
import type { Context } from '#machinery/lifecycle';
import type { Store } from '#store';
import { ensureAddOns, maintainDnsEndpoints } from './add-ons.ts';
import { startApiServer } from './api-server.ts';
import type { ApiServerSettings } from './api-server.ts';
import type { ClusterCertificates } from './certificates.ts';
import type { ClusterConfig } from './config.ts';
import { clusterFlow } from './flow.ts';
import type { PartSettings } from './part-settings.ts';
import { clusterSecurity } from './security.ts';

export interface ControlPlaneOptions {
  config: ClusterConfig;
  certificates: ClusterCertificates;
  store: Store;
  /** Where machines and pods reach the API. */
  advertise: { address: string; port: number };
  audit?: Auditor;
  parts?: PartSettings;
  /** Under test: caches hand out frozen objects. */
  freeze?: boolean;
}

export interface ControlPlane extends AsyncDisposable {
  server: ApiServer;
  /** Resolves when controllers and the scheduler work. */
  ready: Promise<void>;
  stop(): Promise<void>;
}

/** As a part of this process tells it. */
function health(works: boolean, elsewhere: boolean): string {
  if (works) return 'ok';
  throw new Error(elsewhere ? 'somebody else brings it, who is not asked' : 'it is starting');
}

/** Starts everything but listeners and machines. When it resolves, the API can be asked. */
export async function startControlPlane(options: ControlPlaneOptions, context: Context): Promise<ControlPlane> {
  const { config, certificates, store, advertise, parts } = options;
  const { clock, random, log, signal } = context;
  const without = config.without ?? [];
  const held = new Disposables();
  const flow = clusterFlow(clock);
  const working = { controllers: false, scheduler: false };
  const stop = (): Promise<void> => held.dispose();
  const settings: ApiServerSettings = {
    store,
    security: { ...clusterSecurity(certificates, config.clusterDomain), ...(options.audit && { audit: options.audit }) },
    serviceCidrs: [config.serviceCidr],
    componentProbes: {
      'controller-manager': () => health(working.controllers, without.includes('controllers')),
      scheduler: () => health(working.scheduler, without.includes('scheduler')),
      'etcd-0': () => store.revision().then(() => 'ok'),
    },
    advertise,
    admission: [flow.admission],
    extensions: [flow.extension],
    ...(config.historySeconds !== undefined && { history: config.historySeconds * 1000 }),
    ...(options.freeze && { freeze: true }),
  };
  const { server, ready: apiReady } = await startApiServer((await parts?.apiServer?.(settings, context, held)) ?? settings, context).catch(
    async (error: unknown) => {
      await stop();
      throw error;
    },
  );
  held.add(() => server.close());
  try {
    const ready = (async () => {
      await apiReady;
      signal.throwIfAborted();
      const own = server.clientFor(loopbackUser, 'coxswain');
      await ensureAddOns(own, config);
      const controllerLog = log.with({ component: 'controllers' });
      const informers = informersOver(server.clientFor(loopbackUser, 'kube-controller-manager'), { clock, random, log: controllerLog });
      held.add(() => informers.stop());
      const following = flow.follow(informers);
      held.add(() => following[Symbol.dispose]());
      // Loaded when the API answers already: no request needs them.
      const controllers = without.includes('controllers')
        ? undefined
        : await (
            await import('./controller-manager.ts')
          ).startControllerManager(
            {
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
              informers,
              ...parts?.controllers,
              options: {
                clusterCidrs: [config.podCidr],
                serviceCidrs: [config.serviceCidr],
                allocateNodeCidrs: true,
                rootCa: certificates.ca.certificate,
                signer: certificates.ca,
                serviceAccountKey: certificates.serviceAccountKey,
                ...parts?.controllers?.options,
              },
            },
            context,
          );
      if (controllers) held.add(() => controllers.stop());
      if (config.machines > 0 && config.runtime === 'containerd') {
        const endpoints = maintainDnsEndpoints(own, informers, controllerLog);
        held.add(() => endpoints[Symbol.dispose]());
      }
      if (!without.includes('scheduler')) {
        const { startScheduler } = await import('./scheduler.ts');
        const scheduler = await startScheduler(
          {
            client: server.clientFor({ name: 'system:kube-scheduler', groups: ['system:authenticated'] }, 'kube-scheduler'),
            ...parts?.scheduler,
            onDecision: (decision) => flow.decided(decision),
          },
          context,
        );
        held.add(() => scheduler.stop());
        working.scheduler = true;
      }
      await controllers?.ready;
      working.controllers = controllers !== undefined;
    })();
    ready.catch(() => undefined);
    return { server, ready, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
