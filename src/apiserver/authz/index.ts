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
export { authorizationErrors, authorizersOfModes } from './configuration.ts';
export type { AuthorizationConfiguration, AuthorizerConfiguration, WebhookConfiguration } from './configuration.ts';
export { ReviewConditions } from './match-conditions.ts';
export { webhookAuthorizer } from './webhook.ts';

export const privilegedGroup = 'system:masters';

export interface AuthorizationOptions {
  /** What every node may do: the rules of the ClusterRole system:node. */
  nodeRules: readonly PolicyRule[];
  /** Who is asked, in this order; whoever has an opinion decides. Default Node, RBAC. Looked at for each request: it may change. */
  authorizers?: readonly AuthorizerChoice[];
}

/** One of the authorizers that are part of this program, or one of another's (a webhook). */
export type AuthorizerChoice = 'Node' | 'RBAC' | 'AlwaysAllow' | 'AlwaysDeny' | Authorizer;

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
const everythingForbidden: Decision = Object.freeze({ verdict: 'no-opinion', reason: 'Everything is forbidden.' });
const usual: readonly AuthorizerChoice[] = ['Node', 'RBAC'];

export function createAuthorization({ informers }: { informers: Informers }, options: AuthorizationOptions): Authorization {
  const rbac = new Rbac(informers);
  const node = new NodeAuthorizer(informers, options.nodeRules);
  const own: Record<string, (attributes: AuthorizationAttributes) => Decision> = {
    Node: (attributes) => node.authorize(attributes),
    RBAC: (attributes) => rbac.authorize(attributes),
    AlwaysAllow: () => privileged,
    AlwaysDeny: () => everythingForbidden,
  };

  const authorizer = (attributes: AuthorizationAttributes): Decision | Promise<Decision> => {
    if (attributes.user.groups.includes(privilegedGroup)) return privileged;
    const choices = options.authorizers ?? usual;
    const reasons: string[] = [];
    for (const [index, choice] of choices.entries()) {
      const decision = typeof choice === 'string' ? own[choice]!(attributes) : choice(attributes);
      if (decision instanceof Promise) return askFurther(choices.slice(index), decision, own, attributes, reasons);
      if (decision.verdict !== 'no-opinion') return decision;
      if (decision.reason) reasons.push(decision.reason);
    }
    return { verdict: 'no-opinion', reason: reasons.join('\n') };
  };

  return {
    authorizer,
    rbac,
    rulesFor(user, namespace) {
      const { rules, errors } = rbac.rulesFor(user, namespace);
      const choices = options.authorizers ?? usual;
      const unsupported = [
        ...(choices.includes('Node') && nodeIdentity(user) !== undefined ? ['node authorizer does not support user rule resolution'] : []),
        ...choices.flatMap((choice) => (typeof choice === 'string' ? [] : ['webhook authorizer does not support user rule resolution'])),
      ];
      const all = [...unsupported, ...errors];
      return { rules, incomplete: unsupported.length > 0, evaluationError: all.length > 1 ? `[${all.join(', ')}]` : (all[0] ?? '') };
    },
    ready: Promise.all([rbac.ready, node.ready]).then(() => undefined),
  };
}

/** From the first authorizer on that has to wait for its answer, which is `first`. */
async function askFurther(
  choices: readonly AuthorizerChoice[],
  first: Promise<Decision>,
  own: Record<string, (attributes: AuthorizationAttributes) => Decision>,
  attributes: AuthorizationAttributes,
  reasons: string[],
): Promise<Decision> {
  for (const [index, choice] of choices.entries()) {
    const decision = await (index === 0 ? first : typeof choice === 'string' ? own[choice]!(attributes) : choice(attributes));
    if (decision.verdict !== 'no-opinion') return decision;
    if (decision.reason) reasons.push(decision.reason);
  }
  return { verdict: 'no-opinion', reason: reasons.join('\n') };
}
