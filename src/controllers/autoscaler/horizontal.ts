import type { HorizontalPodAutoscaler, Kind, Pod } from '#api';
import { APIService, CustomResourceDefinition, HorizontalPodAutoscaler as AutoscalerKind, Pod as PodKind } from '#api';
import { retryOnConflict } from '#client';
import { timestamp } from '#machinery/clock';
import { equal } from '#machinery/meta';
import { milliQuantity, milliValue } from '#machinery/quantity';
import { parseLabelSelector } from '#machinery/selectors';
import { isNotFound } from '#machinery/status';
import type { Condition } from '../api-types.ts';
import { conditionOf } from '../conditions.ts';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { discover } from '../discovery.ts';
import { messageOf } from '../pod-control.ts';
import type { Memory } from './behavior.ts';
import { noteChange, restrain } from './behavior.ts';
import type { Tolerance } from './calculator.ts';
import { averageValue, propose, proposeByRatio, proposeByShare, requestsOf, utilization } from './calculator.ts';
import { MetricsReader } from './metrics.ts';

type Spec = NonNullable<HorizontalPodAutoscaler['spec']>;
type Status = NonNullable<HorizontalPodAutoscaler['status']>;
type MetricSpec = NonNullable<Spec['metrics']>[number];
type MetricStatus = NonNullable<Status['currentMetrics']>[number];

interface Scale {
  metadata?: { name?: string; namespace?: string; resourceVersion?: string };
  spec?: { replicas?: number };
  status?: { replicas?: number; selector?: string };
}

interface Measured {
  replicas: number;
  name: string;
  status: MetricStatus;
}

/** Sizes are looked at so often. upstream: HorizontalPodAutoscalerSyncPeriod. */
const syncPeriod = 15_000;
const defaultTolerance = 0.1;

/** A failure to measure, with the reason that the condition gives. */
class MetricError extends Error {
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

const quantityText = (milli: number): string => milliQuantity(Math.trunc(milli)).toString();

/** Sizes workloads by what they use. upstream: pkg/controller/podautoscaler. */
export const horizontalPodAutoscalerController: ControllerFactory = () => {
  const memories = new Map<string, Memory>();
  return {
    name: 'horizontal-pod-autoscaler-controller',
    serviceAccount: 'horizontal-pod-autoscaler',
    component: 'horizontal-pod-autoscaler',
    watches: [
      source(AutoscalerKind, { when: (scaler, old) => !old || !equal(scaler.spec, old.spec) }),
      source(PodKind, { keys: () => [], when: () => false }),
    ],
    setup(context) {
      context.lister(CustomResourceDefinition);
      context.lister(APIService);
    },
    async reconcile(context, key) {
      const scaler = context.lister(AutoscalerKind).get(key);
      if (!scaler) {
        memories.delete(key);
        return;
      }
      let memory = memories.get(key);
      if (!memory) memories.set(key, (memory = { recommendations: [], changes: [] }));
      await new Autoscaling(context, scaler, memory).run();
      return { requeueAfter: syncPeriod };
    },
  };
};

class Autoscaling {
  readonly #context: ControllerContext;
  readonly #scaler: HorizontalPodAutoscaler;
  readonly #memory: Memory;
  readonly #metrics: MetricsReader;
  #conditions: Condition[];

  constructor(context: ControllerContext, scaler: HorizontalPodAutoscaler, memory: Memory) {
    this.#context = context;
    this.#scaler = scaler;
    this.#memory = memory;
    this.#metrics = new MetricsReader(context);
    this.#conditions = (scaler.status?.conditions ?? []) as Condition[];
  }

  #set(type: string, status: 'True' | 'False', reason: string, message: string): void {
    const old = conditionOf(this.#conditions, type);
    const lastTransitionTime = old?.status === status && old.lastTransitionTime ? old.lastTransitionTime : timestamp(this.#context.clock);
    const next: Condition = { type, status, lastTransitionTime, reason, message };
    this.#conditions = old ? this.#conditions.map((each) => (each === old ? next : each)) : [...this.#conditions, next];
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(this.#scaler, type, reason, message);
  }

  async #write(status: Partial<Status>): Promise<void> {
    const next: Status = {
      desiredReplicas: 0,
      ...this.#scaler.status,
      ...status,
      observedGeneration: this.#scaler.metadata!.generation ?? 0,
      conditions: this.#conditions as never,
    };
    if (equal(next, this.#scaler.status)) return;
    await this.#context.client.updateStatus(AutoscalerKind, { ...this.#scaler, status: next }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }

  async #targetKind(): Promise<Kind> {
    const { apiVersion = '', kind } = this.#scaler.spec!.scaleTargetRef;
    const group = apiVersion.includes('/') ? apiVersion.split('/')[0]! : '';
    const found = (await discover(this.#context)).resources.find((each) => each.kind.kind === kind && each.kind.group === group);
    if (!found) throw new Error(`no matches for kind "${kind}" in group "${group}"`);
    return found.kind;
  }

  async run(): Promise<void> {
    const spec = this.#scaler.spec!;
    const { namespace } = this.#scaler.metadata!;
    const ref = { namespace: namespace!, name: spec.scaleTargetRef.name };
    let kind: Kind;
    let scale: Scale;
    try {
      kind = await this.#targetKind();
      scale = (await this.#context.client.get(kind, ref, { subresource: 'scale' })) as Scale;
    } catch (error) {
      this.#event('Warning', 'FailedGetScale', messageOf(error));
      this.#set(
        'AbleToScale',
        'False',
        'FailedGetScale',
        `the HPA controller was unable to get the target's current scale: ${messageOf(error)}`,
      );
      return this.#write({});
    }
    this.#set('AbleToScale', 'True', 'SucceededGetScale', "the HPA controller was able to get the target's current scale");
    const current = scale.spec?.replicas ?? 0;
    const least = spec.minReplicas ?? 1;
    const now = this.#context.clock.now();
    if (this.#memory.recommendations.length === 0) this.#memory.recommendations.push({ at: now, value: current });
    let desired = current;
    let reason = '';
    let currentMetrics: MetricStatus[] = [];
    if (current === 0 && least !== 0)
      this.#set('ScalingActive', 'False', 'ScalingDisabled', 'scaling is disabled since the replica count of the target is zero');
    else if (current > spec.maxReplicas) {
      reason = 'Current number of replicas above Spec.MaxReplicas';
      desired = spec.maxReplicas;
    } else if (current < least) {
      reason = 'Current number of replicas below Spec.MinReplicas';
      desired = least;
    } else {
      const measured = await this.#measure(scale, current);
      if (!measured) return this.#write({ currentReplicas: current });
      ({ statuses: currentMetrics } = measured);
      desired = measured.replicas;
      reason = desired > current ? `${measured.name} above target` : 'All metrics below target';
      const decision = restrain(spec.behavior, this.#memory, { current, desired, least, most: spec.maxReplicas }, now);
      this.#set('AbleToScale', 'True', decision.ableReason, decision.ableMessage);
      this.#set('ScalingLimited', decision.limited ? 'True' : 'False', decision.reason, decision.message);
      desired = decision.replicas;
    }
    const metrics = currentMetrics.length ? { currentMetrics } : {};
    if (desired === current) return this.#write({ currentReplicas: current, desiredReplicas: desired, ...metrics });
    try {
      await this.#rescale(kind, ref, scale, desired);
    } catch (error) {
      this.#event('Warning', 'FailedRescale', `New size: ${desired}; reason: ${reason}; error: ${messageOf(error)}`);
      this.#set(
        'AbleToScale',
        'False',
        'FailedUpdateScale',
        `the HPA controller was unable to update the target scale: ${messageOf(error)}`,
      );
      return this.#write({ currentReplicas: current, ...metrics });
    }
    this.#set('AbleToScale', 'True', 'SucceededRescale', `the HPA controller was able to update the target scale to ${desired}`);
    this.#event('Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${reason}`);
    noteChange(this.#memory, now, desired - current);
    await this.#write({ currentReplicas: current, desiredReplicas: desired, lastScaleTime: timestamp(this.#context.clock), ...metrics });
  }

  async #rescale(kind: Kind, ref: { namespace: string; name: string }, scale: Scale, replicas: number): Promise<void> {
    let latest = scale;
    let first = true;
    await retryOnConflict(async () => {
      if (!first) latest = (await this.#context.client.get(kind, ref, { subresource: 'scale' })) as Scale;
      first = false;
      const next = { ...latest, metadata: { ...latest.metadata, ...ref }, spec: { ...latest.spec, replicas } };
      await this.#context.client.update(kind, next, { subresource: 'scale' });
    });
  }

  /** The largest proposal of all metrics; undefined where none could be had. A failure forbids to go down. */
  async #measure(scale: Scale, current: number): Promise<{ replicas: number; name: string; statuses: MetricStatus[] } | undefined> {
    const selectorText = scale.status?.selector ?? '';
    const { namespace } = this.#scaler.metadata!;
    if (!selectorText) {
      const message = 'selector is required';
      this.#event('Warning', 'SelectorRequired', message);
      this.#set('ScalingActive', 'False', 'InvalidSelector', "the HPA target's scale is missing a selector");
      return undefined;
    }
    const selector = parseLabelSelector(selectorText);
    const pods = this.#context
      .lister(PodKind)
      .list(namespace)
      .filter((pod) => selector.matches(pod.metadata!.labels));
    const measured: Measured[] = [];
    let failure: MetricError | undefined;
    for (const metric of this.#scaler.spec!.metrics ?? [])
      try {
        measured.push(await this.#measureOne(metric, pods, selectorText, current));
      } catch (error) {
        failure ??= error instanceof MetricError ? error : new MetricError('InvalidMetricSourceType', messageOf(error));
      }
    const best = measured.reduce<Measured | undefined>((most, each) => (!most || each.replicas > most.replicas ? each : most), undefined);
    if (failure && (!best || best.replicas < current)) {
      this.#event('Warning', failure.reason, failure.message);
      this.#set('ScalingActive', 'False', failure.reason, `the HPA was unable to compute the replica count: ${failure.message}`);
      return undefined;
    }
    if (!best) return undefined;
    this.#set('ScalingActive', 'True', 'ValidMetricFound', `the HPA was able to successfully calculate a replica count from ${best.name}`);
    return { replicas: best.replicas, name: best.name, statuses: measured.map(({ status }) => status) };
  }

  #tolerance(): Tolerance {
    const { behavior } = this.#scaler.spec!;
    const of = (value: string | number | undefined): number => (value === undefined ? defaultTolerance : milliValue(value) / 1000);
    return { up: of(behavior?.scaleUp?.tolerance), down: of(behavior?.scaleDown?.tolerance) };
  }

  async #measureOne(metric: MetricSpec, pods: readonly Pod[], selector: string, current: number): Promise<Measured> {
    const namespace = this.#scaler.metadata!.namespace!;
    const tolerance = this.#tolerance();
    const now = this.#context.clock.now();
    const common = { pods, currentReplicas: current, tolerance, now };
    const attempt = async <T>(reason: string, what: string, work: () => Promise<T>): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        throw new MetricError(reason, `${what}: ${messageOf(error)}`);
      }
    };
    switch (metric.type) {
      case 'Resource':
      case 'ContainerResource': {
        const { name, target } = (metric.resource ?? metric.containerResource)!;
        const container = metric.containerResource?.container;
        const byUtilization = target.averageUtilization !== undefined;
        const reason = container ? 'FailedGetContainerResourceMetric' : 'FailedGetResourceMetric';
        const what = `failed to get ${name} ${byUtilization ? 'utilization' : 'usage'}`;
        return attempt(reason, what, async () => {
          const metrics = await this.#metrics.resource(name, namespace, selector, container).catch((error: unknown) => {
            throw new Error(`unable to get metrics for resource ${name}: ${messageOf(error)}`);
          });
          const asked = byUtilization ? requestsOf(pods, name, container) : undefined;
          const goal = asked ? target.averageUtilization! : milliValue(target.averageValue);
          const {
            replicas,
            current: used,
            average,
          } = propose({
            ...common,
            metrics,
            isCpu: name === 'cpu',
            ratio: asked ? utilization(asked, goal) : averageValue(goal),
            assumed: (pod) => (asked ? ((asked.get(pod) ?? 0) * Math.max(100, goal)) / 100 : goal),
          });
          const value = { ...(asked && { averageUtilization: used }), averageValue: quantityText(average) };
          return {
            replicas,
            name: container
              ? `${name} container resource ${asked ? 'utilization (percentage of request)' : ''}`.trimEnd()
              : `${name} resource${asked ? ' utilization (percentage of request)' : ''}`,
            status: container
              ? { type: metric.type, containerResource: { name, container, current: value } }
              : { type: metric.type, resource: { name, current: value } },
          };
        });
      }
      case 'Pods': {
        const { metric: identifier, target } = metric.pods!;
        return attempt('FailedGetPodsMetric', 'failed to get pods metric value', async () => {
          const metrics = await this.#metrics.pods(identifier.name, namespace, selector, identifier.selector);
          const goal = milliValue(target.averageValue);
          const proposal = propose({ ...common, metrics, isCpu: false, ratio: averageValue(goal), assumed: () => goal });
          return {
            replicas: proposal.replicas,
            name: `pods metric ${identifier.name}`,
            status: { type: 'Pods', pods: { metric: identifier, current: { averageValue: quantityText(proposal.average) } } },
          };
        });
      }
      case 'Object': {
        const { metric: identifier, target, describedObject } = metric.object!;
        return attempt('FailedGetObjectMetric', 'failed to get object metric value', async () => {
          const resource =
            (await discover(this.#context)).resources.find(({ kind }) => kind.kind === describedObject.kind)?.kind.resource ?? '';
          const used = await this.#metrics.object(identifier.name, namespace, resource, describedObject.name, identifier.selector);
          const replicas =
            target.type === 'Value'
              ? proposeByRatio(pods, current, used / milliValue(target.value), tolerance)
              : proposeByShare(current, used, milliValue(target.averageValue), tolerance);
          const value =
            target.type === 'Value'
              ? { value: quantityText(used) }
              : { averageValue: quantityText(Math.ceil(used / Math.max(1, current))) };
          return {
            replicas,
            name: `${describedObject.kind} metric ${identifier.name}`,
            status: { type: 'Object', object: { metric: identifier, describedObject, current: value } },
          };
        });
      }
      case 'External': {
        const { metric: identifier, target } = metric.external!;
        return attempt('FailedGetExternalMetric', 'failed to get external metric', async () => {
          const used = await this.#metrics.external(identifier.name, namespace, identifier.selector);
          const share = target.averageValue !== undefined;
          const replicas = share
            ? proposeByShare(current, used, milliValue(target.averageValue), tolerance)
            : proposeByRatio(pods, current, used / milliValue(target.value), tolerance);
          const value = share ? { averageValue: quantityText(Math.ceil(used / Math.max(1, current))) } : { value: quantityText(used) };
          return {
            replicas,
            name: `external metric ${identifier.name}(${JSON.stringify(identifier.selector ?? {})})`,
            status: { type: 'External', external: { metric: identifier, current: value } },
          };
        });
      }
      default:
        throw new MetricError('InvalidMetricSourceType', `unknown metric source type "${metric.type}"`);
    }
  }
}
