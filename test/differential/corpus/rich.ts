/** Objects that say much, so that their leaves reach the rules of many fields. */
import { sampleOf } from './kinds.ts';
import type { Json, Sample } from './kinds.ts';

const web = { name: 'web', image: 'registry.example/web:1' };
const probe = { httpGet: { path: '/', port: 'http', scheme: 'HTTP', httpHeaders: [{ name: 'X-A', value: 'b' }] }, periodSeconds: 5 };
const expressions = [{ key: 'zone', operator: 'In', values: ['a', 'b'] }];

const pods: Record<string, Json> = {
  containers: {
    containers: [
      {
        ...web,
        command: ['run'],
        args: ['$(A)'],
        workingDir: '/tmp',
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP', hostPort: 30071 }],
        envFrom: [{ prefix: 'P_', configMapRef: { name: 'c', optional: true } }],
        env: [
          { name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
        ],
        resources: { requests: { cpu: '100m', memory: '10Mi' }, limits: { cpu: '1', memory: '20Mi' } },
        imagePullPolicy: 'Always',
        terminationMessagePath: '/dev/log',
        terminationMessagePolicy: 'File',
        livenessProbe: { ...probe, terminationGracePeriodSeconds: 3 },
        readinessProbe: { tcpSocket: { port: 8080 }, failureThreshold: 2 },
        startupProbe: { exec: { command: ['true'] }, initialDelaySeconds: 1, timeoutSeconds: 2, successThreshold: 1 },
        lifecycle: { postStart: { exec: { command: ['true'] } }, preStop: { sleep: { seconds: 3 } } },
        stdin: true,
        tty: true,
      },
    ],
    initContainers: [
      { name: 'init', image: 'registry.example/init', restartPolicy: 'Always', startupProbe: { grpc: { port: 1, service: 's' } } },
    ],
    terminationGracePeriodSeconds: 10,
    activeDeadlineSeconds: 60,
    restartPolicy: 'Always',
  },
  security: {
    containers: [
      {
        ...web,
        securityContext: {
          privileged: false,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          runAsUser: 10,
          runAsGroup: 11,
          runAsNonRoot: true,
          procMount: 'Default',
          capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
          seLinuxOptions: { level: 's0' },
          seccompProfile: { type: 'Localhost', localhostProfile: 'p.json' },
          appArmorProfile: { type: 'RuntimeDefault' },
        },
      },
    ],
    securityContext: {
      runAsUser: 1,
      runAsGroup: 2,
      fsGroup: 3,
      supplementalGroups: [4],
      supplementalGroupsPolicy: 'Merge',
      fsGroupChangePolicy: 'OnRootMismatch',
      sysctls: [{ name: 'kernel.shm_rmid_forced', value: '1' }],
      seccompProfile: { type: 'RuntimeDefault' },
    },
    hostNetwork: false,
    hostPID: false,
    shareProcessNamespace: true,
    automountServiceAccountToken: false,
    serviceAccountName: 'default',
  },
  scheduling: {
    containers: [web],
    nodeSelector: { zone: 'a' },
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: expressions, matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] }],
        },
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, preference: { matchExpressions: expressions } }],
      },
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'zone', labelSelector: { matchLabels: { app: 'a' } }, namespaces: ['x'], matchLabelKeys: ['version'] },
        ],
      },
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 7, podAffinityTerm: { topologyKey: 'zone', namespaceSelector: {} } }],
      },
    },
    tolerations: [
      { key: 'k', operator: 'Equal', value: 'v', effect: 'NoExecute', tolerationSeconds: 5 },
      { key: 'other', operator: 'Exists' },
    ],
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'zone',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { app: 'a' } },
        minDomains: 2,
        nodeAffinityPolicy: 'Honor',
        nodeTaintsPolicy: 'Ignore',
      },
    ],
    schedulerName: 'other',
    schedulingGates: [{ name: 'differential.example/gate' }],
    hostname: 'h',
    subdomain: 's',
    setHostnameAsFQDN: false,
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['192.0.2.53'], searches: ['a.example'], options: [{ name: 'ndots', value: '2' }] },
    hostAliases: [{ ip: '192.0.2.1', hostnames: ['a.example'] }],
    readinessGates: [{ conditionType: 'differential.example/ready' }],
    enableServiceLinks: false,
    overhead: undefined,
  },
  volumes: {
    containers: [
      {
        ...web,
        volumeMounts: [
          { name: 'empty', mountPath: '/e', readOnly: true, subPath: 'x', mountPropagation: 'None', recursiveReadOnly: 'Disabled' },
          { name: 'config', mountPath: '/c', subPathExpr: '$(A)' },
        ],
        volumeDevices: [{ name: 'claim', devicePath: '/dev/d' }],
      },
    ],
    volumes: [
      { name: 'empty', emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } },
      { name: 'config', configMap: { name: 'c', defaultMode: 420, items: [{ key: 'k', path: 'p', mode: 256 }], optional: true } },
      { name: 'claim', persistentVolumeClaim: { claimName: 'x', readOnly: true } },
    ],
  },
  'volume secret': { containers: [web], volumes: [{ name: 'v', secret: { secretName: 's', items: [{ key: 'k', path: 'p' }] } }] },
  'volume host': { containers: [web], volumes: [{ name: 'v', hostPath: { path: '/x', type: 'DirectoryOrCreate' } }] },
  'volume projected': {
    containers: [web],
    volumes: [
      {
        name: 'v',
        projected: {
          defaultMode: 292,
          sources: [
            {
              serviceAccountToken: { audience: 'a', expirationSeconds: 3600, path: 't' },
            },
            { downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] } },
            { configMap: { name: 'c', items: [{ key: 'k', path: 'q' }] } },
            { clusterTrustBundle: { name: 'b', path: 'z' } },
          ],
        },
      },
    ],
  },
  'volume downward': {
    containers: [web],
    volumes: [
      {
        name: 'v',
        downwardAPI: {
          items: [{ path: 'cpu', resourceFieldRef: { containerName: 'web', resource: 'limits.cpu', divisor: '1m' }, mode: 256 }],
        },
      },
    ],
  },
  'volume csi': {
    containers: [web],
    volumes: [
      {
        name: 'v',
        csi: { driver: 'd.example', readOnly: true, fsType: 'ext4', volumeAttributes: { a: 'b' }, nodePublishSecretRef: { name: 's' } },
      },
    ],
  },
  'volume nfs': { containers: [web], volumes: [{ name: 'v', nfs: { server: 's', path: '/p' } }] },
  'volume image': { containers: [web], volumes: [{ name: 'v', image: { reference: 'registry.example/data:1', pullPolicy: 'Always' } }] },
  'volume iscsi': {
    containers: [web],
    volumes: [{ name: 'v', iscsi: { targetPortal: '192.0.2.1:3260', iqn: 'iqn.2001-04.com.example:storage', lun: 0 } }],
  },
  'volume ephemeral': {
    containers: [web],
    volumes: [
      {
        name: 'v',
        ephemeral: {
          volumeClaimTemplate: {
            metadata: { labels: { a: 'b' } },
            spec: {
              accessModes: ['ReadWriteOnce'],
              resources: { requests: { storage: '1Gi' } },
              volumeMode: 'Filesystem',
              storageClassName: 'c',
            },
          },
        },
      },
    ],
  },
  resources: {
    containers: [
      { ...web, resources: { claims: [{ name: 'gpu', request: 'r' }], limits: { 'hugepages-2Mi': '2Mi', memory: '1Gi', cpu: '1' } } },
    ],
    resourceClaims: [{ name: 'gpu', resourceClaimName: 'claim' }],
    resources: { requests: { cpu: '2' }, limits: { cpu: '3' } },
    os: { name: 'linux' },
    preemptionPolicy: 'PreemptLowerPriority',
  },
  windows: {
    containers: [{ ...web, securityContext: { windowsOptions: { runAsUserName: 'ContainerUser', hostProcess: false } } }],
    os: { name: 'windows' },
    securityContext: { windowsOptions: { gmsaCredentialSpecName: 'spec' } },
  },
};

const others: [string, string, string, Json][] = [
  [
    '',
    'services',
    'service cluster',
    {
      spec: {
        type: 'ClusterIP',
        selector: { app: 'a' },
        ports: [
          { name: 'web', port: 80, targetPort: 'http', protocol: 'TCP', appProtocol: 'kubernetes.io/h2c' },
          { name: 'dns', port: 53, protocol: 'UDP' },
        ],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
        clusterIP: '10.96.0.7',
        internalTrafficPolicy: 'Local',
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        externalIPs: ['192.0.2.3'],
        publishNotReadyAddresses: true,
        trafficDistribution: 'PreferClose',
      },
    },
  ],
  [
    '',
    'services',
    'service balanced',
    {
      spec: {
        type: 'LoadBalancer',
        ports: [{ port: 80, nodePort: 30072 }],
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 30073,
        loadBalancerSourceRanges: ['192.0.2.0/24'],
        allocateLoadBalancerNodePorts: true,
        loadBalancerClass: 'differential.example/lb',
        loadBalancerIP: '192.0.2.4',
      },
    },
  ],
  ['', 'services', 'service named', { spec: { type: 'ExternalName', externalName: 'a.example' } }],
  ['', 'services', 'service headless', { spec: { clusterIP: 'None', ports: [{ port: 1 }], selector: { a: 'b' } } }],
  [
    'apps',
    'deployments',
    'deployment',
    {
      spec: {
        replicas: 3,
        minReadySeconds: 2,
        revisionHistoryLimit: 4,
        progressDeadlineSeconds: 600,
        paused: true,
        selector: { matchLabels: { app: 'a' }, matchExpressions: [{ key: 'app', operator: 'In', values: ['a'] }] },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } },
        template: { metadata: { labels: { app: 'a' }, annotations: { note: 'x' } }, spec: { containers: [web], restartPolicy: 'Always' } },
      },
    },
  ],
  [
    'apps',
    'statefulsets',
    'stateful set',
    {
      spec: {
        serviceName: 's',
        replicas: 2,
        podManagementPolicy: 'Parallel',
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Retain' },
        ordinals: { start: 3 },
        minReadySeconds: 1,
        selector: { matchLabels: { app: 'a' } },
        template: { metadata: { labels: { app: 'a' } }, spec: { containers: [web] } },
      },
    },
  ],
  [
    'apps',
    'daemonsets',
    'daemon set',
    {
      spec: {
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%', maxSurge: 0 } },
        revisionHistoryLimit: 2,
        selector: { matchLabels: { app: 'a' } },
        template: { metadata: { labels: { app: 'a' } }, spec: { containers: [web] } },
      },
    },
  ],
  [
    'batch',
    'jobs',
    'job',
    {
      spec: {
        parallelism: 2,
        completions: 4,
        completionMode: 'Indexed',
        backoffLimitPerIndex: 1,
        maxFailedIndexes: 2,
        activeDeadlineSeconds: 100,
        ttlSecondsAfterFinished: 60,
        suspend: true,
        podReplacementPolicy: 'Failed',
        managedBy: 'differential.example/manager',
        podFailurePolicy: {
          rules: [
            { action: 'FailJob', onExitCodes: { containerName: 'web', operator: 'In', values: [1, 2] } },
            { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
          ],
        },
        successPolicy: { rules: [{ succeededIndexes: '0-1', succeededCount: 1 }] },
        template: { spec: { restartPolicy: 'Never', containers: [web] } },
      },
    },
  ],
  [
    'batch',
    'cronjobs',
    'cron job',
    {
      spec: {
        schedule: '0 0 * * *',
        timeZone: 'Etc/UTC',
        startingDeadlineSeconds: 30,
        concurrencyPolicy: 'Forbid',
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 2,
        jobTemplate: {
          metadata: { labels: { a: 'b' } },
          spec: { backoffLimit: 3, template: { spec: { restartPolicy: 'OnFailure', containers: [web] } } },
        },
      },
    },
  ],
  [
    'autoscaling',
    'horizontalpodautoscalers',
    'autoscaler',
    {
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
        minReplicas: 2,
        maxReplicas: 5,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
          { type: 'Pods', pods: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '5' } } },
        ],
        behavior: {
          scaleUp: { stabilizationWindowSeconds: 5, selectPolicy: 'Max', policies: [{ type: 'Pods', value: 4, periodSeconds: 60 }] },
          scaleDown: { policies: [{ type: 'Percent', value: 10, periodSeconds: 60 }] },
        },
      },
    },
  ],
  [
    'networking.k8s.io',
    'networkpolicies',
    'network policy',
    {
      spec: {
        podSelector: { matchExpressions: [{ key: 'a', operator: 'Exists' }] },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [
          { ports: [{ port: 80, endPort: 90, protocol: 'TCP' }], from: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.8/32'] } }] },
        ],
        egress: [{ to: [{ namespaceSelector: { matchLabels: { a: 'b' } }, podSelector: {} }] }],
      },
    },
  ],
  [
    'networking.k8s.io',
    'ingresses',
    'ingress',
    {
      spec: {
        ingressClassName: 'c',
        defaultBackend: { resource: { apiGroup: 'a.example', kind: 'Bucket', name: 'b' } },
        tls: [{ hosts: ['*.a.example'], secretName: 't' }],
        rules: [
          {
            host: '*.a.example',
            http: { paths: [{ path: '/a', pathType: 'Exact', backend: { service: { name: 's', port: { name: 'web' } } } }] },
          },
        ],
      },
    },
  ],
  [
    '',
    'persistentvolumes',
    'persistent volume',
    {
      spec: {
        capacity: { storage: '2Gi' },
        accessModes: ['ReadWriteMany'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: 'slow',
        mountOptions: ['ro'],
        volumeMode: 'Filesystem',
        csi: {
          driver: 'd.example',
          volumeHandle: 'h',
          fsType: 'ext4',
          volumeAttributes: { a: 'b' },
          nodeStageSecretRef: { name: 's', namespace: 'n' },
        },
        claimRef: { namespace: 'default', name: 'c' },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: expressions }] } },
      },
    },
  ],
  [
    '',
    'persistentvolumeclaims',
    'claim',
    {
      spec: {
        accessModes: ['ReadWriteOncePod'],
        resources: { requests: { storage: '1Gi' }, limits: { storage: '2Gi' } },
        volumeMode: 'Block',
        selector: { matchLabels: { a: 'b' } },
        storageClassName: 'slow',
        volumeName: 'v',
        dataSourceRef: { apiGroup: 'snapshot.example', kind: 'Snapshot', name: 's' },
        volumeAttributesClassName: 'gold',
      },
    },
  ],
  [
    '',
    'nodes',
    'node',
    {
      spec: {
        podCIDRs: ['10.244.8.0/24'],
        podCIDR: '10.244.8.0/24',
        providerID: 'x://y',
        taints: [{ key: 'a', value: 'b', effect: 'NoExecute' }],
        unschedulable: true,
      },
    },
  ],
  [
    '',
    'limitranges',
    'limit range',
    {
      spec: {
        limits: [
          {
            type: 'Container',
            max: { cpu: '4', memory: '2Gi' },
            min: { cpu: '10m' },
            default: { cpu: '1' },
            defaultRequest: { cpu: '500m' },
            maxLimitRequestRatio: { cpu: '10' },
          },
          { type: 'PersistentVolumeClaim', min: { storage: '1Gi' } },
        ],
      },
    },
  ],
  [
    '',
    'resourcequotas',
    'quota',
    {
      spec: {
        hard: { pods: '5', 'requests.cpu': '3', 'count/jobs.batch': '2' },
        scopes: ['NotTerminating'],
        scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] },
      },
    },
  ],
  ['', 'secrets', 'secret tls', { type: 'kubernetes.io/tls', data: { 'tls.crt': 'MQ==', 'tls.key': 'Mg==' } }],
  ['', 'secrets', 'secret basic', { type: 'kubernetes.io/basic-auth', data: { username: 'MQ==' }, immutable: true }],
  ['', 'secrets', 'secret docker', { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'e30=' } }],
  ['', 'configmaps', 'config', { data: { 'a.b': 'x' }, binaryData: { c: 'AAEC' }, immutable: true }],
  [
    'discovery.k8s.io',
    'endpointslices',
    'endpoint slice',
    {
      addressType: 'IPv4',
      endpoints: [
        {
          addresses: ['192.0.2.1'],
          conditions: { ready: true, serving: true, terminating: false },
          hostname: 'h',
          nodeName: 'n',
          zone: 'z',
          hints: { forZones: [{ name: 'z' }] },
          targetRef: { kind: 'Pod', name: 'p', namespace: 'x' },
          deprecatedTopology: { a: 'b' },
        },
      ],
      ports: [{ name: 'web', port: 80, protocol: 'TCP', appProtocol: 'http' }],
    },
  ],
  [
    'policy',
    'poddisruptionbudgets',
    'disruption budget',
    { spec: { maxUnavailable: '30%', selector: { matchLabels: { a: 'b' } }, unhealthyPodEvictionPolicy: 'AlwaysAllow' } },
  ],
  [
    'storage.k8s.io',
    'storageclasses',
    'storage class',
    {
      provisioner: 'd.example',
      parameters: { a: 'b' },
      reclaimPolicy: 'Retain',
      mountOptions: ['ro'],
      allowVolumeExpansion: false,
      volumeBindingMode: 'WaitForFirstConsumer',
      allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: ['a'] }] }],
    },
  ],
  [
    'storage.k8s.io',
    'csidrivers',
    'driver',
    {
      spec: {
        attachRequired: true,
        podInfoOnMount: true,
        volumeLifecycleModes: ['Persistent', 'Ephemeral'],
        storageCapacity: true,
        fsGroupPolicy: 'File',
        tokenRequests: [{ audience: 'a', expirationSeconds: 3600 }],
        requiresRepublish: true,
        seLinuxMount: true,
        nodeAllocatableUpdatePeriodSeconds: 20,
      },
    },
  ],
  [
    'node.k8s.io',
    'runtimeclasses',
    'runtime class',
    {
      handler: 'fast',
      overhead: { podFixed: { cpu: '10m' } },
      scheduling: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule' }] },
    },
  ],
  [
    'flowcontrol.apiserver.k8s.io',
    'prioritylevelconfigurations',
    'priority level',
    {
      spec: {
        type: 'Limited',
        limited: {
          nominalConcurrencyShares: 5,
          lendablePercent: 10,
          borrowingLimitPercent: 20,
          limitResponse: { type: 'Queue', queuing: { queues: 8, handSize: 3, queueLengthLimit: 10 } },
        },
      },
    },
  ],
  [
    'flowcontrol.apiserver.k8s.io',
    'flowschemas',
    'flow schema',
    {
      spec: {
        priorityLevelConfiguration: { name: 'global-default' },
        matchingPrecedence: 9000,
        distinguisherMethod: { type: 'ByUser' },
        rules: [
          {
            subjects: [
              { kind: 'ServiceAccount', serviceAccount: { namespace: 'n', name: 'a' } },
              { kind: 'Group', group: { name: 'g' } },
            ],
            resourceRules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'], namespaces: ['nowhere'], clusterScope: false }],
          },
        ],
      },
    },
  ],
  [
    'admissionregistration.k8s.io',
    'validatingwebhookconfigurations',
    'webhook',
    {
      webhooks: [
        {
          name: 'a.differential.example',
          clientConfig: { service: { namespace: 'n', name: 's', path: '/p', port: 443 }, caBundle: 'Cg==' },
          rules: [
            {
              apiGroups: ['differential.example'],
              apiVersions: ['v1'],
              operations: ['CREATE'],
              resources: ['nothings'],
              scope: 'Namespaced',
            },
          ],
          failurePolicy: 'Fail',
          matchPolicy: 'Exact',
          namespaceSelector: { matchLabels: { a: 'b' } },
          objectSelector: { matchExpressions: expressions },
          sideEffects: 'NoneOnDryRun',
          timeoutSeconds: 3,
          admissionReviewVersions: ['v1', 'v1beta1'],
          matchConditions: [{ name: 'c', expression: 'object.metadata.name == "x"' }],
        },
      ],
    },
  ],
  [
    'admissionregistration.k8s.io',
    'validatingadmissionpolicies',
    'admission policy',
    {
      spec: {
        failurePolicy: 'Fail',
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        matchConstraints: {
          matchPolicy: 'Equivalent',
          namespaceSelector: { matchLabels: { a: 'b' } },
          resourceRules: [
            { apiGroups: ['differential.example'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['nothings'] },
          ],
        },
        matchConditions: [{ name: 'c', expression: 'object.metadata.name == "x"' }],
        variables: [{ name: 'v', expression: 'object.metadata.name' }],
        validations: [
          { expression: 'variables.v != params.data.x', message: 'no', reason: 'Invalid', messageExpression: '"not " + variables.v' },
        ],
        auditAnnotations: [{ key: 'k', valueExpression: '"v"' }],
      },
    },
  ],
  [
    'admissionregistration.k8s.io',
    'validatingadmissionpolicybindings',
    'admission binding',
    {
      spec: {
        policyName: 'nothing',
        paramRef: { name: 'p', namespace: 'n', parameterNotFoundAction: 'Deny' },
        matchResources: { objectSelector: { matchLabels: { a: 'b' } } },
        validationActions: ['Deny', 'Audit'],
      },
    },
  ],
  [
    'resource.k8s.io',
    'resourceclaims',
    'resource claim',
    {
      spec: {
        devices: {
          requests: [
            {
              name: 'r',
              exactly: {
                deviceClassName: 'c',
                allocationMode: 'ExactCount',
                count: 2,
                selectors: [{ cel: { expression: 'device.driver == "d"' } }],
              },
            },
            { name: 'f', firstAvailable: [{ name: 's', deviceClassName: 'c' }] },
          ],
          constraints: [{ requests: ['r'], matchAttribute: 'd.example/model' }],
          config: [{ requests: ['r'], opaque: { driver: 'd.example', parameters: { a: 1 } } }],
        },
      },
    },
  ],
  [
    'certificates.k8s.io',
    'certificatesigningrequests',
    'signing request',
    {
      spec: {
        request: '{csr}',
        signerName: 'kubernetes.io/kube-apiserver-client',
        usages: ['digital signature', 'client auth'],
        expirationSeconds: 3600,
      },
    },
  ],
  [
    'rbac.authorization.k8s.io',
    'clusterroles',
    'cluster role',
    {
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
      rules: [
        { apiGroups: [''], resources: ['pods'], resourceNames: ['p'], verbs: ['get'] },
        { nonResourceURLs: ['/x'], verbs: ['get'] },
      ],
    },
  ],
];

export function richSamples(): { title: string; sample: Sample }[] {
  const pod = sampleOf('', 'pods');
  const clean = (value: Json): Json => JSON.parse(JSON.stringify(value)) as Json;
  return [
    ...Object.entries(pods).map(([title, spec]) => ({ title: `pod ${title}`, sample: { ...pod, object: clean({ spec }) } })),
    ...others.map(([group, resource, title, object]) => ({ title, sample: { ...sampleOf(group, resource), object: clean(object) } })),
  ];
}
