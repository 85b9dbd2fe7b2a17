/**
 * In-place resize. Three states of a container's resources: desired (the spec), allocated (what the node granted), actuated (what the
 * running container got). The node works with the allocated ones; a resize is granted as a whole, later, or never.
 * After a restart they are read from the pod's status, which shows what was granted and given.
 * upstream: pkg/kubelet/allocation/allocation_manager.go, pkg/kubelet/kuberuntime computePodResizeAction, doPodResizeAction.
 */
import type { Container, Pod, PodCondition, ResourceRequirements } from '#api';
import type { EventRecorder } from '#client';
import type { Clock } from '#machinery/clock';
import { timestamp } from '#machinery/clock';
import { draft, equal } from '#machinery/meta';
import { compareQuantities, milliValue, value } from '#machinery/quantity';
import { podRequests } from '../pod-resources.ts';
import type { RuntimeContainer, RuntimePod } from '../pod-runtime/runtime-pod.ts';
import { newest } from '../pod-runtime/runtime-pod.ts';
import { conditionOf, containersOf, initContainersOf, isSidecar, isStaticPod, uidOf } from '../pod-spec.ts';

type Granted = Map<string, ResourceRequirements>;
interface Conditions {
  pending?: PodCondition;
  inProgress?: PodCondition;
}

const resizable = (pod: Pod): Container[] => [...initContainersOf(pod).filter(isSidecar), ...containersOf(pod)];
const amount = (list: unknown, name: string): string => String((list as Record<string, string> | undefined)?.[name] ?? '0');

/** Which of CPU and memory differ between two sets of requests and limits. */
export function differing(a: ResourceRequirements | undefined, b: ResourceRequirements | undefined): Set<'cpu' | 'memory'> {
  const found = new Set<'cpu' | 'memory'>();
  for (const name of ['cpu', 'memory'] as const)
    for (const list of ['requests', 'limits'] as const)
      if (compareQuantities(amount(a?.[list], name), amount(b?.[list], name)) !== 0) found.add(name);
  return found;
}

/** upstream: pkg/kubelet/events/pod_resize.go. */
function resizeText(pod: Pod, generation: number, prefix: string, error = ''): string {
  const summary = (container: Container): object => ({ name: container.name, resources: container.resources ?? {} });
  const init = initContainersOf(pod).filter(isSidecar);
  return `${prefix}: ${JSON.stringify({
    ...(init.length && { initContainers: init.map(summary) }),
    containers: containersOf(pod).map(summary),
    generation,
    ...(error && { error }),
  })}`;
}

export interface ResizeOptions {
  clock: Clock;
  events: EventRecorder;
  allocatable(): { cpuMilli: number; memoryBytes: number };
  /** Why the pod with its new requests does not fit beside the others; undefined where it does. */
  unfit(pod: Pod): string | undefined;
}

export class Resizes {
  readonly #options: ResizeOptions;
  readonly #granted = new Map<string, Granted>();
  readonly #actuated = new Map<string, ResourceRequirements>();
  readonly #conditions = new Map<string, Conditions>();

  constructor(options: ResizeOptions) {
    this.#options = options;
  }

  /** A pod that comes, or was there before a restart. */
  begin(pod: Pod): void {
    const uid = uidOf(pod);
    if (this.#granted.has(uid)) return;
    const pending = conditionOf(pod.status?.conditions, 'PodResizePending');
    const inProgress = conditionOf(pod.status?.conditions, 'PodResizeInProgress');
    const granted: Granted = new Map();
    const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
    for (const container of resizable(pod)) {
      const status = statuses.find(({ name }) => name === container.name);
      const given = status?.resources;
      if (given && status.state?.running) this.#actuated.set(`${uid}/${container.name}`, given);
      const asked = container.resources ?? {};
      granted.set(
        container.name,
        pending && status?.allocatedResources
          ? { ...asked, requests: status.allocatedResources, ...(given?.limits && { limits: given.limits }) }
          : asked,
      );
    }
    this.#granted.set(uid, granted);
    if (pending || inProgress) this.#conditions.set(uid, { ...(pending && { pending }), ...(inProgress && { inProgress }) });
  }

  /** The pod with the resources that were granted to it. */
  allocated(pod: Pod): Pod {
    const granted = this.#granted.get(uidOf(pod));
    const changed = (container: Container): boolean => {
      const given = granted?.get(container.name);
      return given !== undefined && differing(given, container.resources).size > 0;
    };
    if (!granted || !resizable(pod).some(changed)) return pod;
    const copy = draft(pod);
    for (const container of resizable(copy)) if (changed(container)) container.resources = granted.get(container.name)!;
    return copy;
  }

  /** Takes in a pod whose spec may ask for other resources. Answers whether the worker must look. */
  consider(pod: Pod): boolean {
    const uid = uidOf(pod);
    this.begin(pod);
    const allocated = this.allocated(pod);
    const before = draft(this.#conditions.get(uid) ?? {});
    if (allocated === pod) {
      this.#clear(uid, 'pending');
      return !equal(before, this.#conditions.get(uid) ?? {});
    }
    const generation = pod.metadata?.generation ?? 0;
    if (isStaticPod(pod)) {
      this.#pend(pod, 'Infeasible', 'In-place resize of static-pods is not supported');
      return true;
    }
    const { cpuMilli, memoryBytes } = this.#options.allocatable();
    const requests = podRequests(pod);
    const cpu = requests.get('cpu')?.milliValue() ?? 0;
    const memory = requests.get('memory')?.value() ?? 0;
    if (cpu > cpuMilli || memory > memoryBytes) {
      const what =
        memory > memoryBytes ? `memory, requested: ${memory}, capacity: ${memoryBytes}` : `cpu, requested: ${cpu}, capacity: ${cpuMilli}`;
      this.#pend(pod, 'Infeasible', `Node didn't have enough capacity: ${what}`);
      return !equal(before, this.#conditions.get(uid) ?? {});
    }
    const unfit = this.#options.unfit(pod);
    if (unfit !== undefined) {
      this.#pend(pod, 'Deferred', unfit);
      return !equal(before, this.#conditions.get(uid) ?? {});
    }
    this.#granted.set(uid, new Map(resizable(pod).map((container) => [container.name, container.resources ?? {}])));
    this.#clear(uid, 'pending');
    this.#clear(uid, 'inProgress');
    this.#set(uid, 'inProgress', { reason: '', message: '', generation });
    this.#options.events.event(pod, 'Normal', 'ResizeStarted', resizeText(pod, generation, 'Pod resize started'));
    return true;
  }

  #pend(pod: Pod, reason: string, message: string): void {
    const generation = pod.metadata?.generation ?? 0;
    const was = this.#conditions.get(uidOf(pod))?.pending;
    this.#set(uidOf(pod), 'pending', { reason, message, generation });
    if (was?.reason === reason && was.message === message && was.observedGeneration === generation) return;
    const event = reason === 'Infeasible' ? 'ResizeInfeasible' : 'ResizeDeferred';
    this.#options.events.event(pod, 'Warning', event, resizeText(pod, generation, `Pod resize ${reason}`, message));
  }

  #set(uid: string, which: keyof Conditions, next: { reason: string; message: string; generation: number }): void {
    const conditions = this.#conditions.get(uid) ?? {};
    const was = conditions[which];
    conditions[which] = {
      type: which === 'pending' ? 'PodResizePending' : 'PodResizeInProgress',
      status: 'True',
      ...(next.reason && { reason: next.reason }),
      ...(next.message && { message: next.message }),
      observedGeneration: next.generation,
      lastTransitionTime: was?.lastTransitionTime ?? timestamp(this.#options.clock),
    };
    this.#conditions.set(uid, conditions);
  }

  #clear(uid: string, which: keyof Conditions): PodCondition | undefined {
    const conditions = this.#conditions.get(uid);
    const was = conditions?.[which];
    if (conditions) delete conditions[which];
    return was;
  }

  /** Pods that wait for a resize, to be considered again when there is room. */
  deferred(): string[] {
    return [...this.#conditions].flatMap(([uid, { pending }]) => (pending?.reason === 'Deferred' ? [uid] : []));
  }

  conditions(uid: string): PodCondition[] {
    const { pending, inProgress } = this.#conditions.get(uid) ?? {};
    return [pending, inProgress].filter((condition) => condition !== undefined);
  }

  /** Before a sync of the allocated pod: is a resize going on, or done? */
  progress(pod: Pod, runtime: RuntimePod): void {
    const uid = uidOf(pod);
    const conditions = this.#conditions.get(uid);
    const going = resizable(pod).some((container) => {
      const running = newest(runtime, container.name);
      return running?.state === 'running' && this.compare(pod, container, running) !== 'none';
    });
    if (going) {
      if (!conditions?.inProgress) this.#set(uid, 'inProgress', { reason: '', message: '', generation: pod.metadata?.generation ?? 0 });
      return;
    }
    const was = this.#clear(uid, 'inProgress');
    if (was)
      this.#options.events.event(
        pod,
        'Normal',
        'ResizeCompleted',
        resizeText(pod, was.observedGeneration ?? pod.metadata?.generation ?? 0, 'Pod resize completed'),
      );
  }

  failed(pod: Pod, message: string): void {
    const generation = pod.metadata?.generation ?? 0;
    const was = this.#conditions.get(uidOf(pod))?.inProgress;
    this.#set(uidOf(pod), 'inProgress', { reason: 'Error', message, generation: was?.observedGeneration ?? generation });
    if (was?.reason !== 'Error' || was.message !== message)
      this.#options.events.event(
        pod,
        'Warning',
        'ResizeError',
        resizeText(pod, was?.observedGeneration ?? generation, 'Pod resize error', message),
      );
  }

  /** How a running container's resources differ from what is allocated. */
  compare(pod: Pod, container: Container, _running: RuntimeContainer): 'none' | 'in-place' | 'restart' {
    const given = this.#actuated.get(`${uidOf(pod)}/${container.name}`);
    if (!given || isStaticPod(pod)) return 'none';
    const names = differing(given, container.resources);
    if (names.size === 0) return 'none';
    const restarts = (container.resizePolicy ?? []).some(
      (policy) => names.has(policy.resourceName as 'cpu') && policy.restartPolicy === 'RestartContainer',
    );
    return restarts ? 'restart' : 'in-place';
  }

  actuated(uid: string, container: string): ResourceRequirements | undefined {
    return this.#actuated.get(`${uid}/${container}`);
  }

  setActuated(pod: Pod, container: Container): void {
    this.#actuated.set(`${uidOf(pod)}/${container.name}`, container.resources ?? {});
  }

  forget(uid: string): void {
    this.#granted.delete(uid);
    this.#conditions.delete(uid);
    for (const key of this.#actuated.keys()) if (key.startsWith(`${uid}/`)) this.#actuated.delete(key);
  }
}

export interface ResizeStep {
  container: Container;
  id: string;
}

/** A container as it is while only one of its resources has been changed. */
function partly(container: Container, given: ResourceRequirements | undefined, changed: 'cpu' | 'memory'): Container {
  const mix = (list: 'requests' | 'limits'): Record<string, string> => {
    const own = { ...(container.resources?.[list] as Record<string, string> | undefined) };
    const other = changed === 'cpu' ? 'memory' : 'cpu';
    const old = (given?.[list] as Record<string, string> | undefined)?.[other];
    if (old === undefined) delete own[other];
    else own[other] = old;
    return own;
  };
  return { ...container, resources: { ...container.resources, requests: mix('requests'), limits: mix('limits') } };
}

export interface ResizeActuation {
  /** Writes the pod's own cgroup. */
  updatePod(pod: Pod): Promise<void>;
  updateContainer(pod: Pod, container: Container, id: string): Promise<void>;
  /** Bytes in use now. */
  memoryInUse(id: string): Promise<number | undefined>;
}

/** Memory first, then CPU; what shrinks before what grows, and the pod's cgroup around them on the wide side. */
export async function actuateResize(pod: Pod, steps: readonly ResizeStep[], resizes: Resizes, actuation: ResizeActuation): Promise<void> {
  const uid = uidOf(pod);
  const limit = (resources: ResourceRequirements | undefined, name: string): number =>
    name === 'cpu' ? milliValue(amount(resources?.limits, name)) : value(amount(resources?.limits, name));
  const problems: string[] = [];
  for (const { container, id } of steps) {
    const next = limit(container.resources, 'memory');
    const now = limit(resizes.actuated(uid, container.name), 'memory');
    if (next === 0 || (now !== 0 && next >= now)) continue;
    const used = await actuation.memoryInUse(id);
    if (used !== undefined && used >= next)
      problems.push(`attempting to set container "${container.name}" memory limit (${next}) below current usage (${used})`);
  }
  if (problems.length)
    throw new Error(`cannot decrease memory limits: ${problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`}`);

  const growing = steps.some(({ container }) => {
    const given = resizes.actuated(uid, container.name);
    return limit(container.resources, 'memory') > limit(given, 'memory') || limit(container.resources, 'cpu') > limit(given, 'cpu');
  });
  // The pod's cgroup must never be narrower than what its containers are about to get.
  if (growing) await actuation.updatePod(pod).catch((error: unknown) => void error);
  for (const name of ['memory', 'cpu'] as const) {
    const changed = steps.filter(({ container }) => differing(resizes.actuated(uid, container.name), container.resources).has(name));
    const growth = ({ container }: ResizeStep): number =>
      limit(container.resources, name) - limit(resizes.actuated(uid, container.name), name);
    for (const { container, id } of changed.toSorted((a, b) => growth(a) - growth(b))) {
      const step = partly(container, resizes.actuated(uid, container.name), name);
      await actuation.updateContainer(pod, step, id);
      resizes.setActuated(pod, step);
    }
  }
  for (const { container } of steps) resizes.setActuated(pod, container);
  await actuation.updatePod(pod);
}

/** The pod's own name for its resources in one text, for keys that must change with them. */
export const resourcesKey = (container: Container): string => JSON.stringify(container.resources ?? {});
