import { ComponentStatus } from '#api';
import { resourceFact } from '#api/facts';
import type { KubeObject } from '#machinery/meta';
import { notFound } from '#machinery/status';
import type { EndpointFactory } from '../contract.ts';
import { servedOf } from '../served.ts';

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
    served: servedOf(resourceFact('', 'v1', 'componentstatuses')!),
    async get(_context, name) {
      const probe = probes[name];
      if (!probe) throw notFound({ group: '', resource: 'componentstatus' }, name);
      return status(name, probe);
    },
    list: () => Promise.all(Object.entries(probes).map(([name, probe]) => status(name, probe))),
  });
}
