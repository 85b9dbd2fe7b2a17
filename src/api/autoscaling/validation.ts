/** upstream: pkg/apis/autoscaling/validation. */
import { nameIsPathSegment } from '#machinery/names';
import { isQuantity, parseQuantity } from '#machinery/quantity';
import { checkLabel, checkName, checkNonnegative, checkPositive, forbiddenField, invalidField, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkContainerResourceName, checkNonnegativeAmount } from '../core/validation/resources.ts';
import type { HorizontalPodAutoscaler } from '../facts/kinds.ts';
import type {
  ContainerResourceMetricSource,
  CrossVersionObjectReference,
  ExternalMetricSource,
  HPAScalingRules,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
  ObjectMetricSource,
  PodsMetricSource,
  ResourceMetricSource,
} from '../facts/types.ts';

const longestPeriod = 1800;
const longestWindow = 3600;
const selectPolicies = ['Disabled', 'Max', 'Min'];
const sourceTypes = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];

interface ReferenceChecks {
  /** Kinds of the core group may be meant. */
  emptyGroup: boolean;
  /** The stored reference may stay as it is. */
  anyVersion: boolean;
}

/** What is wrong with the apiVersion, if anything. */
function versionError(
  { apiVersion = '' }: Partial<CrossVersionObjectReference>,
  { emptyGroup, anyVersion }: ReferenceChecks,
): string | undefined {
  if (anyVersion) return undefined;
  const parts = apiVersion === '/' ? [''] : apiVersion.split('/');
  if (parts.length > 2) return `unexpected GroupVersion string: ${apiVersion}`;
  return emptyGroup || (parts.length === 2 && parts[0]) ? undefined : 'apiVersion must specify API group';
}

function checkReference(errors: Errors, path: string, reference: Partial<CrossVersionObjectReference>, checks: ReferenceChecks): void {
  checkName(errors, `${path}.kind`, reference.kind, nameIsPathSegment);
  checkName(errors, `${path}.name`, reference.name, nameIsPathSegment);
  const problem = versionError(reference, checks);
  if (problem) errors.push(invalidField(`${path}.apiVersion`, reference.apiVersion ?? '', problem));
}

function checkIdentifier(errors: Errors, path: string, metric: Partial<MetricIdentifier>): void {
  if (!metric.name) errors.push(required(`${path}.name`, 'must specify a metric name'));
  else checkName(errors, `${path}.name`, metric.name, nameIsPathSegment);
}

function checkTarget(errors: Errors, path: string, target: Partial<MetricTarget>): void {
  const { type = '', averageUtilization } = target;
  if (!type) errors.push(required(`${path}.type`, 'must specify a metric target type'));
  if (type !== 'Utilization' && type !== 'Value' && type !== 'AverageValue')
    errors.push(invalidField(`${path}.type`, type, 'must be either Utilization, Value, or AverageValue'));
  for (const field of ['value', 'averageValue'] as const) {
    const amount = target[field];
    if (amount !== undefined && isQuantity(amount) && parseQuantity(amount).sign() !== 1)
      errors.push(invalidField(`${path}.${field}`, amount, 'must be positive'));
  }
  if (averageUtilization !== undefined && averageUtilization < 1)
    errors.push(invalidField(`${path}.averageUtilization`, averageUtilization, 'must be greater than 0'));
}

function checkObject(errors: Errors, path: string, source: Partial<ObjectMetricSource>, checks: ReferenceChecks): void {
  const target: Partial<MetricTarget> = source.target ?? {};
  checkReference(errors, `${path}.describedObject`, source.describedObject ?? {}, checks);
  checkIdentifier(errors, `${path}.metric`, source.metric ?? {});
  checkTarget(errors, `${path}.target`, target);
  if (target.value === undefined && target.averageValue === undefined)
    errors.push(required(`${path}.target.averageValue`, 'must set either a target value or averageValue'));
}

function checkExternal(errors: Errors, path: string, source: Partial<ExternalMetricSource>): void {
  const target: Partial<MetricTarget> = source.target ?? {};
  checkIdentifier(errors, `${path}.metric`, source.metric ?? {});
  checkTarget(errors, `${path}.target`, target);
  if (target.value === undefined && target.averageValue === undefined)
    errors.push(required(`${path}.target.averageValue`, 'must set either a target value for metric or a per-pod target'));
  if (target.value !== undefined && target.averageValue !== undefined)
    errors.push(forbiddenField(`${path}.target.value`, 'may not set both a target value for metric and a per-pod target'));
}

function checkPods(errors: Errors, path: string, source: Partial<PodsMetricSource>): void {
  const target: Partial<MetricTarget> = source.target ?? {};
  checkIdentifier(errors, `${path}.metric`, source.metric ?? {});
  checkTarget(errors, `${path}.target`, target);
  if (target.averageValue === undefined)
    errors.push(required(`${path}.target.averageValue`, 'must specify a positive target averageValue'));
}

function checkResourceTarget(errors: Errors, path: string, target: Partial<MetricTarget> = {}): void {
  checkTarget(errors, path, target);
  if (target.averageUtilization === undefined && target.averageValue === undefined)
    errors.push(required(`${path}.averageUtilization`, 'must set either a target raw value or a target utilization'));
  if (target.averageUtilization !== undefined && target.averageValue !== undefined)
    errors.push(forbiddenField(`${path}.averageValue`, 'may not set both a target raw value and a target utilization'));
}

function checkResource(errors: Errors, path: string, source: Partial<ResourceMetricSource>): void {
  if (!source.name) errors.push(required(`${path}.name`, 'must specify a resource name'));
  checkResourceTarget(errors, `${path}.target`, source.target);
}

function checkContainerResource(errors: Errors, path: string, source: Partial<ContainerResourceMetricSource>): void {
  if (!source.name) errors.push(required(`${path}.name`, 'must specify a resource name'));
  else checkContainerResourceName(errors, `${path}.name`, source.name);
  if (!source.container) errors.push(required(`${path}.container`, 'must specify a container'));
  else checkLabel(errors, `${path}.container`, source.container);
  checkResourceTarget(errors, `${path}.target`, source.target);
}

/** In upstream's order: of several sources only the first is looked into. */
const sources = ['object', 'external', 'pods', 'resource', 'containerResource'] as const;
const fieldOfType: Record<string, (typeof sources)[number]> = {
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
  External: 'external',
  ContainerResource: 'containerResource',
};

function checkMetric(errors: Errors, path: string, metric: MetricSpec, checks: ReferenceChecks): void {
  const type: string = metric.type ?? '';
  if (!type) errors.push(required(`${path}.type`, 'must specify a metric source type'));
  if (!sourceTypes.includes(type)) errors.push(unsupported(`${path}.type`, type, sourceTypes));
  const present = sources.filter((source) => metric[source] != null);
  const [first] = present;
  if (first === 'object') checkObject(errors, `${path}.object`, metric.object!, checks);
  else if (first === 'external') checkExternal(errors, `${path}.external`, metric.external!);
  else if (first === 'pods') checkPods(errors, `${path}.pods`, metric.pods!);
  else if (first === 'resource') checkResource(errors, `${path}.resource`, metric.resource!);
  else if (first === 'containerResource') checkContainerResource(errors, `${path}.containerResource`, metric.containerResource!);
  const expected = fieldOfType[type];
  if (!expected) errors.push(unsupported(`${path}.type`, type, sourceTypes));
  else if (metric[expected] == null) errors.push(required(`${path}.${expected}`, 'must populate information for the given metric source'));
  if (present.length === 1) return;
  for (const source of present)
    if (source !== expected) errors.push(forbiddenField(`${path}.${source}`, 'must populate the given metric source only'));
}

function checkRules(errors: Errors, path: string, rules: HPAScalingRules | undefined): void {
  if (!rules) return;
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [], tolerance } = rules;
  if (window !== undefined && window < 0)
    errors.push(invalidField(`${path}.stabilizationWindowSeconds`, window, 'must be greater than or equal to zero'));
  if (window !== undefined && window > longestWindow)
    errors.push(invalidField(`${path}.stabilizationWindowSeconds`, window, `must be less than or equal to ${longestWindow}`));
  if (selectPolicy !== undefined && !selectPolicies.includes(selectPolicy))
    errors.push(unsupported(`${path}.selectPolicy`, selectPolicy, selectPolicies));
  if (policies.length === 0) errors.push(required(`${path}.policies`, 'must specify at least one Policy'));
  for (const [index, policy] of policies.entries()) {
    const at = `${path}.policies[${index}]`;
    if (policy.type !== 'Pods' && policy.type !== 'Percent') errors.push(unsupported(`${at}.type`, policy.type, ['Percent', 'Pods']));
    checkPositive(errors, `${at}.value`, policy.value ?? 0);
    checkPositive(errors, `${at}.periodSeconds`, policy.periodSeconds ?? 0);
    if (policy.periodSeconds > longestPeriod)
      errors.push(invalidField(`${at}.periodSeconds`, policy.periodSeconds, `must be less than or equal to ${longestPeriod}`));
  }
  if (tolerance !== undefined) checkNonnegativeAmount(errors, `${path}.tolerance`, tolerance);
}

type Scaled = Pick<NonNullable<HorizontalPodAutoscaler['spec']>, 'minReplicas' | 'maxReplicas' | 'scaleTargetRef'>;

function checkScaled(errors: Errors, spec: Partial<Scaled>, old: Partial<Scaled> | undefined): void {
  const { minReplicas, maxReplicas = 0, scaleTargetRef: target = {} as Partial<CrossVersionObjectReference> } = spec;
  const lowest = old?.minReplicas === 0 ? 0 : 1;
  if (minReplicas !== undefined && minReplicas < lowest)
    errors.push(invalidField('spec.minReplicas', minReplicas, `must be greater than or equal to ${lowest}`));
  if (maxReplicas < 1) errors.push(invalidField('spec.maxReplicas', maxReplicas, 'must be greater than 0'));
  if (minReplicas !== undefined && maxReplicas < minReplicas)
    errors.push(invalidField('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'));
  const before = old?.scaleTargetRef;
  checkReference(errors, 'spec.scaleTargetRef', target, {
    anyVersion: before !== undefined && before.apiVersion === target.apiVersion && before.kind === target.kind,
    emptyGroup: target.kind === 'ReplicationController',
  });
}

/** What tells from nothing when to begin comes from elsewhere. */
function checkZero(errors: Errors, minReplicas: number | undefined, metrics: readonly MetricSpec[]): void {
  if (minReplicas === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External'))
    errors.push(forbiddenField('spec.metrics', 'must specify at least one Object or External metric to support scaling to zero replicas'));
}

export function validateAutoscaler({ spec }: HorizontalPodAutoscaler, old?: HorizontalPodAutoscaler): Errors {
  const errors: Errors = [];
  checkScaled(errors, spec ?? {}, old?.spec);
  const checks: ReferenceChecks = { emptyGroup: true, anyVersion: false };
  checks.anyVersion = (old?.spec?.metrics ?? []).some(
    ({ type, object }) => type === 'Object' && object && versionError(object.describedObject ?? {}, checks) !== undefined,
  );
  const metrics = spec?.metrics ?? [];
  for (const [index, metric] of metrics.entries()) checkMetric(errors, `spec.metrics[${index}]`, metric, checks);
  checkZero(errors, spec?.minReplicas, metrics);
  checkRules(errors, 'spec.behavior.scaleUp', spec?.behavior?.scaleUp);
  checkRules(errors, 'spec.behavior.scaleDown', spec?.behavior?.scaleDown);
  return errors;
}

export function validateAutoscalerStatus({ status }: HorizontalPodAutoscaler): Errors {
  const errors: Errors = [];
  checkNonnegative(errors, 'status.currentReplicas', status?.currentReplicas);
  checkNonnegative(errors, 'status.desiredReplicas', status?.desiredReplicas);
  return errors;
}
