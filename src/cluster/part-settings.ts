/** What the user says of single parts beyond what a cluster decides itself. Who knows upstream's flags makes it of them; nobody here does. */
import type { KubeletOptions } from '#kubelet';
import type { Context, Disposables } from '#machinery/lifecycle';
import type { ProxyOptions } from '#network';
import type { ApiServerSettings } from './api-server.ts';
import type { ControllerManagerSettings } from './controller-manager.ts';
import type { SchedulerSettings } from './scheduler.ts';

export interface PartSettings {
  /** What the API server is started with, of what it would be. What it opens goes into `held`. */
  apiServer?(settings: ApiServerSettings, context: Context, held: Disposables): Promise<ApiServerSettings>;
  controllers?: Pick<ControllerManagerSettings, 'controllers' | 'options'>;
  scheduler?: Pick<SchedulerSettings, 'config'>;
  /** Of every machine. */
  kubelet?: Partial<KubeletOptions>;
  proxy?: Pick<ProxyOptions, 'masqueradeAll' | 'localhostNodePorts'>;
}
