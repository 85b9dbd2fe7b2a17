import type { LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview } from '#api';
import { equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import type { FieldError } from '#machinery/status';
import { badRequest, invalid, invalidField, required } from '#machinery/status';
import type { Authorization } from '../../authz/index.ts';
import type { Authorizer, RequestInfo, UserInfo } from '../../contract.ts';
import type { Endpoint, EndpointFactory } from '../contract.ts';

type Spec = SubjectAccessReview['spec'];
type ResourceAttributes = NonNullable<Spec['resourceAttributes']>;

/** upstream: pkg/registry/authorization/util AuthorizationAttributesFrom. */
function requestOf({ resourceAttributes: asked, nonResourceAttributes: path }: Spec): RequestInfo {
  const base = { group: '', version: '', resource: '', subresource: '', namespace: '', name: '' };
  if (!asked) return { ...base, isResourceRequest: false, path: path?.path ?? '', verb: path?.verb ?? '' };
  const fieldSelector = asked.fieldSelector?.rawSelector ?? fieldSelectorOf(asked);
  const labelSelector = asked.labelSelector?.rawSelector ?? labelSelectorOf(asked);
  return {
    isResourceRequest: true,
    path: '',
    verb: asked.verb ?? '',
    group: asked.group ?? '',
    version: asked.version || '*',
    resource: asked.resource ?? '',
    subresource: asked.subresource ?? '',
    namespace: asked.namespace ?? '',
    name: asked.name ?? '',
    ...(fieldSelector && { fieldSelector }),
    ...(labelSelector && { labelSelector }),
  };
}

/** Only requirements of one value can be said in the short form, and only these matter to an authorizer. */
const fieldSelectorOf = ({ fieldSelector }: ResourceAttributes): string =>
  (fieldSelector?.requirements ?? [])
    .filter(({ values }) => values?.length === 1)
    .map(({ key, operator, values }) => `${key}${operator === 'NotIn' ? '!=' : '='}${values![0]}`)
    .join(',');

const labelSelectorOf = ({ labelSelector }: ResourceAttributes): string =>
  (labelSelector?.requirements ?? [])
    .flatMap(({ key, operator, values = [] }) => {
      if (operator === 'Exists') return [key];
      if (operator === 'DoesNotExist') return [`!${key}`];
      return values.length > 0 ? [`${key} ${operator === 'NotIn' ? 'notin' : 'in'} (${values.join(',')})`] : [];
    })
    .join(',');

function selectorErrors(attributes: ResourceAttributes | undefined): FieldError[] {
  return (['fieldSelector', 'labelSelector'] as const).flatMap((name) => {
    const selector = attributes?.[name];
    if (!selector) return [];
    const path = `spec.resourceAttributes.${name}`;
    const { rawSelector, requirements } = selector;
    if (rawSelector && requirements?.length)
      return [invalidField(`${path}.rawSelector`, rawSelector, 'may not specified at the same time as requirements')];
    if (!rawSelector && !requirements?.length)
      return [required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`)];
    return [];
  });
}

function attributeErrors(spec: Spec): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.resourceAttributes && spec.nonResourceAttributes)
    errors.push(
      invalidField('spec.nonResourceAttributes', spec.nonResourceAttributes, 'cannot be specified in combination with resourceAttributes'),
    );
  if (!spec.resourceAttributes && !spec.nonResourceAttributes)
    errors.push(
      invalidField('spec.resourceAttributes', null, 'exactly one of nonResourceAttributes or resourceAttributes must be specified'),
    );
  return [...errors, ...selectorErrors(spec.resourceAttributes)];
}

const subjectErrors = (spec: Spec): FieldError[] =>
  spec.user || spec.groups?.length ? [] : [invalidField('spec.user', spec.user ?? '', 'at least one of user or group must be specified')];

function metadataErrors(review: KubeObject, local: boolean): FieldError[] {
  const { managedFields: _, namespace, creationTimestamp: __, ...meta } = review.metadata ?? {};
  const rest = local || !namespace ? meta : { ...meta, namespace };
  return equal(rest, {}) ? [] : [invalidField('metadata', review.metadata, local ? 'must be empty except for namespace' : 'must be empty')];
}

/** Asks the authorizer; what it throws is the evaluation error. */
async function decide(authorizer: Authorizer, user: UserInfo, spec: Spec): Promise<Record<string, unknown>> {
  try {
    const { verdict, reason } = await authorizer({ user, info: requestOf(spec) });
    return { allowed: verdict === 'allow', ...(verdict === 'deny' && { denied: true }), ...(reason && { reason }) };
  } catch (error) {
    return { allowed: false, evaluationError: error instanceof Error ? error.message : String(error) };
  }
}

const userOf = ({ user = '', uid, groups = [], extra }: Spec): UserInfo => ({
  name: user,
  groups,
  ...(uid && { uid }),
  ...(extra && { extra }),
});

const group = 'authorization.k8s.io';

const answered = (review: KubeObject, status: unknown): KubeObject => ({ ...review, status }) as KubeObject;

/** upstream: pkg/registry/authorization/{subject,local,self}*review. */
export function accessReviews(authorization: () => Authorization): EndpointFactory[] {
  const endpoint = (resource: string, create: NonNullable<Endpoint['create']>): EndpointFactory => {
    return () => ({ group, resource, subresource: '', create });
  };
  /** Upstream names no kind here. */
  const refuse = (errors: FieldError[]): void => {
    if (errors.length > 0) throw invalid({ group, kind: '' }, '', errors);
  };
  return [
    endpoint('subjectaccessreviews', async (_context, _name, body) => {
      const review = body as SubjectAccessReview;
      refuse([...attributeErrors(review.spec), ...subjectErrors(review.spec), ...metadataErrors(review, false)]);
      return answered(review, await decide(authorization().authorizer, userOf(review.spec), review.spec));
    }),
    endpoint('localsubjectaccessreviews', async (context, _name, body) => {
      const review = body as LocalSubjectAccessReview;
      const { spec } = review;
      const errors = [...attributeErrors(spec), ...subjectErrors(spec), ...metadataErrors(review, true)];
      const field = 'spec.resourceAttributes.namespace';
      if (spec.resourceAttributes && (spec.resourceAttributes.namespace ?? '') !== context.info.namespace)
        errors.push(invalidField(field, spec.resourceAttributes.namespace ?? '', 'must match metadata.namespace'));
      if (spec.nonResourceAttributes)
        errors.push(invalidField('spec.nonResourceAttributes', spec.nonResourceAttributes, 'disallowed on this kind of request'));
      refuse(errors);
      return answered(review, await decide(authorization().authorizer, userOf(spec), spec));
    }),
    endpoint('selfsubjectaccessreviews', async (context, _name, body) => {
      const review = body as SelfSubjectAccessReview;
      refuse([...attributeErrors(review.spec), ...metadataErrors(review, false)]);
      return answered(review, await decide(authorization().authorizer, context.user, review.spec));
    }),
    endpoint('selfsubjectrulesreviews', (context, _name, body) => {
      const { namespace } = (body as SelfSubjectRulesReview).spec;
      if (!namespace) throw badRequest('no namespace on request');
      const { rules, incomplete, evaluationError } = authorization().rulesFor(context.user, namespace);
      const status = {
        resourceRules: rules
          .filter((rule) => rule.resources?.length)
          .map(({ verbs, apiGroups, resources, resourceNames }) => ({
            verbs,
            ...(apiGroups && { apiGroups }),
            resources,
            ...(resourceNames && { resourceNames }),
          })),
        nonResourceRules: rules
          .filter((rule) => rule.nonResourceURLs?.length)
          .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
        incomplete,
        ...(evaluationError && { evaluationError }),
      };
      return Promise.resolve(answered({ kind: body.kind, apiVersion: body.apiVersion, metadata: {}, spec: {} } as KubeObject, status));
    }),
  ];
}
