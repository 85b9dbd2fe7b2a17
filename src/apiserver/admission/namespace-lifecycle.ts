import { Namespace } from '#api';
import { failure, forbidden } from '#machinery/status';
import type { AdmissionAttributes, AdmissionPluginFactory } from '../contract.ts';
import { forbid } from './attributes.ts';

const immortal = ['default', 'kube-system', 'kube-public'];
/** So long after a namespace's deletion its cached state is not believed. */
const distrust = 30_000;

/** Nothing is made in a namespace that is not there or is going. upstream: apiserver/pkg/admission/plugin/namespace/lifecycle. */
export const namespaceLifecycle: AdmissionPluginFactory = ({ client, informers, clock }) => {
  const namespaces = informers.for(Namespace);
  const deleted = new Map<string, number>();
  return {
    name: 'NamespaceLifecycle',
    handles: ({ operation, namespace, kind }) =>
      operation !== 'CONNECT' && (namespace !== '' || (kind.resource === 'namespaces' && kind.group === '')),
    admit(attributes) {
      const { operation, kind, namespace, name } = attributes;
      if (kind.resource === 'namespaces' && kind.group === '') {
        if (operation !== 'DELETE') return;
        if (immortal.includes(name)) throw forbidden({ group: '', resource: 'namespaces' }, name, 'this namespace may not be deleted');
        const now = clock.now();
        for (const [known, at] of deleted) if (now - at > distrust) deleted.delete(known);
        deleted.set(name, now);
        return;
      }
      if (operation === 'DELETE') return;
      // To say whether the namespace is there would tell who may not know.
      if (kind.resource === 'localsubjectaccessreviews' && kind.group === 'authorization.k8s.io') return;
      const object = namespaces.get(namespace);
      if (!object || (object.status?.phase !== 'Terminating' && clock.now() - (deleted.get(namespace) ?? -distrust) <= distrust))
        return client.get(Namespace, { name: namespace }).then((found) => checkAlive(found, attributes));
      checkAlive(object, attributes);
    },
  };
};

function checkAlive(object: Namespace, attributes: AdmissionAttributes): void {
  const { operation, namespace } = attributes;
  if (operation !== 'CREATE' || object.status?.phase !== 'Terminating') return;
  const { status } = forbid(attributes, `unable to create new content in namespace ${namespace} because it is being terminated`);
  const cause = { reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' };
  throw failure(403, 'Forbidden', status.message ?? '', { ...status.details, causes: [cause] });
}
