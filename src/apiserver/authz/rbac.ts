import { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '#api';
import type { Informer, Informers } from '#client';
import type { KubeObject } from '#machinery/meta';
import type { PolicyRule } from '../../api/facts/types.ts';
import type { AuthorizationAttributes, Decision, UserInfo } from '../contract.ts';
import { RuleSet } from './rules.ts';

/** A binding that applies to a user. */
interface Grant {
  rules: readonly PolicyRule[];
  set: RuleSet;
  /** 'RBAC: allowed by …' */
  reason: string;
}

interface Grants {
  generation: number;
  cluster: { grants: Grant[]; errors: string[] };
  byNamespace: Map<string, { grants: Grant[]; errors: string[] }>;
}

type Binding = ClusterRoleBinding | RoleBinding;
type BindingSubject = NonNullable<Binding['subjects']>[number];

const index = 'rbac-subject';

/** The user or group a subject stands for, as an index value. */
function subjectKey(subject: BindingSubject, bindingNamespace: string): string[] {
  switch (subject.kind) {
    case 'User':
      return [`u:${subject.name}`];
    case 'Group':
      return [`g:${subject.name}`];
    case 'ServiceAccount': {
      const namespace = subject.namespace || bindingNamespace;
      return namespace ? [`u:system:serviceaccount:${namespace}:${subject.name}`] : [];
    }
    default:
      return [];
  }
}

/** upstream: pkg/registry/rbac/validation/rule.go describeSubject; name before namespace is its order. */
function describe(binding: Binding, key: string): string {
  const namespace = binding.metadata?.namespace;
  const kind = namespace ? 'RoleBinding' : 'ClusterRoleBinding';
  const subject = binding.subjects!.find((candidate) => subjectKey(candidate, namespace ?? '').includes(key))!;
  const place = subject.kind === 'ServiceAccount' ? `/${subject.namespace || namespace || ''}` : '';
  const name = namespace ? `${binding.metadata?.name}/${namespace}` : binding.metadata?.name;
  return `${kind} "${name}" of ${binding.roleRef.kind} "${binding.roleRef.name}" to ${subject.kind} "${subject.name}${place}"`;
}

const keysOf = (user: UserInfo): string[] => [`u:${user.name}`, ...user.groups.map((group) => `g:${group}`)];

/**
 * Role-based access control over informers. What applies to a user is worked out once a user object and kept until any role or binding
 * changes; a decision then is a few map look-ups. upstream: plugin/pkg/auth/authorizer/rbac.
 */
export class Rbac {
  readonly #roles: Informer<Role>;
  readonly #clusterRoles: Informer<ClusterRole>;
  readonly #roleBindings: Informer<RoleBinding>;
  readonly #clusterRoleBindings: Informer<ClusterRoleBinding>;
  readonly #sets = new WeakMap<object, RuleSet>();
  readonly #grants = new WeakMap<UserInfo, Grants>();
  #generation = 0;
  /** Resolves when every role and binding is known. */
  readonly ready: Promise<void>;

  constructor(informers: Informers) {
    const changed = { added: () => this.#bump(), updated: () => this.#bump(), deleted: () => this.#bump() };
    const watch = <T extends KubeObject>(informer: Informer<T>): Informer<T> => {
      informer.on(changed);
      return informer;
    };
    this.#roles = watch(informers.for(Role));
    this.#clusterRoles = watch(informers.for(ClusterRole));
    this.#roleBindings = watch(informers.for(RoleBinding));
    this.#clusterRoleBindings = watch(informers.for(ClusterRoleBinding));
    this.#clusterRoleBindings.addIndex(index, (binding) => [...new Set((binding.subjects ?? []).flatMap((item) => subjectKey(item, '')))]);
    this.#roleBindings.addIndex(index, (binding) => {
      const namespace = binding.metadata?.namespace ?? '';
      return [...new Set((binding.subjects ?? []).flatMap((item) => subjectKey(item, namespace).map((key) => `${namespace}\n${key}`)))];
    });
    const all = [this.#roles, this.#clusterRoles, this.#roleBindings, this.#clusterRoleBindings];
    this.ready = Promise.all(all.map((informer) => informer.synced)).then(() => undefined);
  }

  #bump(): void {
    this.#generation++;
  }

  authorize({ user, info }: AuthorizationAttributes): Decision {
    const cluster = this.#clusterGrants(user);
    for (const grant of cluster.grants) if (grant.set.allows(info)) return { verdict: 'allow', reason: grant.reason };
    if (!info.namespace) return { verdict: 'no-opinion', reason: failureText(cluster.errors) };
    const local = this.#localGrants(user, info.namespace);
    for (const grant of local.grants) if (grant.set.allows(info)) return { verdict: 'allow', reason: grant.reason };
    return { verdict: 'no-opinion', reason: failureText([...cluster.errors, ...local.errors]) };
  }

  /** Every rule that applies to the user in a namespace ("" for cluster-wide ones only), and what could not be resolved. */
  rulesFor(user: UserInfo, namespace: string): { rules: PolicyRule[]; errors: string[] } {
    const cluster = this.#clusterGrants(user);
    const local = namespace ? this.#localGrants(user, namespace) : { grants: [], errors: [] };
    return {
      rules: [...cluster.grants, ...local.grants].flatMap((grant) => grant.rules),
      errors: [...cluster.errors, ...local.errors],
    };
  }

  /** The rules of a role that a binding refers to; the text of why not, where there is none. */
  rulesOf(roleRef: { kind: string; name: string }, namespace: string): readonly PolicyRule[] | string {
    const role = this.#roleOf(roleRef, namespace);
    return typeof role === 'string' ? role : (role.rules ?? []);
  }

  #roleOf({ kind, name }: { kind: string; name: string }, namespace: string): Role | ClusterRole | string {
    if (kind === 'Role') return this.#roles.get(`${namespace}/${name}`) ?? `role.rbac.authorization.k8s.io "${name}" not found`;
    if (kind === 'ClusterRole') return this.#clusterRoles.get(name) ?? `clusterrole.rbac.authorization.k8s.io "${name}" not found`;
    return `unsupported role reference kind: "${kind}"`;
  }

  #grantsOf(user: UserInfo): Grants {
    let known = this.#grants.get(user);
    if (known?.generation !== this.#generation) {
      known = {
        generation: this.#generation,
        cluster: this.#resolve(keysOf(user).map((key) => [key, this.#clusterRoleBindings.byIndex(index, key)])),
        byNamespace: new Map(),
      };
      this.#grants.set(user, known);
    }
    return known;
  }

  #clusterGrants(user: UserInfo): Grants['cluster'] {
    return this.#grantsOf(user).cluster;
  }

  #localGrants(user: UserInfo, namespace: string): Grants['cluster'] {
    const { byNamespace } = this.#grantsOf(user);
    let local = byNamespace.get(namespace);
    if (!local) {
      local = this.#resolve(keysOf(user).map((key) => [key, this.#roleBindings.byIndex(index, `${namespace}\n${key}`)]));
      // Whoever asks for ever new namespaces must not fill the memory.
      if (byNamespace.size >= 1000) byNamespace.clear();
      byNamespace.set(namespace, local);
    }
    return local;
  }

  #resolve(found: [key: string, bindings: Binding[]][]): Grants['cluster'] {
    const grants: Grant[] = [];
    const errors: string[] = [];
    const seen = new Set<Binding>();
    for (const [key, bindings] of found)
      for (const binding of bindings) {
        if (seen.has(binding)) continue;
        seen.add(binding);
        const role = this.#roleOf(binding.roleRef, binding.metadata?.namespace ?? '');
        if (typeof role === 'string') {
          errors.push(role);
          continue;
        }
        let set = this.#sets.get(role);
        if (!set) this.#sets.set(role, (set = new RuleSet(role.rules ?? [])));
        grants.push({ rules: role.rules ?? [], set, reason: `RBAC: allowed by ${describe(binding, key)}` });
      }
    return { grants, errors };
  }
}

/** Errors as upstream's aggregates print them. */
export function failureText(errors: readonly string[]): string {
  const texts = [...new Set(errors)];
  if (texts.length === 0) return '';
  return `RBAC: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}`;
}
