/**
 * What one may do. Step of the pod's way: "authorized". Upstream counterpart: pkg/kubeapiserver/authorizer, modes Node and RBAC.
 * Invariant: what nobody allows is refused; only members of system:masters are asked no questions.
 */
import type { Informers } from '#client';
import type { PolicyRule } from '../../api/facts/types.ts';
import type { AuthorizationAttributes, Authorizer, Decision, UserInfo } from '../contract.ts';
import { NodeAuthorizer, nodeIdentity } from './node.ts';
import { Rbac } from './rbac.ts';

export { nodeIdentity } from './node.ts';
export { Rbac } from './rbac.ts';

export const privilegedGroup = 'system:masters';

export interface AuthorizationOptions {
  /** What every node may do: the rules of the ClusterRole system:node. */
  nodeRules: readonly PolicyRule[];
  /** Who is asked. Default: both. upstream: --authorization-mode. */
  modes?: readonly ('Node' | 'RBAC')[];
  /** Asked after Node and RBAC (webhooks). */
  more?: readonly Authorizer[];
}

/** What SelfSubjectRulesReview answers. */
export interface SubjectRules {
  rules: PolicyRule[];
  incomplete: boolean;
  evaluationError: string;
}

export interface Authorization {
  authorizer: Authorizer;
  rbac: Rbac;
  rulesFor(user: UserInfo, namespace: string): SubjectRules;
  /** Resolves when roles, bindings and pods are known; before, only system:masters is let through. */
  ready: Promise<void>;
}

const privileged: Decision = Object.freeze({ verdict: 'allow', reason: '' });

export function createAuthorization({ informers }: { informers: Informers }, options: AuthorizationOptions): Authorization {
  const rbac = new Rbac(informers);
  const node = new NodeAuthorizer(informers, options.nodeRules);
  const more = options.more ?? [];
  const modes = options.modes ?? ['Node', 'RBAC'];
  const nobody: Decision = { verdict: 'no-opinion', reason: '' };

  const authorizer = (attributes: AuthorizationAttributes): Decision | Promise<Decision> => {
    if (attributes.user.groups.includes(privilegedGroup)) return privileged;
    const byNode = modes.includes('Node') ? node.authorize(attributes) : nobody;
    if (byNode.verdict !== 'no-opinion') return byNode;
    const byRole = modes.includes('RBAC') ? rbac.authorize(attributes) : nobody;
    if (byRole.verdict !== 'no-opinion') return byRole;
    const reason = [byNode.reason, byRole.reason].filter(Boolean).join('\n');
    return more.length > 0 ? askFurther(more, attributes, reason) : { verdict: 'no-opinion', reason };
  };

  return {
    authorizer,
    rbac,
    rulesFor(user, namespace) {
      const { rules, errors } = rbac.rulesFor(user, namespace);
      const unsupported = nodeIdentity(user) === undefined ? [] : ['node authorizer does not support user rule resolution'];
      const all = [...unsupported, ...errors];
      return { rules, incomplete: unsupported.length > 0, evaluationError: all.length > 1 ? `[${all.join(', ')}]` : (all[0] ?? '') };
    },
    ready: Promise.all([rbac.ready, node.ready]).then(() => undefined),
  };
}

async function askFurther(more: readonly Authorizer[], attributes: AuthorizationAttributes, reason: string): Promise<Decision> {
  const reasons = reason ? [reason] : [];
  for (const authorizer of more) {
    const decision = await authorizer(attributes);
    if (decision.verdict !== 'no-opinion') return decision;
    if (decision.reason) reasons.push(decision.reason);
  }
  return { verdict: 'no-opinion', reason: reasons.join('\n') };
}
