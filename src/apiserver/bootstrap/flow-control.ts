import { FlowSchema, PriorityLevelConfiguration } from '#api';
import type { Entry } from './entry.ts';
import { entry } from './entry.ts';

/** Shares, percent that may be lent, and queues (number, hand size); none: what finds no seat is refused. Length limit is 50 everywhere. */
const levels: Record<string, readonly [shares: number, lendable: number, queues?: number, hand?: number]> = {
  'catch-all': [5, 0],
  system: [30, 33, 64, 6],
  'node-high': [40, 25, 64, 6],
  'leader-election': [10, 0, 16, 4],
  'workload-high': [40, 50, 128, 6],
  'workload-low': [100, 90, 128, 6],
  'global-default': [20, 50, 128, 6],
};

type FlowRule = NonNullable<NonNullable<FlowSchema['spec']>['rules']>[number];
type FlowSubject = FlowRule['subjects'][number];

const user = (name: string): FlowSubject => ({ kind: 'User', user: { name } });
const group = (name: string): FlowSubject => ({ kind: 'Group', group: { name } });
const everybody = [group('system:unauthenticated'), group('system:authenticated')];
const kubeSystemAccounts: FlowSubject = { kind: 'ServiceAccount', serviceAccount: { name: '*', namespace: 'kube-system' } };

const on = (
  verbs: string[],
  apiGroup: string,
  resources: string[],
  clusterScope: boolean,
): NonNullable<FlowRule['resourceRules']>[number] => ({
  verbs,
  apiGroups: [apiGroup],
  resources,
  ...(clusterScope && { clusterScope }),
  namespaces: ['*'],
});
const everything = {
  resourceRules: [on(['*'], '*', ['*'], true)],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};
const leases = 'coordination.k8s.io';

interface Flow {
  level: string;
  precedence: number;
  by?: 'ByUser' | 'ByNamespace';
  rule: FlowRule;
}

/** upstream: apiserver/pkg/apis/flowcontrol/bootstrap/default.go. */
const flows: Record<string, Flow> = {
  exempt: { level: 'exempt', precedence: 1, rule: { subjects: [group('system:masters')], ...everything } },
  probes: {
    level: 'exempt',
    precedence: 2,
    rule: { subjects: everybody, nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }] },
  },
  'system-leader-election': {
    level: 'leader-election',
    precedence: 100,
    by: 'ByUser',
    rule: {
      subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler'), kubeSystemAccounts],
      resourceRules: [on(['get', 'create', 'update'], leases, ['leases'], false)],
    },
  },
  'system-node-high': {
    level: 'node-high',
    precedence: 400,
    by: 'ByUser',
    rule: {
      subjects: [group('system:nodes')],
      resourceRules: [on(['*'], '', ['nodes', 'nodes/status'], true), on(['*'], leases, ['leases'], false)],
    },
  },
  'system-nodes': { level: 'system', precedence: 500, by: 'ByUser', rule: { subjects: [group('system:nodes')], ...everything } },
  'kube-controller-manager': {
    level: 'workload-high',
    precedence: 800,
    by: 'ByNamespace',
    rule: { subjects: [user('system:kube-controller-manager')], ...everything },
  },
  'kube-scheduler': {
    level: 'workload-high',
    precedence: 800,
    by: 'ByNamespace',
    rule: { subjects: [user('system:kube-scheduler')], ...everything },
  },
  'kube-system-service-accounts': {
    level: 'workload-high',
    precedence: 900,
    by: 'ByNamespace',
    rule: { subjects: [kubeSystemAccounts], ...everything },
  },
  'service-accounts': {
    level: 'workload-low',
    precedence: 9000,
    by: 'ByUser',
    rule: { subjects: [group('system:serviceaccounts')], ...everything },
  },
  'global-default': { level: 'global-default', precedence: 9900, by: 'ByUser', rule: { subjects: everybody, ...everything } },
  'catch-all': { level: 'catch-all', precedence: 10_000, by: 'ByUser', rule: { subjects: everybody, ...everything } },
};

/** These decide by their annotation whether their spec is kept up to date. */
export const autoUpdateSpec = 'apf.kubernetes.io/autoupdate-spec';
const annotations = { [autoUpdateSpec]: 'true' };
/** upstream: pkg/registry/flowcontrol/rest FieldManager. */
const ownership = { manager: 'api-priority-and-fairness-config-producer-v1' };

const level = (name: string, spec: NonNullable<PriorityLevelConfiguration['spec']>): Entry =>
  entry(PriorityLevelConfiguration, { metadata: { name, annotations, generation: 1 }, spec, status: {} }, ownership);

export function flowControlEntries(): Entry[] {
  return [
    level('exempt', { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }),
    ...Object.entries(levels).map(([name, [shares, lendable, queues, hand]]) =>
      level(name, {
        type: 'Limited',
        limited: {
          nominalConcurrencyShares: shares,
          limitResponse: queues ? { type: 'Queue', queuing: { queues, handSize: hand!, queueLengthLimit: 50 } } : { type: 'Reject' },
          lendablePercent: lendable,
        },
      }),
    ),
    ...Object.entries(flows).map(([name, flow]) =>
      entry(
        FlowSchema,
        {
          metadata: { name, annotations, generation: 1 },
          spec: {
            priorityLevelConfiguration: { name: flow.level },
            matchingPrecedence: flow.precedence,
            ...(flow.by && { distinguisherMethod: { type: flow.by } }),
            rules: [flow.rule],
          },
        },
        ownership,
      ),
    ),
  ];
}
