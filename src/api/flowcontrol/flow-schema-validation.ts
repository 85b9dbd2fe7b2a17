/** upstream: ValidateFlowSchema in pkg/apis/flowcontrol/validation. */
import { nameIsDNSSubdomain, validateNamespaceName, validateServiceAccountName } from '#machinery/names';
import { checkName, duplicate, forbiddenField, invalidField, invalidFor, required, requireText, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { FlowSchema } from '../facts/kinds.ts';
import type {
  FlowcontrolV1Subject as Subject,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
} from '../facts/types.ts';
import { same } from '../same.ts';
import { mandatoryFlowSchemas } from './mandatory.ts';

const highestPrecedence = 10_000;
const methods = ['ByNamespace', 'ByUser'];
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];
const subjectKinds = ['Group', 'ServiceAccount', 'User'];
const everyone = '*';

const subjectField: Record<string, 'user' | 'group' | 'serviceAccount'> = {
  ServiceAccount: 'serviceAccount',
  User: 'user',
  Group: 'group',
};

function checkSubject(errors: Errors, path: string, subject: Partial<Subject>): void {
  const { kind = '', serviceAccount } = subject;
  const wanted = subjectField[kind];
  if (!wanted) {
    errors.push(unsupported(`${path}.kind`, kind, subjectKinds));
    return;
  }
  const given = subject[wanted] as { name?: string } | undefined;
  if (!given) errors.push(required(`${path}.${wanted}`, `${wanted} is required when subject kind is '${kind}'`));
  else if (wanted === 'serviceAccount' && serviceAccount) {
    const { name, namespace } = serviceAccount;
    if (name !== everyone) checkName(errors, `${path}.serviceAccount.name`, name, validateServiceAccountName);
    if (namespace) invalidFor(errors, `${path}.serviceAccount.namespace`, namespace, validateNamespaceName(namespace, false));
    else errors.push(required(`${path}.serviceAccount.namespace`, 'must specify namespace for service account'));
  } else requireText(errors, `${path}.${wanted}.name`, given.name);
  for (const other of ['serviceAccount', 'user', 'group'] as const) {
    const itsKind = Object.keys(subjectField).find((each) => subjectField[each] === other)!;
    if (other !== wanted && subject[other])
      errors.push(forbiddenField(`${path}.${other}`, `${other} is forbidden when subject kind is not '${itsKind}'`));
  }
}

function checkVerbs(errors: Errors, path: string, list: readonly string[]): void {
  if (list.length === 0) errors.push(required(path, 'verbs must contain at least one value'));
  else if (list.includes('*')) {
    if (list.length > 1) errors.push(invalidField(path, list, "if '*' is present, must not specify other verbs"));
  } else if (!list.every((verb) => verbs.includes(verb))) errors.push(unsupported(path, list as unknown as string, verbs));
}

/** What is wrong with the path of a URL, if anything. upstream: ValidateNonResourceURLPath. */
export function urlPathError(url: string): string | undefined {
  if (url === '') return 'must not be empty';
  if (url === '/') return undefined;
  if (!url.startsWith('/')) return 'must start with slash';
  if (url.includes(' ')) return 'must not contain white-space';
  if (url.includes('//')) return 'must not contain double slash';
  const wildcards = url.split('*').length - 1;
  return wildcards > 1 || (wildcards === 1 && !url.endsWith('/*')) ? 'wildcard can only do suffix matching' : undefined;
}

function checkNonResourceRule(errors: Errors, path: string, rule: Partial<NonResourcePolicyRule>): void {
  checkVerbs(errors, `${path}.verbs`, rule.verbs ?? []);
  const at = `${path}.nonResourceURLs`;
  const urls = rule.nonResourceURLs ?? [];
  if (urls.length === 0) errors.push(required(at, 'nonResourceURLs must contain at least one value'));
  else if (urls.includes('*')) {
    if (urls.length > 1) errors.push(invalidField(at, urls, "if '*' is present, must not specify other non-resource URLs"));
  } else
    for (const [index, url] of urls.entries()) {
      const problem = urlPathError(url);
      if (problem) errors.push(invalidField(`${at}[${index}]`, url, problem));
    }
}

function checkResourceRule(errors: Errors, path: string, rule: Partial<ResourcePolicyRule>): void {
  const { apiGroups = [], resources = [], namespaces = [], clusterScope } = rule;
  checkVerbs(errors, `${path}.verbs`, rule.verbs ?? []);
  if (apiGroups.length === 0) errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  else if (apiGroups.length > 1 && apiGroups.includes('*'))
    errors.push(invalidField(`${path}.apiGroups`, apiGroups, "if '*' is present, must not specify other api groups"));
  if (resources.length === 0) errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
  else if (resources.length > 1 && resources.includes('*'))
    errors.push(invalidField(`${path}.resources`, resources, "if '*' is present, must not specify other resources"));
  const at = `${path}.namespaces`;
  if (namespaces.length === 0 && !clusterScope)
    errors.push(required(at, 'resource rules that are not cluster scoped must supply at least one namespace'));
  else if (namespaces.includes('*')) {
    if (namespaces.length > 1) errors.push(invalidField(at, namespaces, "if '*' is present, must not specify other namespaces"));
  } else
    for (const [index, namespace] of namespaces.entries())
      for (const message of validateNamespaceName(namespace, false))
        errors.push(invalidField(`${at}[${index}]`, namespace, `each member of this list must be '*' or a DNS-1123 label; ${message}`));
}

function checkRules(errors: Errors, path: string, rule: Partial<PolicyRulesWithSubjects>): void {
  const { subjects = [], resourceRules = [], nonResourceRules = [] } = rule;
  for (const [index, subject] of subjects.entries()) checkSubject(errors, `${path}.subjects[${index}]`, subject);
  if (subjects.length === 0) errors.push(required(`${path}.subjects`, 'subjects must contain at least one value'));
  if (resourceRules.length === 0 && nonResourceRules.length === 0)
    errors.push(required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
  for (const [index, each] of resourceRules.entries()) checkResourceRule(errors, `${path}.resourceRules[${index}]`, each);
  for (const [index, each] of nonResourceRules.entries()) checkNonResourceRule(errors, `${path}.nonResourceRules[${index}]`, each);
}

export function validateFlowSchema(schema: FlowSchema): Errors {
  const errors: Errors = [];
  const name = schema.metadata?.name ?? '';
  const { spec } = schema;
  const { matchingPrecedence: precedence = 0, distinguisherMethod: method, priorityLevelConfiguration: level, rules = [] } = spec ?? {};
  const at = 'spec.matchingPrecedence';
  if (precedence <= 0) errors.push(invalidField(at, precedence, 'must be a positive value'));
  if (precedence > highestPrecedence) errors.push(invalidField(at, precedence, `must not be greater than ${highestPrecedence}`));
  if (precedence === 1 && name !== 'exempt')
    errors.push(invalidField(at, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"));
  if (method && !methods.includes(method.type))
    errors.push(unsupported('spec.distinguisherMethod.type', method as unknown as string, methods));
  if (level?.name) invalidFor(errors, 'spec.priorityLevelConfiguration.name', level.name, nameIsDNSSubdomain(level.name, false));
  else errors.push(required('spec.priorityLevelConfiguration.name', 'must reference a priority level'));
  for (const [index, rule] of rules.entries()) checkRules(errors, `spec.rules[${index}]`, rule);
  const mandatory = mandatoryFlowSchemas.get(name);
  if (mandatory && !same(spec, mandatory)) errors.push(invalidField('spec', spec, `spec of '${name}' must equal the fixed value`));
  return [...errors, ...validateConditionTypes(schema)];
}

/** The status of flow schemas and of priority levels. */
export function validateConditionTypes({ status }: { status?: { conditions?: readonly { type?: string }[] } }): Errors {
  const errors: Errors = [];
  const types = new Set<string>();
  for (const [index, { type = '' }] of (status?.conditions ?? []).entries()) {
    const path = `status.conditions[${index}].type`;
    if (types.has(type)) errors.push(duplicate(path, type));
    types.add(type);
    requireText(errors, path, type);
  }
  return errors;
}
