import type { Node, Pod } from '#api';
import { Lease as LeaseKind, Node as NodeKind, Pod as PodKind } from '#api';
import { TokenBucket } from '#client';
import { timestamp } from '#machinery/clock';
import { draft, equal, keyOf } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { Condition, Taint } from '../api-types.ts';
import { conditionOf } from '../conditions.ts';
import type { ControllerContext, ControllerFactory, Result } from '../contract.ts';
import { source } from '../contract.ts';
import { isPodReady } from '../pods.ts';
import { setPodCondition } from '../pod-conditions.ts';

export const notReadyTaint = 'node.kubernetes.io/not-ready';
export const unreachableTaint = 'node.kubernetes.io/unreachable';
const leaseNamespace = 'kube-node-lease';
/** So long a new node may take to report for the first time. */
const startupGrace = 60_000;

/** Conditions that a silent kubelet no longer vouches for. */
const vouchedFor = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];
/** Condition → its status → the NoSchedule taint it asks for. upstream: nodeConditionToTaintKeyStatusMap. */
const conditionTaints: Record<string, Record<string, string>> = {
  Ready: { False: notReadyTaint, Unknown: unreachableTaint },
  MemoryPressure: { True: 'node.kubernetes.io/memory-pressure' },
  DiskPressure: { True: 'node.kubernetes.io/disk-pressure' },
  NetworkUnavailable: { True: 'node.kubernetes.io/network-unavailable' },
  PIDPressure: { True: 'node.kubernetes.io/pid-pressure' },
};
const managedNoSchedule = new Set([
  ...Object.values(conditionTaints).flatMap((each) => Object.values(each)),
  'node.kubernetes.io/unschedulable',
]);
const secondaryLabels = [
  ['kubernetes.io/os', 'beta.kubernetes.io/os'],
  ['kubernetes.io/arch', 'beta.kubernetes.io/arch'],
] as const;

/** In a big zone in trouble nodes are emptied slower, in a small one not at all. upstream: the flags' defaults. */
const eviction = { rate: 0.1, secondaryRate: 0.01, unhealthyFraction: 0.55, largeZone: 50 };

const ready = (node: Node): Condition | undefined => conditionOf(node.status?.conditions as Condition[] | undefined, 'Ready');
const zoneOf = (node: Node): string =>
  `${node.metadata!.labels?.['topology.kubernetes.io/region'] ?? ''}:${node.metadata!.labels?.['topology.kubernetes.io/zone'] ?? ''}`;

type ZoneState = 'normal' | 'partial' | 'full';

function zoneStates(nodes: readonly Node[]): Map<string, { state: ZoneState; size: number }> {
  const counts = new Map<string, { ready: number; other: number }>();
  for (const node of nodes) {
    const zone = zoneOf(node);
    const count = counts.get(zone) ?? { ready: 0, other: 0 };
    if (ready(node)?.status === 'True') count.ready++;
    else count.other++;
    counts.set(zone, count);
  }
  return new Map(
    [...counts].map(([zone, { ready, other }]) => {
      const partial = other > 2 && other / (ready + other) >= eviction.unhealthyFraction;
      return [zone, { state: ready === 0 && other > 0 ? 'full' : partial ? 'partial' : 'normal', size: ready + other }];
    }),
  );
}

/** The NoSchedule taints that a node's conditions and cordon ask for, beside those that others put there. */
function noScheduleTaints(node: Node): Taint[] {
  const wanted: Taint[] = [];
  for (const { type, status } of (node.status?.conditions ?? []) as Condition[]) {
    const key = conditionTaints[type]?.[status];
    if (key) wanted.push({ key, effect: 'NoSchedule' });
  }
  if (node.spec?.unschedulable) wanted.push({ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' });
  return wanted;
}

interface Health {
  /** What the kubelet last said, and when we saw it say so, by our own clock. */
  heartbeat: string;
  seenAt: number;
}

/**
 * Watches the heartbeats of kubelets. A node that falls silent gets conditions Unknown, its pods are marked not ready, and it is tainted, on
 * which the scheduler and the eviction by taints act. upstream: pkg/controller/nodelifecycle.
 */
export const nodeLifecycleController: ControllerFactory = () => {
  const health = new Map<string, Health>();
  const limiters = new Map<string, { rate: number; bucket: TokenBucket }>();
  const known = new Set<string>();
  /** Nodes that may be emptied once the limiter has let them through. */
  const admitted = new Set<string>();

  /** Milliseconds until the node is overdue; 0 when it is. */
  const patience = (context: ControllerContext, node: Node): number => {
    const { clock, options } = context;
    const name = node.metadata!.name!;
    const condition = ready(node);
    const lease = context.lister(LeaseKind).get(`${leaseNamespace}/${name}`);
    // The kubelet's own words: what this controller wrote in its stead is no heartbeat.
    const spoken = condition?.reason?.startsWith('NodeStatus')
      ? ''
      : JSON.stringify([condition?.status, (condition as { lastHeartbeatTime?: string })?.lastHeartbeatTime]);
    const heartbeat = `${lease?.spec?.renewTime ?? ''}|${spoken}`;
    let seen = health.get(name);
    if (!seen) {
      const created = Date.parse(node.metadata!.creationTimestamp!);
      const age = condition || lease ? 0 : Math.max(0, clock.now() - created);
      health.set(name, (seen = { heartbeat, seenAt: clock.monotonic() - age }));
    } else if (seen.heartbeat !== heartbeat && !(spoken === '' && seen.heartbeat.split('|')[0] === heartbeat.split('|')[0])) {
      seen.heartbeat = heartbeat;
      seen.seenAt = clock.monotonic();
    }
    const grace = condition || lease ? options.nodeMonitorGracePeriod : Math.max(startupGrace, options.nodeMonitorGracePeriod);
    return Math.max(0, seen.seenAt + grace - clock.monotonic());
  };

  const declareSilent = async (context: ControllerContext, node: Node): Promise<Node> => {
    const now = timestamp(context.clock);
    const conditions = draft((node.status?.conditions ?? []) as (Condition & { lastHeartbeatTime?: string })[]);
    for (const type of vouchedFor) {
      const condition = conditions.find((each) => each.type === type);
      if (!condition)
        conditions.push({
          type,
          status: 'Unknown',
          reason: 'NodeStatusNeverUpdated',
          message: 'Kubelet never posted node status.',
          lastHeartbeatTime: node.metadata!.creationTimestamp!,
          lastTransitionTime: now,
        });
      else if (condition.status !== 'Unknown')
        Object.assign(condition, {
          status: 'Unknown',
          reason: 'NodeStatusUnknown',
          message: 'Kubelet stopped posting node status.',
          lastTransitionTime: now,
        });
    }
    if (equal(conditions, node.status?.conditions ?? [])) return node;
    return context.client.updateStatus(NodeKind, { ...node, status: { ...node.status, conditions: conditions as never } });
  };

  /** Whether the node may be emptied now; else when to ask again. */
  const mayEvict = (context: ControllerContext, node: Node): { may: boolean; again?: number } => {
    const states = zoneStates(context.lister(NodeKind).list());
    // When nothing answers anywhere, the fault is more likely ours: nobody is evicted.
    if ([...states.values()].every(({ state }) => state === 'full')) return { may: false };
    const name = node.metadata!.name!;
    if (admitted.has(name)) return { may: true };
    const zone = states.get(zoneOf(node))!;
    const rate = zone.state !== 'partial' ? eviction.rate : zone.size > eviction.largeZone ? eviction.secondaryRate : 0;
    if (rate === 0) return { may: false, again: 10_000 };
    let limiter = limiters.get(zoneOf(node));
    if (limiter?.rate !== rate) limiters.set(zoneOf(node), (limiter = { rate, bucket: new TokenBucket(context.clock, rate, 1) }));
    if (!limiter.bucket.tryTake()) return { may: false, again: 1000 };
    admitted.add(name);
    return { may: true };
  };

  const syncTaints = async (context: ControllerContext, node: Node): Promise<number | undefined> => {
    const status = ready(node)?.status;
    const taints = node.spec?.taints ?? [];
    const noSchedule = noScheduleTaints(node);
    const kept = taints.filter(
      ({ key, effect }) =>
        !(effect === 'NoSchedule' && managedNoSchedule.has(key)) &&
        !(effect === 'NoExecute' && (key === notReadyTaint || key === unreachableTaint)),
    );
    const evictKey = status === 'False' ? notReadyTaint : status === 'Unknown' || status === undefined ? unreachableTaint : undefined;
    let again: number | undefined;
    const evict: Taint[] = [];
    if (evictKey) {
      const permission = mayEvict(context, node);
      again = permission.again;
      const there = taints.find((taint) => taint.key === evictKey && taint.effect === 'NoExecute');
      if (permission.may) evict.push(there ?? { key: evictKey, effect: 'NoExecute', timeAdded: timestamp(context.clock) });
    } else admitted.delete(node.metadata!.name!);
    const old = (taint: Taint): Taint => taints.find(({ key, effect }) => key === taint.key && effect === taint.effect) ?? taint;
    const wanted = [...kept, ...noSchedule.map(old), ...evict];
    const order = (list: readonly Taint[]): Taint[] => list.toSorted((a, b) => (`${a.key}${a.effect}` < `${b.key}${b.effect}` ? -1 : 1));
    if (!equal(order(wanted), order(taints))) await context.client.update(NodeKind, { ...node, spec: { ...node.spec, taints: wanted } });
    return again;
  };

  const markPodsNotReady = async (context: ControllerContext, node: Node): Promise<void> => {
    const pods = context.lister(PodKind).byIndex('node', node.metadata!.name!);
    await Promise.all(
      pods.filter(isPodReady).map(async (pod: Pod) => {
        const { lastTransitionTime: _, ...condition } = conditionOf(pod.status?.conditions as Condition[], 'Ready')!;
        await setPodCondition(context, pod, { ...condition, status: 'False' });
        context.events.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
      }),
    );
  };

  const syncLabels = async (context: ControllerContext, node: Node): Promise<Node> => {
    const labels = node.metadata!.labels ?? {};
    const missing: Record<string, string> = {};
    for (const [primary, secondary] of secondaryLabels)
      if (labels[primary] !== undefined && labels[secondary] !== labels[primary]) missing[secondary] = labels[primary];
    if (Object.keys(missing).length === 0) return node;
    return context.client.patch(NodeKind, { name: node.metadata!.name! }, 'strategic', { metadata: { labels: missing } });
  };

  return {
    name: 'node-lifecycle-controller',
    serviceAccount: 'node-controller',
    component: 'node-controller',
    workers: 8,
    watches: [
      source(NodeKind),
      source(LeaseKind, {
        keys: (lease) => [lease.metadata!.name!],
        when: (lease, _old, event) => lease.metadata!.namespace === leaseNamespace && event !== 'deleted',
      }),
      source(PodKind, {
        // A pod that claims to be ready on a node that is not.
        keys: (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []),
        when: (pod, old, event, context) => {
          if (event === 'deleted' || !pod.spec?.nodeName || !isPodReady(pod) || (old && isPodReady(old))) return false;
          const node = context.lister(NodeKind).get(pod.spec.nodeName);
          return node !== undefined && ready(node)?.status !== 'True';
        },
      }),
    ],
    setup(context) {
      context.lister(PodKind).addIndex('node', (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
    },
    async reconcile(context, key): Promise<Result | void> {
      let node = context.lister(NodeKind).get(key);
      if (!node) {
        if (known.delete(key)) {
          const gone = { apiVersion: 'v1', kind: 'Node', metadata: { name: key, uid: key } };
          context.events.event(gone, 'Normal', 'RemovingNode', `Node ${key} event: Removing Node ${key} from Controller`);
        }
        health.delete(key);
        admitted.delete(key);
        return;
      }
      if (!known.has(key)) {
        known.add(key);
        context.events.event(node, 'Normal', 'RegisteredNode', `Node ${key} event: Registered Node ${key} in Controller`);
      }
      try {
        const wait = patience(context, node);
        const before = ready(node)?.status;
        if (wait === 0) node = await declareSilent(context, node);
        if (before === 'True' && ready(node)?.status !== 'True')
          context.events.event(node, 'Normal', 'NodeNotReady', `Node ${key} status is now: NodeNotReady`);
        if (ready(node) && ready(node)!.status !== 'True') await markPodsNotReady(context, node);
        node = await syncLabels(context, node);
        const again = await syncTaints(context, node);
        const next = Math.min(again ?? Infinity, wait || Infinity);
        return Number.isFinite(next) ? { requeueAfter: next } : undefined;
      } catch (error) {
        if (!isNotFound(error)) throw error;
        context.log.debug('A node went while it was looked at', { node: keyOf(node) });
      }
    },
  };
};
