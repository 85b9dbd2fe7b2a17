import { Namespace } from '#api';
import type { Kind } from '#api';
import { resources } from '#api/facts';
import { kindOf } from '../../registry/served.ts';
import type { KubeObject } from '#machinery/meta';
import type { LabelSelectorMatcher } from '#machinery/selectors';
import type { RuleWithOperations } from '../../../api/facts/types.ts';
import type { AdmissionAttributes, ServerDependencies } from '../../contract.ts';

/** What a rule looks at: the request's resource, or one that stands for it. */
export type RuleSubject = Pick<AdmissionAttributes, 'operation' | 'subresource' | 'namespace'> & { kind: Kind };

const includes = (items: readonly string[] | undefined, wanted: string): boolean =>
  items !== undefined && (items.includes('*') || items.includes(wanted));

const isNamespace = ({ group, resource }: Kind): boolean => group === '' && resource === 'namespaces';

function inScope(scope: string | undefined, { kind, namespace }: RuleSubject): boolean {
  switch (scope ?? '*') {
    case '*':
      return true;
    case 'Namespaced':
      return !isNamespace(kind) && namespace !== '';
    case 'Cluster':
      return isNamespace(kind) || namespace === '';
    default:
      return false;
  }
}

/** upstream: webhook/predicates/rules. */
export function matchesRule(rule: RuleWithOperations, subject: RuleSubject): boolean {
  const { kind, operation, subresource } = subject;
  return (
    includes(rule.operations, operation) &&
    includes(rule.apiGroups, kind.group) &&
    includes(rule.apiVersions, kind.version) &&
    inScope(rule.scope, subject) &&
    (rule.resources ?? []).some((pattern) => {
      const [resource, sub = ''] = pattern.split('/');
      return (resource === '*' || resource === kind.resource) && (sub === '*' || sub === subresource);
    })
  );
}

/** Built-in resources that are one in several groups or versions: stored the same. */
const twins: readonly (readonly [group: string, version: string, resource: string])[][] = [
  [
    ['autoscaling', 'v2', 'horizontalpodautoscalers'],
    ['autoscaling', 'v1', 'horizontalpodautoscalers'],
  ],
  [
    ['', 'v1', 'events'],
    ['events.k8s.io', 'v1', 'events'],
  ],
];

/** Other kinds under which the request's objects are served. */
export function equivalents({ kind, served }: Pick<AdmissionAttributes, 'kind' | 'served'>): readonly Kind[] {
  // A subresource of another kind (Scale) has none.
  if (served?.equivalents) return served.kind.kind === kind.kind ? served.equivalents.kinds : [];
  const family = twins.find((members) =>
    members.some(([group, version, resource]) => group === kind.group && version === kind.version && resource === kind.resource),
  );
  return (family ?? []).flatMap(([group, version, resource]) => {
    const fact = resources.find(
      (candidate) => candidate.group === group && candidate.version === version && candidate.resource === resource,
    );
    return fact && (group !== kind.group || version !== kind.version) ? [kindOf(fact)] : [];
  });
}

/** The configuration of admission itself is never held up by what it configures. upstream: IsExemptAdmissionConfigurationResource. */
export const isExempt = ({ group, kind }: Kind): boolean =>
  group === 'admissionregistration.k8s.io' &&
  /^(Mutating|Validating)(WebhookConfiguration|AdmissionPolicy|AdmissionPolicyBinding)$/.test(kind);

const labelsOf = (object: KubeObject | undefined): Record<string, string> | undefined =>
  object && 'metadata' in object ? (object.metadata?.labels ?? {}) : undefined;

/** upstream: webhook/predicates/object. */
export function matchesObject(selector: LabelSelectorMatcher, { object, oldObject }: AdmissionAttributes): boolean {
  if (selector.empty) return true;
  return [object, oldObject].some((candidate) => {
    const labels = labelsOf(candidate);
    return labels !== undefined && selector.matches(labels);
  });
}

/** Throws NotFound where the namespace does not exist. upstream: webhook/predicates/namespace. */
export async function matchesNamespace(
  selector: LabelSelectorMatcher,
  attributes: AdmissionAttributes,
  { client, informers }: Pick<ServerDependencies, 'client' | 'informers'>,
): Promise<boolean> {
  const { namespace, kind, subresource, operation, object, name } = attributes;
  if ((namespace === '' && !isNamespace(kind)) || selector.empty) return true;
  if (isNamespace(kind) && subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'))
    return selector.matches(object?.metadata?.labels ?? {});
  const wanted = namespace || name;
  const found = informers.for(Namespace).get(wanted) ?? (await client.get(Namespace, { name: wanted }));
  return selector.matches(found.metadata?.labels ?? {});
}
