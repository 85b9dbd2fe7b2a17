/** A request as a SubjectAccessReview asks of it. upstream: plugin/pkg/authorizer/webhook. */
import { parseFieldSelector, parseLabelSelector } from '#machinery/selectors';
import type { AuthorizationAttributes } from '../contract.ts';

interface Requirement {
  key: string;
  operator: string;
  values?: string[];
}

/** Of the requirements those that reviews know; a selector that cannot be read restricts nothing. */
function fieldRequirements(selector: string | undefined): Requirement[] {
  if (!selector) return [];
  try {
    return parseFieldSelector(selector).terms.map(({ field, operator, value }) => ({
      key: field,
      operator: operator === '=' ? 'In' : 'NotIn',
      values: [value],
    }));
  } catch {
    return [];
  }
}

const labelOperators: Readonly<Record<string, string>> = {
  '=': 'In',
  '==': 'In',
  in: 'In',
  '!=': 'NotIn',
  notin: 'NotIn',
  exists: 'Exists',
  '!': 'DoesNotExist',
};

function labelRequirements(selector: string | undefined): Requirement[] {
  if (!selector) return [];
  try {
    return parseLabelSelector(selector).requirements.flatMap(({ key, operator, values }) => {
      const known = labelOperators[operator];
      return known ? [{ key, operator: known, ...(values.length > 0 && { values: [...values] }) }] : [];
    });
  } catch {
    return [];
  }
}

export interface ReviewSpec {
  resourceAttributes?: Record<string, unknown>;
  nonResourceAttributes?: { path: string; verb: string };
  user?: string;
  groups?: string[];
  extra?: Record<string, string[]>;
  uid?: string;
}

/** Empty fields are left out, as Go's JSON leaves them out. */
export function reviewSpec({ user, info }: AuthorizationAttributes): ReviewSpec {
  const fields = fieldRequirements(info.fieldSelector);
  const labels = labelRequirements(info.labelSelector);
  const attributes = {
    namespace: info.namespace,
    verb: info.verb,
    group: info.group,
    version: info.version,
    resource: info.resource,
    subresource: info.subresource,
    name: info.name,
  };
  return {
    ...(info.isResourceRequest
      ? {
          resourceAttributes: {
            ...Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== '')),
            ...(fields.length > 0 && { fieldSelector: { requirements: fields } }),
            ...(labels.length > 0 && { labelSelector: { requirements: labels } }),
          },
        }
      : { nonResourceAttributes: { path: info.path, verb: info.verb } }),
    ...(user.name && { user: user.name }),
    ...(user.groups.length > 0 && { groups: [...user.groups] }),
    ...(user.extra && Object.keys(user.extra).length > 0 && { extra: user.extra }),
    ...(user.uid && { uid: user.uid }),
  };
}

/** The same as expressions see it: what is a string is there even where it is empty. upstream: apiserver/pkg/authorization/cel/matcher.go. */
export function reviewValue({ user, info }: AuthorizationAttributes): Record<string, unknown> {
  const spec = reviewSpec({ user, info });
  const { fieldSelector, labelSelector } = spec.resourceAttributes ?? {};
  const { namespace, verb, group, version, resource, subresource, name } = info;
  return {
    user: user.name,
    groups: [...user.groups],
    uid: user.uid ?? '',
    extra: user.extra ?? {},
    ...(spec.resourceAttributes && {
      resourceAttributes: {
        namespace,
        verb,
        group,
        version,
        resource,
        subresource,
        name,
        ...(fieldSelector !== undefined && { fieldSelector }),
        ...(labelSelector !== undefined && { labelSelector }),
      },
    }),
    ...(spec.nonResourceAttributes && { nonResourceAttributes: spec.nonResourceAttributes }),
  };
}
