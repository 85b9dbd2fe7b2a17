/**
 * The workloads of upstream's scheduler_perf, described our own way: which nodes there are, which pods stand there before, which are measured,
 * and what happens meanwhile. upstream: test/integration/scheduler_perf (names and shapes; the counts are made to fit a small machine).
 */
import type { Node, Pod } from '#api';

export interface Workload {
  name: string;
  node(index: number): Node;
  /** Namespaces of the first and of the measured pods. */
  namespaces: { before: string; measured: string };
  before?: { count(nodes: number): number; pod(index: number): Pod };
  measured: { count(nodes: number): number; pod(index: number): Pod };
  /** Made and taken away all the while the measured pods are scheduled. */
  churn?: { everyMilliseconds: number; pod?(index: number): Pod; node?(index: number): Node; service?: boolean };
}

const zones = ['zone1', 'zone2', 'zone3'];

const node = (index: number, labels: Record<string, string> = {}, capacity: Record<string, string> = {}): Node => {
  const resources = { cpu: '4', memory: '32Gi', pods: '110', ...capacity };
  const name = `node-${index}`;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'KubeletReady',
          message: 'ready',
          lastHeartbeatTime: null,
          lastTransitionTime: null,
        } as never,
      ],
    },
  };
};
const zoned = (index: number): Node => node(index, { 'topology.kubernetes.io/zone': zones[index % 3]! });

function pod(
  prefix: string,
  index: number,
  spec: Partial<Pod['spec']> = {},
  labels: Record<string, string> = {},
  requests = { cpu: '100m', memory: '500Mi' },
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${prefix}-${index}`, labels },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'pause', image: 'registry.k8s.io/pause:3.10.1', ports: [{ containerPort: 80 }], resources: { requests } }],
      ...spec,
    },
  };
}

const plain =
  (prefix: string) =>
  (index: number): Pod =>
    pod(prefix, index);
const share =
  (part: number, least: number) =>
  (nodes: number): number =>
    Math.max(least, Math.round(nodes * part));
/** What is measured: enough to see a rate, not so much that the machine's end is measured. */
const many = (nodes: number): number => Math.min(2000, Math.max(500, nodes));

const sameZone = { color: 'blue' };
const ownNode = { color: 'green' };
const spread = { color: 'spread' };

export const workloads: readonly Workload[] = [
  {
    name: 'SchedulingBasic',
    node: (index) => node(index),
    namespaces: { before: 'before', measured: 'measured' },
    before: { count: share(0.2, 100), pod: plain('before') },
    measured: { count: many, pod: plain('pod') },
  },
  {
    name: 'SchedulingPodAffinity',
    node: (index) => node(index, { 'topology.kubernetes.io/zone': 'zone1' }),
    namespaces: { before: 'before', measured: 'measured' },
    before: { count: share(0.2, 100), pod: (index) => affine('before', index) },
    measured: { count: many, pod: (index) => affine('pod', index) },
  },
  {
    name: 'SchedulingPodAntiAffinity',
    node: zoned,
    namespaces: { before: 'before', measured: 'measured' },
    before: { count: share(0.1, 50), pod: (index) => apart('before', index) },
    measured: { count: (nodes) => Math.min(1000, Math.round(nodes * 0.8)), pod: (index) => apart('pod', index) },
  },
  {
    name: 'TopologySpreading',
    node: zoned,
    namespaces: { before: 'before', measured: 'measured' },
    before: { count: share(0.2, 100), pod: plain('before') },
    measured: {
      count: many,
      pod: (index) =>
        pod(
          'pod',
          index,
          {
            topologySpreadConstraints: [
              {
                maxSkew: 5,
                topologyKey: 'topology.kubernetes.io/zone',
                whenUnsatisfiable: 'DoNotSchedule',
                labelSelector: { matchLabels: spread },
              },
            ],
          },
          spread,
        ),
    },
  },
  {
    name: 'PreemptionAsync',
    node: (index) => node(index),
    namespaces: { before: 'before', measured: 'measured' },
    // Four a node of 900m fill 3.6 of its 4 cores; the churn's pods want 3 of them, the measured ones fit beside.
    before: { count: (nodes) => Math.min(4 * nodes, 4000), pod: (index) => pod('low', index, {}, {}, { cpu: '900m', memory: '500Mi' }) },
    measured: { count: (nodes) => Math.min(1000, nodes), pod: plain('pod') },
    churn: {
      everyMilliseconds: 200,
      pod: (index) => pod('high', index, { priorityClassName: 'bench-high' }, {}, { cpu: '3', memory: '500Mi' }),
    },
  },
  {
    name: 'MixedChurn',
    node: (index) => node(index),
    namespaces: { before: 'before', measured: 'measured' },
    measured: { count: many, pod: plain('pod') },
    churn: {
      everyMilliseconds: 250,
      // Too large for any node: it fails, waits, and is tried again at each change.
      pod: (index) => pod('large', index, { priorityClassName: 'bench-high' }, {}, { cpu: '8', memory: '500Mi' }),
      node: (index) => node(1_000_000 + index),
      service: true,
    },
  },
  {
    name: 'DaemonSet',
    node: (index) => node(index, {}, { pods: '10000', cpu: '4000' }),
    namespaces: { before: 'before', measured: 'measured' },
    measured: {
      count: many,
      pod: (index) =>
        pod('pod', index, {
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [`node-${index % 500}`] }] }],
              },
            },
          },
        }),
    },
  },
];

function affine(prefix: string, index: number): Pod {
  return pod(
    prefix,
    index,
    {
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { labelSelector: { matchLabels: sameZone }, topologyKey: 'topology.kubernetes.io/zone', namespaces: ['before', 'measured'] },
          ],
        },
      },
    },
    sameZone,
  );
}

function apart(prefix: string, index: number): Pod {
  return pod(
    prefix,
    index,
    {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { labelSelector: { matchLabels: ownNode }, topologyKey: 'kubernetes.io/hostname', namespaces: ['before', 'measured'] },
          ],
        },
      },
    },
    ownNode,
  );
}
