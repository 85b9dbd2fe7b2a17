/**
 * What autoscaling/v1 has no fields for stands in its annotations, in forms of its own: v1's metrics and conditions, and behavior under
 * the names that Go's fields have. upstream: pkg/apis/autoscaling/v1/conversion.go, k8s.io/api/autoscaling/v1/types.go.
 */
import type {
  CrossVersionObjectReference,
  HPAScalingRules,
  HorizontalPodAutoscalerBehavior,
  HorizontalPodAutoscalerCondition,
  LabelSelector,
  MetricIdentifier,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
} from '../facts/types.ts';
import { int32, list, optional, quantity, readJson, struct, text, textMap, time, writeJson } from './annotation-json.ts';
import type { Form } from './annotation-json.ts';

type FormOf<F> = F extends Form<infer T> ? T : never;

const prefix = 'autoscaling.alpha.kubernetes.io/';
export const annotation = {
  metrics: `${prefix}metrics`,
  currentMetrics: `${prefix}current-metrics`,
  conditions: `${prefix}conditions`,
  behavior: `${prefix}behavior`,
  /** No version that is served writes these two, and none keeps them. */
  scaleUpTolerance: `${prefix}scale-up-tolerance`,
  scaleDownTolerance: `${prefix}scale-down-tolerance`,
} as const;

/** Without what is undefined: Go's omitempty of pointers. */
const present = <T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;

// ---- forms ----

const reference = struct<{ kind: string; name: string; apiVersion: string }>({ kind: text, name: text, apiVersion: text });
const selector = struct<{
  matchLabels: Record<string, string> | undefined;
  matchExpressions: { key: string; operator: string; values: string[] | undefined }[] | undefined;
}>({ matchLabels: textMap, matchExpressions: list(struct({ key: text, operator: text, values: list(text) })) });

/** What a metric and its status have in common. */
const ofObject = { target: reference, metricName: text, selector: optional(selector), averageValue: optional(quantity) };
const ofPods = { metricName: text, selector: optional(selector) };
const ofExternal = { metricName: text, metricSelector: optional(selector) };

const resourceSource = { name: text, targetAverageUtilization: optional(int32), targetAverageValue: optional(quantity) };
const metricForm = struct({
  type: text,
  object: optional(struct({ ...ofObject, targetValue: quantity })),
  pods: optional(struct({ ...ofPods, targetAverageValue: quantity })),
  resource: optional(struct(resourceSource)),
  containerResource: optional(struct({ ...resourceSource, container: text })),
  external: optional(struct({ ...ofExternal, targetValue: optional(quantity), targetAverageValue: optional(quantity) })),
});

const resourceStatus = { name: text, currentAverageUtilization: optional(int32), currentAverageValue: quantity };
const metricStatusForm = struct({
  type: text,
  object: optional(struct({ ...ofObject, currentValue: quantity })),
  pods: optional(struct({ ...ofPods, currentAverageValue: quantity })),
  resource: optional(struct(resourceStatus)),
  containerResource: optional(struct({ ...resourceStatus, container: text })),
  external: optional(struct({ ...ofExternal, currentValue: quantity, currentAverageValue: optional(quantity) })),
});

const conditionForm = struct({ type: text, status: text, lastTransitionTime: time, reason: text, message: text });

const rulesForm = struct({
  StabilizationWindowSeconds: optional(int32),
  SelectPolicy: optional(text),
  Policies: list(struct({ Type: text, Value: int32, PeriodSeconds: int32 })),
  Tolerance: optional(quantity),
});
const behaviorForm = struct({ ScaleUp: optional(rulesForm), ScaleDown: optional(rulesForm) });

type Metric = FormOf<typeof metricForm>;
type MetricState = FormOf<typeof metricStatusForm>;
type Reference = FormOf<typeof reference>;
type Selector = FormOf<typeof selector>;
type Rules = FormOf<typeof rulesForm>;

// ---- what both directions share ----

const writtenReference = ({ kind, name, apiVersion }: CrossVersionObjectReference) => ({ kind, name, ...(apiVersion && { apiVersion }) });
const readReference = ({ kind, name, apiVersion }: Reference): CrossVersionObjectReference => ({
  kind,
  name,
  ...(apiVersion && { apiVersion }),
});

function writtenSelector(given: LabelSelector | undefined) {
  if (!given) return undefined;
  const labels = Object.entries(given.matchLabels ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const expressions = (given.matchExpressions ?? []).map(({ key, operator, values }) => ({
    key,
    operator,
    ...(values?.length && { values }),
  }));
  return {
    ...(labels.length > 0 && { matchLabels: Object.fromEntries(labels) }),
    ...(expressions.length > 0 && { matchExpressions: expressions }),
  };
}

const identifier = (name: string, given: Selector | undefined): MetricIdentifier => {
  const found = writtenSelector(given as LabelSelector | undefined);
  return { name, ...(found && { selector: found }) };
};

const target = (type: string, fields: Omit<{ [K in keyof MetricTarget]: MetricTarget[K] | undefined }, 'type'>): MetricTarget =>
  present<MetricTarget>({ type, ...fields });
const reading = (fields: { [K in keyof MetricValueStatus]: MetricValueStatus[K] | undefined }): MetricValueStatus =>
  present<MetricValueStatus>(fields);

// ---- metrics ----

function writtenMetric({ type, object, pods, resource, containerResource: container, external }: MetricSpec) {
  return present({
    type,
    object:
      object &&
      present({
        target: writtenReference(object.describedObject),
        metricName: object.metric.name,
        targetValue: object.target.value ?? '0',
        selector: writtenSelector(object.metric.selector),
        averageValue: object.target.averageValue,
      }),
    pods:
      pods &&
      present({
        metricName: pods.metric.name,
        targetAverageValue: pods.target.averageValue ?? '0',
        selector: writtenSelector(pods.metric.selector),
      }),
    resource: resource && writtenResource(resource),
    containerResource: container && { ...writtenResource(container), container: container.container },
    external:
      external &&
      present({
        metricName: external.metric.name,
        metricSelector: writtenSelector(external.metric.selector),
        targetValue: external.target.value,
        targetAverageValue: external.target.averageValue,
      }),
  });
}

const writtenResource = (source: { name: string; target: MetricTarget }) =>
  present({
    name: source.name,
    targetAverageUtilization: source.target.averageUtilization,
    targetAverageValue: source.target.averageValue,
  });

/** The type of a target is not written: it is told by which of its values there are. */
function readMetric({ type, object, pods, resource, containerResource: container, external }: Metric): MetricSpec {
  return present<MetricSpec>({
    type,
    object: object && {
      describedObject: readReference(object.target),
      metric: identifier(object.metricName, object.selector),
      target: target(object.averageValue === undefined ? 'Value' : 'AverageValue', {
        value: object.targetValue,
        averageValue: object.averageValue,
      }),
    },
    pods: pods && {
      metric: identifier(pods.metricName, pods.selector),
      target: target('AverageValue', { averageValue: pods.targetAverageValue }),
    },
    resource: resource && { name: resource.name, target: resourceTarget(resource) },
    containerResource: container && { name: container.name, container: container.container, target: resourceTarget(container) },
    external: external && {
      metric: identifier(external.metricName, external.metricSelector),
      target: target(external.targetValue === undefined ? 'AverageValue' : 'Value', {
        value: external.targetValue,
        averageValue: external.targetAverageValue,
      }),
    },
  });
}

const resourceTarget = (source: NonNullable<Metric['resource']>): MetricTarget =>
  target(source.targetAverageUtilization === undefined ? 'AverageValue' : 'Utilization', {
    averageValue: source.targetAverageValue,
    averageUtilization: source.targetAverageUtilization,
  });

// ---- their status ----

function writtenMetricStatus({ type, object, pods, resource, containerResource: container, external }: MetricStatus) {
  return present({
    type,
    object:
      object &&
      present({
        target: writtenReference(object.describedObject),
        metricName: object.metric.name,
        currentValue: object.current.value ?? '0',
        selector: writtenSelector(object.metric.selector),
        averageValue: object.current.averageValue,
      }),
    pods:
      pods &&
      present({
        metricName: pods.metric.name,
        currentAverageValue: pods.current.averageValue ?? '0',
        selector: writtenSelector(pods.metric.selector),
      }),
    resource: resource && writtenResourceStatus(resource),
    containerResource: container && { ...writtenResourceStatus(container), container: container.container },
    external:
      external &&
      present({
        metricName: external.metric.name,
        metricSelector: writtenSelector(external.metric.selector),
        currentValue: external.current.value ?? '0',
        currentAverageValue: external.current.averageValue,
      }),
  });
}

const writtenResourceStatus = (source: { name: string; current: MetricValueStatus }) =>
  present({
    name: source.name,
    currentAverageUtilization: source.current.averageUtilization,
    currentAverageValue: source.current.averageValue ?? '0',
  });

function readMetricStatus({ type, object, pods, resource, containerResource: container, external }: MetricState): MetricStatus {
  return present<MetricStatus>({
    type,
    object: object && {
      describedObject: readReference(object.target),
      metric: identifier(object.metricName, object.selector),
      current: reading({ value: object.currentValue, averageValue: object.averageValue }),
    },
    pods: pods && {
      metric: identifier(pods.metricName, pods.selector),
      current: reading({ averageValue: pods.currentAverageValue }),
    },
    resource: resource && { name: resource.name, current: resourceReading(resource) },
    containerResource: container && { name: container.name, container: container.container, current: resourceReading(container) },
    external: external && {
      metric: identifier(external.metricName, external.metricSelector),
      current: reading({ value: external.currentValue, averageValue: external.currentAverageValue }),
    },
  });
}

const resourceReading = (source: NonNullable<MetricState['resource']>): MetricValueStatus =>
  reading({ averageValue: source.currentAverageValue, averageUtilization: source.currentAverageUtilization });

// ---- behavior ----

const writtenRules = (rules: HPAScalingRules | undefined) =>
  rules
    ? {
        StabilizationWindowSeconds: rules.stabilizationWindowSeconds ?? null,
        SelectPolicy: rules.selectPolicy ?? null,
        Policies:
          rules.policies?.map(({ type, value, periodSeconds }) => ({ Type: type, Value: value, PeriodSeconds: periodSeconds })) ?? null,
        Tolerance: rules.tolerance ?? null,
      }
    : null;

const readRules = (rules: Rules): HPAScalingRules =>
  present<HPAScalingRules>({
    stabilizationWindowSeconds: rules.StabilizationWindowSeconds,
    selectPolicy: rules.SelectPolicy,
    policies: rules.Policies?.map(({ Type, Value, PeriodSeconds }) => ({ type: Type, value: Value, periodSeconds: PeriodSeconds })),
    tolerance: rules.Tolerance,
  });

// ---- the annotations ----

export const writeMetrics = (metrics: readonly MetricSpec[]): string => writeJson(metrics.map(writtenMetric));
export const writeMetricStatuses = (metrics: readonly MetricStatus[]): string => writeJson(metrics.map(writtenMetricStatus));

export const writeConditions = (conditions: readonly HorizontalPodAutoscalerCondition[]): string =>
  writeJson(
    conditions.map(({ type, status, lastTransitionTime, reason, message }) => ({
      type,
      status,
      lastTransitionTime: lastTransitionTime ?? null,
      ...(reason && { reason }),
      ...(message && { message }),
    })),
  );

export const writeBehavior = ({ scaleUp, scaleDown }: HorizontalPodAutoscalerBehavior): string =>
  writeJson({ ScaleUp: writtenRules(scaleUp), ScaleDown: writtenRules(scaleDown) });

/** The four below: undefined where there is no annotation, or none that can be read. */
const reader =
  <T, R>(form: Form<T>, convert: (read: T) => R) =>
  (json: string | undefined): R | undefined => {
    const read = json === undefined ? undefined : readJson(form, json);
    return read === undefined ? undefined : convert(read);
  };

const listReader = <T, R>(form: Form<T>, convert: (read: T) => R) =>
  reader(listOrNull(form), (items) => items.map((item) => convert(item)));

/** A list of which null is an empty one. */
const listOrNull = <T>(form: Form<T>): Form<T[]> => ({ read: (value) => list(form).read(value) ?? [], zero: () => [] });

export const readMetrics = listReader(metricForm, readMetric);
export const readMetricStatuses = listReader(metricStatusForm, readMetricStatus);

export const readConditions = listReader(
  conditionForm,
  ({ type, status, lastTransitionTime, reason, message }): HorizontalPodAutoscalerCondition => ({
    type,
    status,
    // As Go writes a time that nobody has set.
    lastTransitionTime: lastTransitionTime ?? (null as unknown as string),
    ...(reason && { reason }),
    ...(message && { message }),
  }),
);

/** One that says nothing is none. */
export const readBehavior = reader(behaviorForm, ({ ScaleUp: up, ScaleDown: down }): HorizontalPodAutoscalerBehavior | undefined =>
  up || down ? { ...(up && { scaleUp: readRules(up) }), ...(down && { scaleDown: readRules(down) }) } : undefined,
);
