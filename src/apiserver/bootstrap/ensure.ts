import { ClusterRole, FlowSchema, PriorityLevelConfiguration, Role } from '#api';
import type { ClusterRoleBinding, RoleBinding } from '#api';
import type { Client } from '#client';
import { draft, equal, keyOf } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { isAlreadyExists } from '#machinery/status';
import { uncovered } from '../authz/rules.ts';
import type { Entry } from './entry.ts';
import { autoUpdateSpec } from './flow-control.ts';

const roleUpdate = 'rbac.authorization.kubernetes.io/autoupdate';
const rbacGroup = 'rbac.authorization.k8s.io';

type AnyRole = ClusterRole & Role;
type AnyBinding = ClusterRoleBinding & RoleBinding;

/** What an object on disk must become, undefined where it is fine; 'replace' where it must be made anew (a roleRef cannot change). */
export function corrected(wanted: Entry, found: KubeObject): KubeObject | 'replace' | undefined {
  if (wanted.kind.group === rbacGroup) return correctedRbac(wanted, found);
  if (wanted.kind === FlowSchema || wanted.kind === PriorityLevelConfiguration) {
    if (found.metadata?.annotations?.[autoUpdateSpec] !== 'true') return undefined;
    const spec = (object: KubeObject): unknown => (object as FlowSchema).spec;
    return equal(spec(found), spec(wanted.object)) ? undefined : ({ ...found, spec: spec(wanted.object) } as KubeObject);
  }
  // Namespaces and priority classes only have to be there.
  return undefined;
}

/** Adds what is missing, takes nothing away. upstream: component-helpers/auth/rbac/reconciliation. */
function correctedRbac({ kind, object }: Entry, found: KubeObject): KubeObject | 'replace' | undefined {
  if (found.metadata?.annotations?.[roleUpdate] === 'false') return undefined;
  const result = draft(found);
  const { labels, annotations } = object.metadata ?? {};
  result.metadata = {
    ...result.metadata,
    labels: { ...labels, ...result.metadata?.labels },
    annotations: { ...annotations, ...result.metadata?.annotations },
  };
  if (kind === ClusterRole || kind === Role) {
    const [role, wanted] = [result as AnyRole, object as AnyRole];
    // The rules of a role that takes in others belong to the aggregation controller.
    if (wanted.aggregationRule) role.aggregationRule ??= wanted.aggregationRule;
    // Mostly they are as they should be, which is sooner seen.
    else if (!equal(role.rules, wanted.rules)) role.rules = [...(role.rules ?? []), ...uncovered(role.rules ?? [], wanted.rules ?? [])];
  } else {
    const [binding, wanted] = [result as AnyBinding, object as AnyBinding];
    if (!equal(binding.roleRef, wanted.roleRef)) return 'replace';
    const missing = (wanted.subjects ?? []).filter((subject) => !binding.subjects?.some((known) => equal(known, subject)));
    if (missing.length > 0) binding.subjects = [...(binding.subjects ?? []), ...missing];
  }
  return equal(result, found) ? undefined : result;
}

/** On a data directory that is not new: makes what is missing and adds rules, subjects and specs of this release. */
export async function ensureBootstrap(client: Client, entries: readonly Entry[]): Promise<void> {
  const create = async ({ kind, object }: Entry): Promise<void> => {
    await client.create(kind, object).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  };
  for (const kind of new Set(entries.map((wanted) => wanted.kind))) {
    const found = new Map((await client.list(kind)).items.map((object) => [keyOf(object), object]));
    for (const wanted of entries.filter((candidate) => candidate.kind === kind)) {
      const present = found.get(keyOf(wanted.object));
      if (!present) {
        await create(wanted);
        continue;
      }
      const change = corrected(wanted, present);
      if (change === 'replace') {
        const { namespace, name = '' } = present.metadata ?? {};
        await client.delete(kind, { ...(namespace && { namespace }), name });
        await create(wanted);
      } else if (change) await client.update(kind, change);
    }
  }
}
