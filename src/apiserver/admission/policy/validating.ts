import { Namespace, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '#api';
import { failure } from '#machinery/status';
import type { StatusError, StatusReason } from '#machinery/status';
import { labelSelectorFrom } from '#machinery/selectors';
import type { MatchResources, NamedRuleWithOperations } from '../../../api/facts/types.ts';
import type { AdmissionAttributes, AdmissionPlugin, AdmissionPluginFactory } from '../../contract.ts';
import { forbid } from '../attributes.ts';
import { versionedFor } from '../webhook/calls.ts';
import { equivalents, isExempt, matchesNamespace, matchesObject, matchesRule } from '../webhook/matching.ts';
import type { Versioned } from '../webhook/review.ts';
import { CompiledPolicy } from './compiled-policy.ts';
import { collectParams } from './params.ts';

/** Resources that policies must not touch: who may do what, and the policies themselves. upstream: pkg/kubeapiserver/admission/exclusion. */
const excluded = new Set([
  'authentication.k8s.io/selfsubjectreviews',
  'authentication.k8s.io/tokenreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authorization.k8s.io/subjectaccessreviews',
]);

const longestAnnotation = 10 * 1024;
const codes: Record<string, number> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413, Invalid: 422 };

interface Denied {
  policy: string;
  /** Undefined: the policy itself is wrong. */
  binding: string | undefined;
  message: string;
  reason: string;
}

function refusal(attributes: AdmissionAttributes, { policy, binding, message, reason }: Denied): StatusError {
  const text = `ValidatingAdmissionPolicy '${policy}'${binding === undefined ? '' : ` with binding '${binding}'`} denied request: ${message}`;
  const { status } = forbid(attributes, text);
  const why = reason || 'Invalid';
  const details = { ...status.details, causes: [...(status.details?.causes ?? []), { message: text }] };
  return failure(codes[why] ?? 422, why as StatusReason, status.message ?? '', details);
}

/** Policies written in CEL. upstream: apiserver/pkg/admission/plugin/policy/validating. */
export const validatingAdmissionPolicy: AdmissionPluginFactory = (dependencies): AdmissionPlugin => {
  const { client, informers, authorizer } = dependencies;
  const policies = informers.for(ValidatingAdmissionPolicy);
  const bindings = informers.for(ValidatingAdmissionPolicyBinding);
  bindings.addIndex('policy', ({ spec }) => (spec?.policyName ? [spec.policyName] : []));
  const compiled = new WeakMap<ValidatingAdmissionPolicy, CompiledPolicy>();
  const programOf = (policy: ValidatingAdmissionPolicy): CompiledPolicy => {
    let program = compiled.get(policy);
    if (!program) compiled.set(policy, (program = new CompiledPolicy(policy)));
    return program;
  };

  /** The kind under which the request matches; undefined where it does not. upstream: policy/matching. */
  const matches = async (criteria: MatchResources | undefined, attributes: AdmissionAttributes): Promise<Versioned['kind'] | undefined> => {
    const { namespaceSelector = {}, objectSelector = {}, excludeResourceRules = [], resourceRules = [], matchPolicy } = criteria ?? {};
    if (!(await matchesNamespace(labelSelectorFrom(namespaceSelector), attributes, dependencies))) return undefined;
    if (!matchesObject(labelSelectorFrom(objectSelector), attributes)) return undefined;
    const kinds = [attributes.kind, ...((matchPolicy ?? 'Equivalent') === 'Equivalent' ? equivalents(attributes) : [])];
    const under = (rules: readonly NamedRuleWithOperations[]): Versioned['kind'] | undefined =>
      kinds.find((kind) =>
        rules.some(
          (rule) =>
            matchesRule(rule, { ...attributes, kind }) && (!rule.resourceNames?.length || rule.resourceNames.includes(attributes.name)),
        ),
      );
    if (under(excludeResourceRules)) return undefined;
    return resourceRules.length === 0 ? attributes.kind : under(resourceRules);
  };

  const namespaceOf = async ({ namespace, kind }: AdmissionAttributes): Promise<Namespace | undefined> => {
    if (!namespace || (kind.group === '' && kind.kind === 'Namespace')) return undefined;
    return informers.for(Namespace).get(namespace) ?? client.get(Namespace, { name: namespace });
  };

  const applyBinding = async (
    policy: ValidatingAdmissionPolicy,
    binding: ValidatingAdmissionPolicyBinding,
    kind: Versioned['kind'],
    attributes: AdmissionAttributes,
    annotations: Map<string, Set<string>>,
  ): Promise<Denied[]> => {
    const denied: Denied[] = [];
    const names = { policy: policy.metadata?.name ?? '', binding: binding.metadata?.name ?? '' };
    const params = await collectParams(dependencies, policy.spec?.paramKind, binding.spec?.paramRef, attributes.namespace);
    if (params.length === 0) return denied;
    const versioned = await versionedFor(kind, attributes);
    const namespace = await namespaceOf(attributes);
    const actions = binding.spec?.validationActions ?? [];
    for (const param of params) {
      const outcome = programOf(policy).evaluate({ attributes, versioned, params: param, namespace, authorizer });
      for (const { index, message, reason } of outcome.denials)
        for (const action of actions) {
          if (action === 'Deny') denied.push({ ...names, message, reason });
          else if (action === 'Warn')
            attributes.warn(
              `Validation failed for ValidatingAdmissionPolicy '${names.policy}' with binding '${names.binding}': ${message}`,
            );
          else if (action === 'Audit')
            attributes.annotate(
              'validation.policy.admission.k8s.io/validation_failure',
              JSON.stringify([{ message, ...names, expressionIndex: index, validationActions: actions }]),
            );
        }
      for (const { key, value } of outcome.annotations) {
        const values = annotations.get(key) ?? new Set<string>();
        annotations.set(key, values.add(value.slice(0, longestAnnotation)));
      }
      for (const message of outcome.errors) denied.push({ ...names, message, reason: '' });
    }
    return denied;
  };

  const applyPolicy = async (policy: ValidatingAdmissionPolicy, attributes: AdmissionAttributes): Promise<Denied[]> => {
    const name = policy.metadata?.name ?? '';
    const bound = bindings.byIndex('policy', name);
    if (bound.length === 0) return [];
    const ignores = policy.spec?.failurePolicy === 'Ignore';
    const misconfigured = (what: string, binding: string | undefined, error: unknown): Denied[] => {
      if (ignores) return [];
      const why = error instanceof Error ? error.message : String(error);
      return [{ policy: name, binding, message: `failed to configure ${what}: ${why}`, reason: '' }];
    };
    let kind: Versioned['kind'] | undefined;
    try {
      kind = await matches(policy.spec?.matchConstraints, attributes);
    } catch (error) {
      return misconfigured('policy', undefined, error);
    }
    if (!kind) return [];
    const denied: Denied[] = [];
    const annotations = new Map<string, Set<string>>();
    for (const binding of bound) {
      try {
        if (await matches(binding.spec?.matchResources, attributes))
          denied.push(...(await applyBinding(policy, binding, kind, attributes, annotations)));
      } catch (error) {
        denied.push(...misconfigured('binding', binding.metadata?.name ?? '', error));
      }
    }
    for (const [key, values] of annotations) attributes.annotate(`${name}/${key}`, [...values].join(', '));
    return denied;
  };

  return {
    name: 'ValidatingAdmissionPolicy',
    handles: ({ kind }) =>
      !isExempt(kind) && !excluded.has(`${kind.group}/${kind.resource}`) && (!bindings.hasSynced || bindings.list().length > 0),
    async validate(attributes) {
      await Promise.all([policies.hasSynced ? undefined : policies.synced, bindings.hasSynced ? undefined : bindings.synced]);
      const denied: Denied[] = [];
      for (const policy of policies.list()) denied.push(...(await applyPolicy(policy, attributes)));
      if (denied.length > 0) throw refusal(attributes, denied[0]!);
    },
  };
};
