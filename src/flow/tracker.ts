/**
 * Follows pods through their steps from what every part tells the API anyway: the request, the stored object and its changes, the
 * scheduler's decisions, events, endpoint slices. Nothing is asked for; what is kept is bounded.
 */
import type { ContainerStatus, Event, EndpointSlice, Pod } from '#api';
import type { Clock } from '#machinery/clock';
import type { FlowRecord } from './record.ts';
import { steps } from './steps.ts';
import type { StepId } from './steps.ts';

export interface FlowTracker {
  /** A request for a pod passed admission: who sent it, and which rule allowed it. */
  admitted(pod: Pod, user: string, rule: string): void;
  decided(uid: string, evidence: string): void;
  seen(pod: Pod): void;
  removed(pod: Pod): void;
  event(event: Event): void;
  endpoints(slice: EndpointSlice): void;
  /** The pods of a namespace (all when empty), oldest first. */
  records(namespace: string): FlowRecord[];
}

const order = new Map(steps.map((step, index) => [step.id, index]));
const kept = 2000;

const conditionTrue = (pod: Pod, type: string): boolean =>
  pod.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;

/** What holds a pod that is not Ready. */
function stuckAt(pod: Pod, done: ReadonlySet<StepId>, warning: string | undefined): FlowRecord['stuck'] {
  if (['Succeeded', 'Failed'].includes(pod.status?.phase ?? '') || done.has('ready')) return undefined;
  const next = steps.find((step) => !step.optional && !done.has(step.id))?.id ?? 'ready';
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return { step: 'scheduled', why: scheduled.message ?? scheduled.reason ?? '' };
  const waiting = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].find(
    ({ state }) => state?.waiting && !['ContainerCreating', 'PodInitializing'].includes(state.waiting.reason ?? ''),
  );
  if (waiting) {
    const { reason = '', message = '' } = waiting.state!.waiting!;
    return { step: /Image/.test(reason) ? 'image' : 'started', why: `${waiting.name}: ${reason}${message ? `: ${message}` : ''}` };
  }
  const unready = pod.status?.conditions?.find(({ type }) => type === 'ContainersReady');
  return { step: next, why: warning ?? unready?.message ?? 'nothing is known to hold it' };
}

export function flowTracker(clock: Pick<Clock, 'now'>): FlowTracker {
  const flows = new Map<string, FlowRecord & { done: Set<StepId>; warning?: string; pod?: Pod }>();

  function flowOf(pod: Pod): (FlowRecord & { done: Set<StepId>; warning?: string; pod?: Pod }) | undefined {
    const { uid, namespace = '', name = '' } = pod.metadata ?? {};
    if (!uid) return undefined;
    let flow = flows.get(uid);
    if (!flow) {
      flow = { namespace, name, uid, began: clock.now(), steps: [], done: new Set() };
      flows.set(uid, flow);
      if (flows.size > kept) flows.delete(flows.keys().next().value!);
    }
    return flow;
  }

  function record(pod: Pod, id: StepId, evidence: string): void {
    const flow = flowOf(pod);
    if (!flow || flow.done.has(id)) return;
    flow.done.add(id);
    flow.steps.push({ id, at: clock.now(), evidence });
    flow.steps.sort((a, b) => order.get(a.id)! - order.get(b.id)!);
  }

  return {
    admitted(pod, user, rule) {
      record(pod, 'requested', `by ${user}`);
      record(pod, 'authorized', rule || 'member of system:masters');
      record(pod, 'admitted', 'defaults, admission plugins and validation are through');
    },
    decided(uid, evidence) {
      const flow = flows.get(uid);
      const scheduled = flow?.steps.find(({ id }) => id === 'scheduled');
      if (scheduled) scheduled.evidence = evidence;
      else if (flow?.pod) record(flow.pod, 'scheduled', evidence);
    },
    seen(pod) {
      const flow = flowOf(pod);
      if (!flow) return;
      flow.pod = pod;
      record(pod, 'stored', `revision ${pod.metadata?.resourceVersion ?? '?'}`);
      if (pod.spec?.nodeName) record(pod, 'scheduled', `to ${pod.spec.nodeName}`);
      const { status } = pod;
      if (status?.startTime) record(pod, 'accepted', `by the kubelet of ${pod.spec?.nodeName}`);
      if (conditionTrue(pod, 'PodReadyToStartContainers')) record(pod, 'sandbox', 'condition PodReadyToStartContainers');
      if (status?.podIP) record(pod, 'network', `address ${status.podIP}`);
      const containers: ContainerStatus[] = status?.containerStatuses ?? [];
      if (containers.length > 0 && containers.every(({ state }) => state?.running || state?.terminated)) {
        if ((pod.spec?.volumes ?? []).length > 0) record(pod, 'volumes', pod.spec!.volumes!.map(({ name }) => name).join(', '));
        record(pod, 'image', containers.map(({ image }) => image).join(', '));
        record(
          pod,
          'started',
          containers.map(({ name, restartCount }) => (restartCount ? `${name} (restarted ${restartCount} times)` : name)).join(', '),
        );
      }
      if (conditionTrue(pod, 'Ready')) record(pod, 'ready', 'condition Ready');
    },
    removed(pod) {
      const flow = flows.get(pod.metadata?.uid ?? '');
      if (flow) flow.gone = true;
    },
    event(event) {
      const uid = event.involvedObject?.uid;
      const flow = uid ? flows.get(uid) : undefined;
      if (!flow?.pod) return;
      if (event.type === 'Warning') flow.warning = `${event.reason}: ${event.message}`;
      if (event.reason === 'Pulled' && !(flow.pod.spec?.initContainers ?? []).length && (flow.pod.spec?.containers.length ?? 0) === 1)
        record(flow.pod, 'image', event.message ?? '');
    },
    endpoints(slice) {
      const service = slice.metadata?.labels?.['kubernetes.io/service-name'];
      if (!service) return;
      for (const endpoint of slice.endpoints ?? []) {
        const uid = endpoint.targetRef?.uid;
        const flow = uid && endpoint.conditions?.ready !== false ? flows.get(uid) : undefined;
        if (flow?.pod) record(flow.pod, 'endpoints', `Service ${service}, ${endpoint.addresses.join(', ')}`);
      }
    },
    records(namespace) {
      return [...flows.values()]
        .filter((flow) => namespace === '' || flow.namespace === namespace)
        .map(({ done, warning, pod, ...flow }) => {
          const stuck = pod && !flow.gone ? stuckAt(pod, done, warning) : undefined;
          return { ...flow, ...(stuck && { stuck }) };
        });
    },
  };
}
