import { Namespace as NamespaceKind, ServiceAccount as ServiceAccountKind } from '#api';
import { isAlreadyExists } from '#machinery/status';
import type { ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { isNamespaceTerminating } from '../pod-control.ts';

/** Gives every namespace its service account "default". upstream: pkg/controller/serviceaccount/serviceaccounts_controller.go. */
export const serviceAccountController: ControllerFactory = () => ({
  name: 'serviceaccount-controller',
  serviceAccount: 'service-account-controller',
  watches: [
    source(NamespaceKind),
    source(ServiceAccountKind, {
      keys: (account) => [account.metadata!.namespace!],
      when: (account, _old, event) => event === 'deleted' && account.metadata!.name === 'default',
    }),
  ],
  async reconcile(context, key) {
    const namespace = context.lister(NamespaceKind).get(key);
    if (!namespace || namespace.metadata!.deletionTimestamp || namespace.status?.phase === 'Terminating') return;
    if (context.lister(ServiceAccountKind).get(`${key}/default`)) return;
    try {
      await context.client.create(ServiceAccountKind, { metadata: { name: 'default', namespace: key } });
    } catch (error) {
      if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
    }
  },
});
