import { FlowSchema } from '#api';
import type { RequestInfo, UserInfo } from '../contract.ts';
import { dealHand, flowHash } from './shuffle-shard.ts';

type Rule = NonNullable<NonNullable<FlowSchema['spec']>['rules']>[number];
type Subject = Rule['subjects'][number];

/** Undefined sets allow everything. */
type Allowed = ReadonlySet<string> | undefined;

interface ResourceRule {
  verbs: Allowed;
  groups: Allowed;
  resources: Allowed;
  namespaces: Allowed;
  clusterScope: boolean;
}

interface PathRule {
  verbs: Allowed;
  exact: Allowed;
  prefixes: readonly string[];
}

interface CompiledRule {
  subjects: readonly Subject[];
  resources: readonly ResourceRule[];
  paths: readonly PathRule[];
}

/** As many flows of a schema keep their hands; whoever makes more only costs time. */
const keptHands = 10_000;

/** A flow schema, ready to be matched. */
export class Flow {
  readonly name: string;
  readonly uid: string;
  readonly level: string;
  readonly precedence: number;
  readonly #by: string | undefined;
  readonly #rules: readonly CompiledRule[];
  readonly #hands = new Map<string, number[]>();
  #deck = '';

  constructor({ metadata, spec }: FlowSchema) {
    this.name = metadata?.name ?? '';
    this.uid = metadata?.uid ?? '';
    this.level = spec?.priorityLevelConfiguration.name ?? '';
    this.precedence = spec?.matchingPrecedence ?? 1000;
    this.#by = spec?.distinguisherMethod?.type;
    this.#rules = (spec?.rules ?? []).map((rule) => ({
      subjects: rule.subjects,
      resources: (rule.resourceRules ?? []).map((resource) => ({
        verbs: setOf(resource.verbs),
        groups: setOf(resource.apiGroups),
        resources: setOf(resource.resources),
        namespaces: setOf(resource.namespaces),
        clusterScope: resource.clusterScope ?? false,
      })),
      paths: (rule.nonResourceRules ?? []).map(({ verbs, nonResourceURLs }) => ({
        verbs: setOf(verbs),
        exact: setOf(nonResourceURLs),
        prefixes: nonResourceURLs.filter((url) => url.endsWith('*')).map((url) => url.replace(/\*+$/, '')),
      })),
    }));
  }

  /** The rules that apply to the user; what they say of requests is looked at later. */
  rulesFor(user: UserInfo): CompiledRule[] {
    return this.#rules.filter((rule) => rule.subjects.some((subject) => isSubject(user, subject)));
  }

  distinguisher(user: UserInfo, info: RequestInfo): string {
    return this.#by === 'ByUser' ? user.name : this.#by === 'ByNamespace' ? info.namespace : '';
  }

  /** The queues among which the flow's requests choose. */
  hand(distinguisher: string, queues: number, size: number): readonly number[] {
    const deck = `${queues}/${size}`;
    if (deck !== this.#deck) {
      this.#hands.clear();
      this.#deck = deck;
    }
    let hand = this.#hands.get(distinguisher);
    if (!hand) {
      hand = dealHand(flowHash(this.name, distinguisher), queues, size);
      if (this.#hands.size >= keptHands) this.#hands.clear();
      this.#hands.set(distinguisher, hand);
    }
    return hand;
  }
}

interface Candidate {
  flow: Flow;
  rules: readonly CompiledRule[];
}

/**
 * Flow schemas in the order they are asked. Which of them speak of a user is found out once a user object, so that a request costs a few
 * look-ups. upstream: flowcontrol/rule.go.
 */
export class FlowTable {
  readonly flows: readonly Flow[];
  readonly #catchAll: Flow;
  readonly #candidates = new WeakMap<UserInfo, readonly Candidate[]>();

  /** `flows` holds one that is named catch-all. */
  constructor(flows: readonly Flow[]) {
    this.flows = [...flows].sort((left, right) => left.precedence - right.precedence || (left.name < right.name ? -1 : 1));
    this.#catchAll = this.flows.find(({ name }) => name === 'catch-all')!;
  }

  classify(user: UserInfo, info: RequestInfo): Flow {
    let candidates = this.#candidates.get(user);
    if (!candidates) {
      candidates = this.flows.flatMap((flow) => {
        const rules = flow.rulesFor(user);
        return rules.length > 0 ? [{ flow, rules }] : [];
      });
      this.#candidates.set(user, candidates);
    }
    for (const { flow, rules } of candidates) for (const rule of rules) if (matches(rule, info)) return flow;
    return this.#catchAll;
  }
}

function matches(rule: CompiledRule, info: RequestInfo): boolean {
  if (!info.isResourceRequest) {
    for (const { verbs, exact, prefixes } of rule.paths) {
      if (verbs && !verbs.has(info.verb)) continue;
      if (!exact || exact.has(info.path) || prefixes.some((prefix) => info.path.startsWith(prefix))) return true;
    }
    return false;
  }
  for (const { verbs, groups, resources, namespaces, clusterScope } of rule.resources) {
    if (verbs && !verbs.has(info.verb)) continue;
    if (resources && !resources.has(info.subresource ? `${info.resource}/${info.subresource}` : info.resource)) continue;
    if (groups && !groups.has(info.group)) continue;
    if (info.namespace ? !namespaces || namespaces.has(info.namespace) : clusterScope) return true;
  }
  return false;
}

const setOf = (values: readonly string[] | undefined): Allowed => (values?.includes('*') ? undefined : new Set(values));

const accountPrefix = 'system:serviceaccount:';

function isSubject(user: UserInfo, { kind, user: asUser, group, serviceAccount }: Subject): boolean {
  switch (kind) {
    case 'User':
      return asUser !== undefined && (asUser.name === '*' || asUser.name === user.name);
    case 'Group':
      return group !== undefined && (group.name === '*' || user.groups.includes(group.name));
    case 'ServiceAccount': {
      if (!serviceAccount) return false;
      const { namespace, name } = serviceAccount;
      return name === '*' ? user.name.startsWith(`${accountPrefix}${namespace}:`) : user.name === `${accountPrefix}${namespace}:${name}`;
    }
    default:
      return false;
  }
}
