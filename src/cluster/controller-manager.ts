/** The controllers over any transport: for the cluster's own process and for `coxswain kube-controller-manager`. */
import type { Client, Informers } from '#client';
import { controllers as allControllers, defaultOptions, startControllers } from '#controllers';
import type { ControllersStart, RunningControllers } from '#controllers';
import type { Context } from '#machinery/lifecycle';

export interface ControllerManagerSettings {
  /** Speaks as system:serviceaccount:kube-system:<name>; for "" as system:kube-controller-manager. */
  clientFor(serviceAccount: string): Client;
  /** One set of caches for all controllers; belongs to the caller. */
  informers: Informers;
  /** Default: all. */
  controllers?: ControllersStart['controllers'];
  /** Where they differ from kube-controller-manager's defaults. */
  options?: Partial<ControllersStart['options']>;
}

export function startControllerManager(settings: ControllerManagerSettings, context: Context): Promise<RunningControllers> {
  const { clientFor, informers, controllers = allControllers, options } = settings;
  const { clock, random, log } = context;
  return startControllers({
    clientFor,
    informers,
    clock,
    random,
    log: log.with({ component: 'controllers' }),
    controllers,
    options: { ...defaultOptions, ...options },
  });
}
