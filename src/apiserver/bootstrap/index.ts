/**
 * The objects that a cluster starts with: namespaces, roles and bindings, priority classes, flow control, the Service `kubernetes`.
 * Upstream counterpart: rbac/bootstrappolicy, pkg/controlplane/controller, pkg/registry/{rbac,scheduling,flowcontrol}/rest.
 */
import type { Entry } from './entry.ts';
import { flowControlEntries } from './flow-control.ts';
import { namespaceEntries, priorityClassEntries } from './namespaces.ts';
import { rbacEntries } from './rbac.ts';

export type { Entry } from './entry.ts';
export { systemNamespaces } from './namespaces.ts';
export { nodeRules } from './rbac.ts';
export { ensureBootstrap } from './ensure.ts';
export { seedStore } from './seed.ts';
export {
  addressObject,
  authenticationConfigEntry,
  ensureKubernetesService,
  firstServiceAddress,
  kubernetesServiceEntries,
} from './kubernetes-service.ts';
export type { AuthenticationConfigOptions, KubernetesServiceOptions } from './kubernetes-service.ts';

/** What does not depend on how this cluster is set up. */
export const bootstrapObjects = (): Entry[] => [
  ...namespaceEntries(),
  ...rbacEntries(),
  ...priorityClassEntries(),
  ...flowControlEntries(),
];
