import { parseFieldSelector, parseLabelSelector, SelectorError } from '#machinery/selectors';
import { library } from '../check/declarations.ts';
import { struct } from '../types.ts';
import { CelError } from '../values/scalars.ts';
import { Opaque } from '../values/value.ts';
import type { Value } from '../values/value.ts';

/**
 * Asking the authorizer from an expression. Evaluation does not wait, so the authorizer given must answer at once.
 * upstream: apiserver/pkg/cel/library/authz.go.
 */

export interface AuthorizationQuery {
  user: { name: string; groups: readonly string[]; uid?: string | undefined; extra?: Readonly<Record<string, string[]>> | undefined };
  verb: string;
  /** For what is no resource. */
  path?: string;
  group?: string;
  resource?: string;
  subresource?: string;
  namespace?: string;
  name?: string;
  fieldSelector?: string;
  labelSelector?: string;
}

export interface AuthorizationAnswer {
  allowed: boolean;
  reason: string;
  error?: string;
}

export type AuthorizeNow = (query: AuthorizationQuery) => AuthorizationAnswer;

type User = AuthorizationQuery['user'];

abstract class AuthzValue extends Opaque {
  equals(other: Value): boolean {
    return this === other;
  }
  toString(): string {
    return this.type.name;
  }
}

export const authorizerType = struct('kubernetes.authorization.Authorizer');
const pathCheckType = struct('kubernetes.authorization.PathCheck');
const groupCheckType = struct('kubernetes.authorization.GroupCheck');
export const resourceCheckType = struct('kubernetes.authorization.ResourceCheck');
const decisionType = struct('kubernetes.authorization.Decision');

/** The variable `authorizer`. */
export class AuthorizerValue extends AuthzValue {
  readonly type = authorizerType;
  readonly authorize: AuthorizeNow;
  readonly user: User;
  constructor(authorize: AuthorizeNow, user: User) {
    super();
    this.authorize = authorize;
    this.user = user;
  }
}

class PathCheck extends AuthzValue {
  readonly type = pathCheckType;
  readonly authorizer: AuthorizerValue;
  readonly path: string;
  constructor(authorizer: AuthorizerValue, path: string) {
    super();
    this.authorizer = authorizer;
    this.path = path;
  }
}

class GroupCheck extends AuthzValue {
  readonly type = groupCheckType;
  readonly authorizer: AuthorizerValue;
  readonly group: string;
  constructor(authorizer: AuthorizerValue, group: string) {
    super();
    this.authorizer = authorizer;
    this.group = group;
  }
}

/** The variable `authorizer.requestResource`, and what the chain of calls builds. */
export class ResourceCheck extends AuthzValue {
  readonly type = resourceCheckType;
  readonly authorizer: AuthorizerValue;
  readonly query: Omit<AuthorizationQuery, 'user' | 'verb'>;
  constructor(authorizer: AuthorizerValue, query: Omit<AuthorizationQuery, 'user' | 'verb'>) {
    super();
    this.authorizer = authorizer;
    this.query = query;
  }
  with(more: Partial<AuthorizationQuery>): ResourceCheck {
    return new ResourceCheck(this.authorizer, { ...this.query, ...more });
  }
}

class DecisionValue extends AuthzValue {
  readonly type = decisionType;
  readonly answer: AuthorizationAnswer;
  constructor(answer: AuthorizationAnswer) {
    super();
    this.answer = answer;
  }
}

function serviceAccount({ authorize }: AuthorizerValue, namespace: string, name: string): Value {
  const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
  if (!name.split('.').every((part) => label.test(part))) return new CelError('Invalid service account name');
  if (!label.test(namespace)) return new CelError('Invalid service account namespace');
  return new AuthorizerValue(authorize, {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  });
}

const ask = ({ authorize, user }: AuthorizerValue, query: Omit<AuthorizationQuery, 'user'>): Value =>
  new DecisionValue(authorize({ user, ...query }));

/** A selector that cannot be read asks for all there is: so says upstream. */
function selector(parse: (text: string) => unknown, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch (error) {
    if (error instanceof SelectorError) return false;
    throw error;
  }
}

export const authzLibrary = library(
  `
.allowed decision_allowed(kubernetes.authorization.Decision) -> bool
.check pathcheck_check(kubernetes.authorization.PathCheck, string) -> kubernetes.authorization.Decision
.check resourcecheck_check(kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.Decision
.error decision_error(kubernetes.authorization.Decision) -> string
.errored decision_errored(kubernetes.authorization.Decision) -> bool
.fieldSelector authorizer_fieldselector(kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
.group authorizer_group(kubernetes.authorization.Authorizer, string) -> kubernetes.authorization.GroupCheck
.labelSelector authorizer_labelselector(kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
.name resourcecheck_name(kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
.namespace resourcecheck_namespace(kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
.path authorizer_path(kubernetes.authorization.Authorizer, string) -> kubernetes.authorization.PathCheck
.reason decision_reason(kubernetes.authorization.Decision) -> string
.resource groupcheck_resource(kubernetes.authorization.GroupCheck, string) -> kubernetes.authorization.ResourceCheck
.serviceAccount authorizer_serviceaccount(kubernetes.authorization.Authorizer, string, string) -> kubernetes.authorization.Authorizer
.subresource resourcecheck_subresource(kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
`,
  {
    authorizer_path: (authorizer: AuthorizerValue, path: string) =>
      path === '' ? new CelError('path must not be empty') : new PathCheck(authorizer, path),
    authorizer_group: (authorizer: AuthorizerValue, group: string) => new GroupCheck(authorizer, group),
    authorizer_serviceaccount: serviceAccount,
    groupcheck_resource: (check: GroupCheck, resource: string) =>
      resource === ''
        ? new CelError('resource must not be empty')
        : new ResourceCheck(check.authorizer, { group: check.group, resource, subresource: '', namespace: '', name: '' }),
    resourcecheck_subresource: (check: ResourceCheck, subresource: string) => check.with({ subresource }),
    resourcecheck_namespace: (check: ResourceCheck, namespace: string) => check.with({ namespace }),
    resourcecheck_name: (check: ResourceCheck, name: string) => check.with({ name }),
    authorizer_fieldselector: (check: ResourceCheck, text: string) =>
      selector(parseFieldSelector, text) ? check.with({ fieldSelector: text }) : check,
    authorizer_labelselector: (check: ResourceCheck, text: string) =>
      selector(parseLabelSelector, text) ? check.with({ labelSelector: text }) : check,
    pathcheck_check: (check: PathCheck, verb: string) => ask(check.authorizer, { verb, path: check.path }),
    resourcecheck_check: (check: ResourceCheck, verb: string) => ask(check.authorizer, { ...check.query, verb }),
    decision_allowed: ({ answer }: DecisionValue) => answer.allowed,
    decision_reason: ({ answer }: DecisionValue) => answer.reason,
    decision_errored: ({ answer }: DecisionValue) => answer.error !== undefined,
    decision_error: ({ answer }: DecisionValue) => answer.error ?? '',
  },
);
