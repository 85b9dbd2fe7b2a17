import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '#api';
import { equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { forbidden, notFound } from '#machinery/status';
import type { PolicyRule } from '../../../api/facts/types.ts';
import { privilegedGroup } from '../../authz/index.ts';
import type { Authorization } from '../../authz/index.ts';
import { escalationText, uncovered } from '../../authz/rules.ts';
import type { UserInfo } from '../../contract.ts';
import type { HooksFactory, RequestContext } from '../contract.ts';

const group = 'rbac.authorization.k8s.io';
const fullAuthority: PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];
const nothingToFinish = (): void => undefined;

/** Only what the garbage collector changes. upstream: pkg/registry/rbac IsOnlyMutatingGCFields. */
function onlyGarbageCollection(object: KubeObject, old: KubeObject): boolean {
  const without = ({ metadata, ...rest }: KubeObject): unknown => {
    const { ownerReferences: _, finalizers: __, managedFields: ___, resourceVersion: ____, ...meta } = metadata ?? {};
    return { ...rest, metadata: meta };
  };
  return equal(without(object), without(old));
}

/** Nobody gives rights he does not have, unless the verbs escalate or bind are his. upstream: pkg/registry/rbac/<resource>/policybased. */
export function escalationHooks(authorization: () => Authorization): HooksFactory[] {
  const may = async (user: UserInfo, verb: string, resource: string, namespace: string, name: string): Promise<boolean> => {
    const info = { isResourceRequest: true, path: '', verb, group, version: '*', resource, subresource: '', namespace, name };
    return (await authorization().authorizer({ user, info })).verdict === 'allow';
  };
  const lacks = (user: UserInfo, namespace: string, rules: readonly PolicyRule[]): PolicyRule[] =>
    uncovered(authorization().rbac.rulesFor(user, namespace).rules, rules);

  const checkRole = async (context: RequestContext, resource: string, object: KubeObject, old?: KubeObject): Promise<void> => {
    const { user, info } = context;
    if (user.groups.includes(privilegedGroup)) return;
    if (await may(user, 'escalate', resource, info.namespace, info.name)) return;
    if (old && onlyGarbageCollection(object, old)) return;
    const role = object as ClusterRole & Role;
    const name = role.metadata?.name ?? '';
    const missing = lacks(user, info.namespace, role.rules ?? []);
    if (missing.length > 0) throw forbidden({ group, resource }, name, escalationText(user, missing));
    const aggregates = [role, old as ClusterRole | undefined].some((item) => item?.aggregationRule?.clusterRoleSelectors?.length);
    if (aggregates && lacks(user, info.namespace, fullAuthority).length > 0)
      throw forbidden({ group, resource }, name, 'must have cluster-admin privileges to use the aggregationRule');
  };
  const checkBinding = async (context: RequestContext, resource: string, object: KubeObject, old?: KubeObject): Promise<void> => {
    const { user, info } = context;
    if (user.groups.includes(privilegedGroup)) return;
    if (old && onlyGarbageCollection(object, old)) return;
    const binding = object as ClusterRoleBinding & RoleBinding;
    const { kind, name: roleName } = binding.roleRef;
    const roles = kind === 'ClusterRole' ? 'clusterroles' : kind === 'Role' ? 'roles' : '';
    if (roles && (await may(user, 'bind', roles, info.namespace, roleName))) return;
    const rules = authorization().rbac.rulesOf(binding.roleRef, info.namespace);
    // Named as the resource that was asked for, as upstream's answer has it.
    if (typeof rules === 'string') throw notFound({ group, resource }, roleName);
    const missing = lacks(user, info.namespace, rules);
    if (missing.length > 0) throw forbidden({ group, resource }, binding.metadata?.name ?? '', escalationText(user, missing));
  };
  return (['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'] as const).map((resource) => {
    const check = resource.endsWith('roles') ? checkRole : checkBinding;
    return () => ({
      group,
      resource,
      async beginCreate(context, object) {
        await check(context, resource, object);
        return nothingToFinish;
      },
      async beginUpdate(context, object, old) {
        await check(context, resource, object, old);
        return nothingToFinish;
      },
    });
  });
}
