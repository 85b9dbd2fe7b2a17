import { Namespace, PriorityClass } from '#api';
import type { Entry } from './entry.ts';
import { entry } from './entry.ts';

/** Namespaces that cannot be missing. upstream: pkg/controlplane/controller/systemnamespaces. */
export const systemNamespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system'] as const;

export const namespaceEntries = (): Entry[] =>
  systemNamespaces.map((name) =>
    entry(
      Namespace,
      {
        metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      },
      { unowned: ['spec', 'status'] },
    ),
  );

/** upstream: pkg/apis/scheduling SystemPriorityClasses. */
export const priorityClassEntries = (): Entry[] => [
  entry(PriorityClass, {
    metadata: { name: 'system-node-critical', generation: 1 },
    value: 2_000_001_000,
    description: 'For pods that a node cannot do without.',
    preemptionPolicy: 'PreemptLowerPriority',
  }),
  entry(PriorityClass, {
    metadata: { name: 'system-cluster-critical', generation: 1 },
    value: 2_000_000_000,
    description: 'For pods that the cluster cannot do without, on whichever node they run.',
    preemptionPolicy: 'PreemptLowerPriority',
  }),
];
