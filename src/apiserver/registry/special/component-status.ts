import { ComponentStatus } from '#api';
import type { KubeObject } from '#machinery/meta';
import { notFound } from '#machinery/status';
import type { EndpointFactory } from '../contract.ts';

/** Answers what it found, or throws. */
export type ComponentProbe = () => string | Promise<string>;

/** The health of the control plane's parts, asked when somebody wants to know. upstream: pkg/registry/core/componentstatus. */
export function componentStatuses(probes: Readonly<Record<string, ComponentProbe>>): EndpointFactory {
  const status = async (name: string, probe: ComponentProbe): Promise<KubeObject> => {
    const condition = await Promise.resolve()
      .then(probe)
      .then(
        (message) => ({ type: 'Healthy', status: 'True', message }),
        (error: unknown) => ({ type: 'Healthy', status: 'False', error: error instanceof Error ? error.message : String(error) }),
      );
    return { kind: ComponentStatus.kind, apiVersion: 'v1', metadata: { name }, conditions: [condition] } as KubeObject;
  };
  return () => ({
    group: '',
    resource: 'componentstatuses',
    subresource: '',
    async get(context, name) {
      const probe = probes[name];
      if (!probe) throw notFound({ group: '', resource: 'componentstatus' }, name);
      context.warn('v1 ComponentStatus is deprecated in v1.19+');
      return status(name, probe);
    },
    async list(context) {
      context.warn('v1 ComponentStatus is deprecated in v1.19+');
      const items = await Promise.all(Object.entries(probes).map(([name, probe]) => status(name, probe)));
      return { kind: 'ComponentStatusList', apiVersion: 'v1', metadata: {}, items } as KubeObject;
    },
  });
}
