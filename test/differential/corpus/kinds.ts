/** An object of every kind, what may change of it, and a status for it. */
import { resources } from '#api/facts';
import type { ResourceFact } from '#api/facts';

export type Json = Record<string, unknown>;

export interface Sample {
  fact: ResourceFact;
  /** The object but for kind, apiVersion and metadata. */
  object: Json;
  /** A merge patch that the kind takes. */
  change: Json;
  /** What is written to its status; absent where it has none. */
  status?: Json;
  /** Its names are not DNS subdomains ("a:b" will do) or are tied to what it holds. */
  nameFor?(base: string): string;
  metadata?: Json;
}

const container = { name: 'main', image: 'registry.example/app:1' };
const template = (app: string): Json => ({ metadata: { labels: { app } }, spec: { containers: [container] } });
const selector = { matchLabels: { app: 'a' } };
const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }];
const hook = (name: string): Json => ({
  name,
  clientConfig: { url: 'https://hooks.example/check' },
  rules: [{ apiGroups: ['differential.example'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['nothings'] }],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
});
const condition = { type: 'Tested', status: 'True', reason: 'Written', message: 'by hand', lastTransitionTime: '2020-01-01T00:00:00Z' };
/** A certificate signing request of a key that nobody has any more. */
export const signingRequest =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlITE1ITUNBUUF3RVRFUE1BMEdBMVVFQXd3R2RHVnpkR1Z5TUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowRApBUWNEUWdBRVlOWitCcmVyZTY0enVyMUc3Tzk3c282ZGJsWUY1QXNHaVdmMmFEV2JVNGhPZ1hXemxid1FCY28rCm9yWW5ZVU9BTnIvazVHVGwvSi9HNmU4WHoreW1DcUFBTUFvR0NDcUdTTTQ5QkFNQ0EwZ0FNRVVDSVFEZlNFYmsKbVl4K1pPc1lFeWVwY1NkeDFQSDlrajhFeWQvNVQ5WFNqaTVySndJZ1BMWHdBelh4emRHUDI2UTcwOXpoekRKYgpHR2JGb1ZlWk9GeHovRGhsWkg4PQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K';

const table: Record<string, Omit<Sample, 'fact'>> = {
  '/configmaps': { object: { data: { a: '1' }, binaryData: { b: 'AAEC' } }, change: { data: { a: '2', c: '3' } } },
  '/endpoints': {
    object: { subsets: [{ addresses: [{ ip: '192.0.2.1', hostname: 'h' }], ports: [{ name: 'web', port: 80 }] }] },
    change: { subsets: [{ notReadyAddresses: [{ ip: '192.0.2.9' }, { ip: '192.0.2.2' }], ports: [{ port: 81, protocol: 'UDP' }] }] },
  },
  '/events': {
    object: {
      involvedObject: { kind: 'Pod', namespace: '{ns}', name: 'p', apiVersion: 'v1' },
      reason: 'Tested',
      message: 'something happened',
      type: 'Normal',
      source: { component: 'tester' },
      firstTimestamp: '2020-01-01T00:00:00Z',
      lastTimestamp: '2020-01-01T00:00:00Z',
      count: 1,
    },
    change: { count: 2, message: 'again' },
  },
  '/limitranges': {
    object: { spec: { limits: [{ type: 'Container', default: { cpu: '500m' }, max: { cpu: '2', memory: '1Gi' } }] } },
    change: { spec: { limits: [{ type: 'Pod', max: { cpu: '4' } }] } },
  },
  '/namespaces': { object: {}, change: { metadata: { labels: { more: 'yes' } } }, status: { phase: 'Active', conditions: [condition] } },
  '/nodes': {
    object: { spec: { podCIDR: '10.244.9.0/24', taints: [{ key: 'k', effect: 'NoSchedule' }] } },
    change: { spec: { unschedulable: true } },
    status: {
      capacity: { cpu: '4', memory: '8Gi' },
      conditions: [{ ...condition, type: 'Ready' }],
      addresses: [{ type: 'Hostname', address: 'n' }],
    },
  },
  '/persistentvolumeclaims': {
    object: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'slow' } },
    change: { metadata: { annotations: { note: 'x' } } },
    status: { phase: 'Bound', accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } },
  },
  '/persistentvolumes': {
    object: {
      spec: { capacity: { storage: '2Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/data' }, storageClassName: 'slow' },
    },
    change: { spec: { persistentVolumeReclaimPolicy: 'Delete' } },
    status: { phase: 'Available' },
  },
  '/pods': {
    object: {
      spec: {
        containers: [
          { ...container, ports: [{ containerPort: 80 }], env: [{ name: 'A', value: 'b' }], resources: { requests: { cpu: '100m' } } },
        ],
      },
    },
    change: { spec: { activeDeadlineSeconds: 100 } },
    status: { phase: 'Running', podIP: '192.0.2.7', podIPs: [{ ip: '192.0.2.7' }], conditions: [{ type: 'Ready', status: 'True' }] },
  },
  '/podtemplates': { object: { template: template('a') }, change: { template: { metadata: { labels: { app: 'b' } } } } },
  '/replicationcontrollers': {
    object: { spec: { replicas: 2, selector: { app: 'a' }, template: template('a') } },
    change: { spec: { minReadySeconds: 3 } },
    status: { replicas: 2, readyReplicas: 1 },
  },
  '/resourcequotas': {
    object: { spec: { hard: { 'count/nothings.differential.example': '5', 'limits.cpu': '10' } } },
    change: { spec: { hard: { 'limits.cpu': '20' } } },
    status: { hard: { 'limits.cpu': '10' }, used: { 'limits.cpu': '1' } },
  },
  '/secrets': { object: { data: { a: 'MQ==' }, stringData: { s: 'text' } }, change: { data: { b: 'Mg==' } } },
  '/serviceaccounts': {
    object: { secrets: [{ name: 's' }], imagePullSecrets: [{ name: 'p' }], automountServiceAccountToken: false },
    change: { imagePullSecrets: [{ name: 'q' }] },
  },
  '/services': {
    object: { spec: { selector: { app: 'a' }, ports: [{ name: 'web', port: 80, targetPort: 8080 }] } },
    change: { spec: { sessionAffinity: 'ClientIP' } },
    status: { loadBalancer: {}, conditions: [condition] },
  },
  'apiregistration.k8s.io/apiservices': {
    object: {
      spec: {
        group: '{name}.example',
        version: 'v1',
        service: { name: 's', namespace: 'nowhere' },
        groupPriorityMinimum: 100,
        versionPriority: 10,
        insecureSkipTLSVerify: true,
      },
    },
    change: { spec: { versionPriority: 11 } },
    nameFor: (base) => `v1.${base}.example`,
  },
  'apps/controllerrevisions': { object: { revision: 3, data: { any: { thing: [1, 2] } } }, change: { revision: 4 } },
  'apps/daemonsets': {
    object: { spec: { selector, template: template('a') } },
    change: { spec: { minReadySeconds: 5 } },
    status: { currentNumberScheduled: 1, desiredNumberScheduled: 2, numberMisscheduled: 0, numberReady: 1 },
  },
  'apps/deployments': {
    object: { spec: { replicas: 3, selector, template: template('a') } },
    change: { spec: { replicas: 4, strategy: { rollingUpdate: { maxSurge: 2 } } } },
    status: { replicas: 3, updatedReplicas: 3, readyReplicas: 2, availableReplicas: 1, unavailableReplicas: 2 },
  },
  'apps/replicasets': {
    object: { spec: { replicas: 2, selector, template: template('a') } },
    change: { spec: { replicas: 1 } },
    status: { replicas: 2, fullyLabeledReplicas: 1 },
  },
  'apps/statefulsets': {
    object: {
      spec: {
        serviceName: 's',
        replicas: 2,
        selector,
        template: template('a'),
        volumeClaimTemplates: [
          { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
        ],
      },
    },
    change: { spec: { replicas: 1 } },
    status: { replicas: 2, readyReplicas: 1, availableReplicas: 1 },
  },
  'events.k8s.io/events': {
    object: {
      eventTime: '2020-01-01T00:00:00.000000Z',
      reportingController: 'differential.example/tester',
      reportingInstance: 'tester-1',
      action: 'Testing',
      reason: 'Tested',
      type: 'Normal',
      regarding: { kind: 'Pod', namespace: '{ns}', name: 'p' },
      note: 'something happened',
    },
    change: { series: { count: 2, lastObservedTime: '2020-01-01T00:01:00.000000Z' } },
  },
  'autoscaling/horizontalpodautoscalers': {
    object: { spec: { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, minReplicas: 1, maxReplicas: 5 } },
    change: { spec: { maxReplicas: 6 } },
    status: { currentReplicas: 1, desiredReplicas: 2 },
  },
  'batch/cronjobs': {
    object: {
      spec: {
        schedule: '*/5 * * * *',
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'OnFailure', containers: [container] } } } },
      },
    },
    change: { spec: { suspend: true } },
    status: { lastScheduleTime: '2020-01-01T00:00:00Z' },
  },
  'batch/jobs': {
    object: { spec: { completions: 2, template: { spec: { restartPolicy: 'Never', containers: [container] } } } },
    change: { spec: { parallelism: 3 } },
    status: { startTime: '2020-01-01T00:00:00Z', active: 1, ready: 0 },
  },
  'certificates.k8s.io/certificatesigningrequests': {
    object: { spec: { request: '{csr}', signerName: 'differential.example/signer', usages: ['digital signature', 'client auth'] } },
    change: { metadata: { labels: { more: 'yes' } } },
    status: { conditions: [{ type: 'Failed', status: 'True', reason: 'Why', message: 'not' }] },
  },
  'networking.k8s.io/ingressclasses': {
    object: { spec: { controller: 'differential.example/ingress' } },
    change: { metadata: { annotations: { note: 'x' } } },
  },
  'networking.k8s.io/ingresses': {
    object: {
      spec: {
        ingressClassName: 'c',
        tls: [{ hosts: ['a.example'], secretName: 't' }],
        rules: [
          {
            host: 'a.example',
            http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 's', port: { number: 80 } } } }] },
          },
        ],
      },
    },
    change: { spec: { defaultBackend: { service: { name: 'd', port: { name: 'web' } } } } },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
  },
  'networking.k8s.io/ipaddresses': {
    object: { spec: { parentRef: { resource: 'services', namespace: 'default', name: 'x' } } },
    change: { metadata: { labels: { more: 'yes' } } },
    nameFor: (base) => `10.96.0.${100 + (base.length % 100)}`,
  },
  'networking.k8s.io/networkpolicies': {
    object: { spec: { podSelector: { matchLabels: { app: 'a' } }, ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }] } },
    change: { spec: { policyTypes: ['Ingress', 'Egress'], egress: [{}] } },
  },
  'networking.k8s.io/servicecidrs': {
    object: { spec: { cidrs: ['10.97.0.0/24'] } },
    change: { metadata: { labels: { more: 'yes' } } },
    status: { conditions: [condition] },
  },
  'policy/poddisruptionbudgets': {
    object: { spec: { minAvailable: 1, selector } },
    change: { spec: { minAvailable: '50%' } },
    status: { disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 },
  },
  'rbac.authorization.k8s.io/clusterroles': {
    object: { rules },
    change: { rules: [...rules, { nonResourceURLs: ['/x'], verbs: ['get'] }] },
  },
  'rbac.authorization.k8s.io/clusterrolebindings': {
    object: {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'User', name: 'nobody' }],
    },
    change: { subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }] },
  },
  'rbac.authorization.k8s.io/roles': { object: { rules }, change: { rules: [] } },
  'rbac.authorization.k8s.io/rolebindings': {
    object: {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
      subjects: [{ kind: 'Group', name: 'nobodies' }],
    },
    change: { subjects: [] },
  },
  'storage.k8s.io/csidrivers': { object: { spec: { attachRequired: false } }, change: { spec: { requiresRepublish: true } } },
  'storage.k8s.io/csinodes': {
    object: { spec: { drivers: [{ name: 'd.example', nodeID: 'n', topologyKeys: ['zone'] }] } },
    change: { spec: { drivers: [] } },
  },
  'storage.k8s.io/csistoragecapacities': { object: { storageClassName: 'slow', capacity: '1Gi' }, change: { capacity: '2Gi' } },
  'storage.k8s.io/storageclasses': {
    object: { provisioner: 'differential.example/disk', parameters: { type: 'slow' } },
    change: { allowVolumeExpansion: true },
  },
  'storage.k8s.io/volumeattachments': {
    object: { spec: { attacher: 'd.example', nodeName: 'n', source: { persistentVolumeName: 'v' } } },
    change: { metadata: { labels: { more: 'yes' } } },
    status: { attached: true },
  },
  'storage.k8s.io/volumeattributesclasses': {
    object: { driverName: 'd.example', parameters: { iops: '100' } },
    change: { metadata: { labels: { more: 'yes' } } },
  },
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': {
    object: { webhooks: [hook('a.differential.example')] },
    change: { webhooks: [hook('b.differential.example')] },
  },
  'admissionregistration.k8s.io/validatingwebhookconfigurations': {
    object: { webhooks: [hook('a.differential.example')] },
    change: { webhooks: [hook('b.differential.example')] },
  },
  'admissionregistration.k8s.io/validatingadmissionpolicies': {
    object: {
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: ['differential.example'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['nothings'] }],
        },
        validations: [{ expression: 'object.metadata.name != "x"' }],
      },
    },
    change: { spec: { failurePolicy: 'Ignore' } },
    status: { observedGeneration: 1 },
  },
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': {
    object: { spec: { policyName: 'nothing', validationActions: ['Deny'] } },
    change: { spec: { validationActions: ['Warn', 'Audit'] } },
  },
  'apiextensions.k8s.io/customresourcedefinitions': {
    object: {
      spec: {
        group: 'kinds.differential.example',
        scope: 'Namespaced',
        names: { plural: '{name}', kind: 'Sample' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    },
    change: { metadata: { labels: { more: 'yes' } } },
    nameFor: (base) => `${base}.kinds.differential.example`,
  },
  'scheduling.k8s.io/priorityclasses': { object: { value: 10, description: 'low' }, change: { description: 'lower' } },
  'coordination.k8s.io/leases': {
    object: { spec: { holderIdentity: 'me', leaseDurationSeconds: 10, renewTime: '2020-01-01T00:00:00.000001Z' } },
    change: { spec: { leaseTransitions: 1 } },
  },
  'node.k8s.io/runtimeclasses': { object: { handler: 'fast' }, change: { metadata: { labels: { more: 'yes' } } } },
  'discovery.k8s.io/endpointslices': {
    object: {
      addressType: 'IPv4',
      endpoints: [{ addresses: ['192.0.2.1'], conditions: { ready: true } }],
      ports: [{ name: 'web', port: 80 }],
    },
    change: { endpoints: [{ addresses: ['192.0.2.2'] }] },
  },
  'resource.k8s.io/deviceclasses': {
    object: { spec: { selectors: [{ cel: { expression: 'device.driver == "d.example"' } }] } },
    change: { spec: { selectors: [] } },
  },
  'resource.k8s.io/resourceclaims': {
    object: { spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] } } },
    change: { metadata: { labels: { more: 'yes' } } },
    status: { reservedFor: [] },
  },
  'resource.k8s.io/resourceclaimtemplates': {
    object: { spec: { spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] } } } },
    change: { metadata: { labels: { more: 'yes' } } },
  },
  'resource.k8s.io/resourceslices': {
    object: {
      spec: {
        driver: 'd.example',
        nodeName: 'n',
        pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
        devices: [{ name: 'dev', attributes: { model: { string: 'x' } }, capacity: { memory: { value: '1Gi' } } }],
      },
    },
    change: { spec: { pool: { generation: 2 } } },
  },
  'flowcontrol.apiserver.k8s.io/flowschemas': {
    object: {
      spec: {
        priorityLevelConfiguration: { name: 'global-default' },
        matchingPrecedence: 9000,
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'nobody' } }],
            nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/nowhere'] }],
          },
        ],
      },
    },
    change: { spec: { matchingPrecedence: 9001 } },
    status: { conditions: [{ type: 'Dangling', status: 'False', reason: 'Found', lastTransitionTime: '2020-01-01T00:00:00Z' }] },
  },
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': {
    object: { spec: { type: 'Limited', limited: { nominalConcurrencyShares: 1, limitResponse: { type: 'Reject' } } } },
    change: { spec: { limited: { nominalConcurrencyShares: 2 } } },
    status: { conditions: [{ type: 'Tested', status: 'False', reason: 'Found', lastTransitionTime: '2020-01-01T00:00:00Z' }] },
  },
};

/** One a kind and version that can be created and read again. */
export const samples: readonly Sample[] = resources
  .filter(({ verbs }) => verbs.includes('create') && verbs.includes('get'))
  .map((fact) => {
    const sample = table[`${fact.group}/${fact.resource}`];
    if (!sample) throw new Error(`The corpus has no object of ${fact.group}/${fact.resource}`);
    return { fact, ...sample };
  });

export const sampleOf = (group: string, resource: string): Sample => {
  const found = samples.find(({ fact }) => fact.group === group && fact.resource === resource);
  if (!found) throw new Error(`The corpus has no object of ${group}/${resource}`);
  return found;
};

const replaced = (value: unknown, words: Record<string, string>): unknown => {
  if (typeof value === 'string') return value.replace(/\{(ns|name|csr)\}/g, (all, word: string) => words[word] ?? all);
  if (Array.isArray(value)) return value.map((item) => replaced(item, words));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, held]) => [key, replaced(held, words)]));
};

/** The sample as a whole object. `base` is its name where the kind leaves that free. */
export function objectOf(sample: Sample, base: string, namespace: string, metadata: Json = {}): Json {
  const { fact } = sample;
  const name = sample.nameFor?.(base) ?? base;
  return {
    apiVersion: fact.group ? `${fact.group}/${fact.version}` : fact.version,
    kind: fact.kind,
    metadata: { name, ...metadata },
    ...(replaced(sample.object, { ns: namespace, name: base, csr: signingRequest }) as Json),
  };
}

export const nameOf = (sample: Sample, base: string): string => sample.nameFor?.(base) ?? base;

/** Where the kind's objects are: "/apis/apps/v1/namespaces/x/deployments". */
export const pathOf = ({ fact: { group, version, resource, namespaced } }: Sample, namespace: string): string =>
  `${group ? `/apis/${group}` : '/api'}/${version}${namespaced ? `/namespaces/${namespace}` : ''}/${resource}`;
