import { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '#api';
import { equal } from '#machinery/meta';
import type { PolicyRule } from '../../api/facts/types.ts';
import { clusterRoleBindings, roleBindings, roles } from './bindings.ts';
import { clusterRoles } from './cluster-roles.ts';
import { controllerRoles } from './controller-roles.ts';
import type { Entry } from './entry.ts';
import { entry } from './entry.ts';
import { expandRules } from './role-table.ts';
import type { ShortRole } from './role-table.ts';

const group = 'rbac.authorization.k8s.io';
const labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'true' };
const aggregateLabel = (name: string): string => `${group}/aggregate-to-${name}`;

/** The rules of a role that takes in others, as the aggregation controller would gather them: by name, none twice. */
function aggregated(name: string, role: ShortRole): PolicyRule[] {
  const rules: PolicyRule[] = [];
  for (const [other, part] of Object.entries(clusterRoles).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (other === name || part.aggregateTo !== role.aggregates) continue;
    for (const rule of part.aggregates ? aggregated(other, part) : expandRules(part))
      if (!rules.some((known) => equal(known, rule))) rules.push(rule);
  }
  return rules;
}

function clusterRole(name: string, role: ShortRole): Entry {
  const metadata = { name, labels: { ...labels, ...(role.aggregateTo && { [aggregateLabel(role.aggregateTo)]: 'true' }) }, annotations };
  if (!role.aggregates) return entry(ClusterRole, { metadata, rules: expandRules(role) });
  return entry(
    ClusterRole,
    {
      metadata,
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [aggregateLabel(role.aggregates)]: 'true' } }] },
      rules: aggregated(name, role),
    },
    { applied: { manager: 'clusterrole-aggregation-controller', field: 'rules' } },
  );
}

function subject(short: string): NonNullable<RoleBinding['subjects']>[number] {
  const [kind, name = ''] = short.split(' ');
  const [namespace = '', account = ''] = name.split('/');
  if (kind === 'serviceaccount') return { kind: 'ServiceAccount', name: account, namespace };
  return { apiGroup: group, kind: kind === 'user' ? 'User' : 'Group', name };
}

function clusterBinding(name: string, subjects: readonly string[]): Entry {
  return entry(ClusterRoleBinding, {
    metadata: { name, labels, annotations },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name },
    ...(subjects.length > 0 && { subjects: subjects.map(subject) }),
  });
}

/** Every role and binding that a cluster starts with. upstream: plugin/pkg/auth/authorizer/rbac/bootstrappolicy. */
export function rbacEntries(): Entry[] {
  const controller = (name: string): string => `system:controller:${name}`;
  return [
    ...Object.entries(clusterRoles).map(([name, role]) => clusterRole(name, role)),
    ...Object.entries(controllerRoles).map(([name, role]) => clusterRole(controller(name), role)),
    ...Object.entries(clusterRoleBindings).map(([name, subjects]) => clusterBinding(name, subjects)),
    ...Object.keys(controllerRoles).map((name) => clusterBinding(controller(name), [`serviceaccount kube-system/${name}`])),
    ...Object.entries(roles).flatMap(([namespace, table]) =>
      Object.entries(table).map(([name, role]) =>
        entry(Role, { metadata: { namespace, name, labels, annotations }, rules: expandRules(role) }),
      ),
    ),
    ...Object.entries(roleBindings).flatMap(([namespace, table]) =>
      Object.entries(table).map(([name, subjects]) =>
        entry(RoleBinding, {
          metadata: { namespace, name, labels, annotations },
          roleRef: { apiGroup: group, kind: 'Role', name: roles[namespace]?.[name] ? name : name.replace('system::', '') },
          subjects: subjects.map(subject),
        }),
      ),
    ),
  ];
}

/** What every node may do. upstream: bootstrappolicy.NodeRules. */
export const nodeRules: readonly PolicyRule[] = expandRules(clusterRoles['system:node']!);
