import type { Namespace } from '#api';
import { AuthorizerValue, fromJson, ObjectValue, ResourceCheck, types, CelError } from '#machinery/cel';
import type { Activation, AuthorizeNow, CelType, Value } from '#machinery/cel';
import type { KubeObject } from '#machinery/meta';
import { shownUser } from '../../authn/shown-user.ts';
import type { AdmissionAttributes, Authorizer } from '../../contract.ts';
import type { Versioned } from '../webhook/review.ts';
import { evaluate } from './expression.ts';
import type { Budget, Expression } from './expression.ts';

/** The authorizer as expressions ask it. One that must wait cannot be asked from an expression. */
const askNow =
  (authorizer: Authorizer): AuthorizeNow =>
  ({ user, verb, path, group = '', resource = '', subresource = '', namespace = '', name = '', fieldSelector, labelSelector }) => {
    const decision = authorizer({
      user: { name: user.name, groups: user.groups, ...(user.uid && { uid: user.uid }), ...(user.extra && { extra: user.extra }) },
      info: {
        isResourceRequest: path === undefined,
        path: path ?? '',
        verb,
        group,
        version: '*',
        resource,
        subresource,
        namespace,
        name,
        ...(fieldSelector && { fieldSelector }),
        ...(labelSelector && { labelSelector }),
      },
    });
    if (decision instanceof Promise) {
      decision.catch(() => undefined);
      return { allowed: false, reason: '', error: 'the authorizer does not answer at once' };
    }
    return { allowed: decision.verdict === 'allow', reason: decision.reason };
  };

/** The variable `request`: the review's request without its objects. */
function requestValue(attributes: AdmissionAttributes, { kind }: Versioned): Value {
  const { kind: asked, subresource, name, namespace, operation, user, dryRun, options } = attributes;
  const typeOf = ({ group, version, kind: called }: typeof kind): object => ({ group, version, kind: called });
  const resourceOf = ({ group, version, resource }: typeof kind): object => ({ group, version, resource });
  return fromJson({
    kind: typeOf(kind),
    resource: resourceOf(kind),
    ...(subresource && { subResource: subresource, requestSubResource: subresource }),
    requestKind: typeOf(asked),
    requestResource: resourceOf(asked),
    ...(name && { name }),
    ...(namespace && { namespace }),
    operation,
    userInfo: shownUser(user),
    dryRun,
    options: Object.keys(options).length > 0 ? options : null,
  });
}

export interface ActivationParts {
  attributes: AdmissionAttributes;
  versioned: Versioned;
  authorizer?: Authorizer;
  params?: KubeObject | null;
  namespace?: Namespace;
}

/** The variables of one request, each made when it is first named. */
export function admissionActivation({ attributes, versioned, authorizer, params, namespace }: ActivationParts): Activation {
  const made = new Map<string, Value>();
  const lazily = (name: string, make: () => Value): Value => {
    let value = made.get(name);
    if (value === undefined) made.set(name, (value = make()));
    return value;
  };
  const authorizerValue = (): AuthorizerValue =>
    lazily('authorizer', () => new AuthorizerValue(askNow(authorizer!), attributes.user)) as AuthorizerValue;
  return (name) => {
    switch (name) {
      case 'object':
        return lazily(name, () => fromJson(versioned.object));
      case 'oldObject':
        return lazily(name, () => fromJson(versioned.oldObject));
      case 'request':
        return lazily(name, () => requestValue(attributes, versioned));
      case 'namespaceObject':
        return lazily(name, () => fromJson(namespace));
      case 'params':
        return lazily(name, () => fromJson(params));
      case 'authorizer':
        return authorizer && authorizerValue();
      case 'authorizer.requestResource': {
        if (!authorizer) return undefined;
        const { kind, subresource, namespace: place, name: called } = attributes;
        const query = { group: kind.group, resource: kind.resource, subresource, namespace: place, name: called };
        return lazily(name, () => new ResourceCheck(authorizerValue(), query));
      }
      default:
        return undefined;
    }
  };
}

/** A policy's own variables, evaluated once when first used. upstream: admission/plugin/cel/composition.go. */
class Variables extends ObjectValue {
  readonly type: CelType = types.struct('kubernetes.variables');
  readonly #compute: (name: string) => Value | undefined;
  readonly #names: ReadonlyMap<string, unknown>;
  readonly #known = new Map<string, Value>();

  constructor(names: ReadonlyMap<string, unknown>, compute: (name: string) => Value | undefined) {
    super();
    this.#names = names;
    this.#compute = compute;
  }

  has(field: string): boolean {
    return this.#names.has(field);
  }

  get(field: string): Value {
    let value = this.#known.get(field);
    if (value === undefined) {
      value = this.#compute(field) ?? new CelError(`no such field: ${field}`);
      this.#known.set(field, value);
    }
    return value;
  }

  equals(other: Value): boolean {
    return this === other;
  }
}

/** `activation` with `variables`. */
export function withVariables(activation: Activation, variables: ReadonlyMap<string, Expression>, budget: Budget): Activation {
  const value: Variables = new Variables(variables, (name) => {
    const expression = variables.get(name);
    if (!expression) return undefined;
    if (!expression.program) return new CelError(`composited variable ${JSON.stringify(name)} fails to compile: ${expression.error}`);
    const result = evaluate(expression, whole, budget);
    if ('value' in result) return result.value;
    const why = result.error.replace(/^expression '[^]*?' resulted in error: /, '');
    return new CelError(`composited variable ${JSON.stringify(name)} fails to evaluate: ${why}`);
  });
  const whole: Activation = (name) => (name === 'variables' ? value : activation(name));
  return whole;
}
