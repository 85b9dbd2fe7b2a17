/** One of every kind of workload: how it is made, how it is changed, and when it is where it should be. */
import {
  ConfigMap,
  CronJob,
  DaemonSet,
  Deployment,
  HorizontalPodAutoscaler,
  Job,
  Pod,
  PodDisruptionBudget,
  ReplicaSet,
  ReplicationController,
  Secret,
  Service,
  StatefulSet,
} from '#api';
import type { Kind } from '#api';
import type { Random } from '#machinery/clock';
import type { KubeObject } from '#machinery/meta';

export interface Kept {
  kind: Kind;
  make(name: string, random: Random): KubeObject;
  /** Changes a copy. */
  change(object: any, random: Random): void; // oxlint-disable-line typescript/no-explicit-any -- one of many kinds
  /** Why it is not yet as it should be; undefined when it is. */
  lacks(object: any, machines: number): string | undefined; // oxlint-disable-line typescript/no-explicit-any -- one of many kinds
}

export const namespace = 'soak';
const upTo = (random: Random, most: number): number => 1 + Math.floor(random.next() * most);
const meta = (name: string) => ({ name, namespace, labels: { app: name } });
const template = (name: string, restartPolicy?: 'Never' | 'OnFailure') => ({
  metadata: { labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 1,
    ...(restartPolicy && { restartPolicy }),
    containers: [
      {
        name: 'c',
        image: 'soak/app:1',
        ...(restartPolicy && { command: ['true'] }),
        resources: { requests: { cpu: '10m', memory: '8Mi' } },
      },
    ],
  },
});
const selector = (name: string) => ({ matchLabels: { app: name } });
const short = (want: number, have: number | undefined): string | undefined =>
  want === (have ?? 0) ? undefined : `has ${have ?? 0} of ${want}`;
const behind = (object: { metadata?: { generation?: number }; status?: { observedGeneration?: number } }): string | undefined =>
  (object.status?.observedGeneration ?? 0) < (object.metadata?.generation ?? 0) ? 'was not looked at since its last change' : undefined;
const newImage = (object: { spec: { template: { spec: { containers: { image: string }[] } } } }, random: Random): void => {
  object.spec.template.spec.containers[0]!.image = `soak/app:${upTo(random, 1000)}`;
};

export const workloads: readonly Kept[] = [
  {
    kind: Deployment,
    make: (name, random) =>
      ({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: meta(name),
        spec: { replicas: upTo(random, 5), selector: selector(name), template: template(name) },
      }) as Deployment,
    change(object, random) {
      if (random.next() < 0.5) object.spec.replicas = upTo(random, 6);
      else newImage(object, random);
    },
    lacks: (object) =>
      behind(object) ??
      short(object.spec.replicas, object.status?.availableReplicas) ??
      short(object.spec.replicas, object.status?.updatedReplicas),
  },
  {
    kind: ReplicaSet,
    make: (name, random) =>
      ({
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        metadata: meta(name),
        spec: { replicas: upTo(random, 3), selector: selector(name), template: template(name) },
      }) as ReplicaSet,
    change: (object, random) => void (object.spec.replicas = upTo(random, 4)),
    lacks: (object) => behind(object) ?? short(object.spec.replicas, object.status?.availableReplicas),
  },
  {
    kind: StatefulSet,
    make: (name, random) =>
      ({
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: meta(name),
        spec: { serviceName: name, replicas: upTo(random, 3), selector: selector(name), template: template(name) },
      }) as StatefulSet,
    change(object, random) {
      if (random.next() < 0.5) object.spec.replicas = upTo(random, 4);
      else newImage(object, random);
    },
    lacks: (object) =>
      behind(object) ??
      short(object.spec.replicas, object.status?.readyReplicas) ??
      (object.status?.currentRevision === object.status?.updateRevision ? undefined : 'is between revisions'),
  },
  {
    kind: DaemonSet,
    make: (name) =>
      ({
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: meta(name),
        spec: { selector: selector(name), template: template(name) },
      }) as DaemonSet,
    change: newImage,
    lacks: (object, machines) =>
      behind(object) ?? short(machines, object.status?.numberAvailable) ?? short(machines, object.status?.updatedNumberScheduled),
  },
  {
    kind: Job,
    make: (name, random) =>
      ({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: meta(name),
        spec: { completions: upTo(random, 3), parallelism: 2, backoffLimit: 100, template: template(name, 'Never') },
      }) as Job,
    change: (object, random) => void (object.metadata.labels['changed'] = String(upTo(random, 1e6))),
    lacks: (object) =>
      object.status?.conditions?.some(({ type, status }: { type: string; status: string }) => type === 'Complete' && status === 'True')
        ? undefined
        : 'is not complete',
  },
  {
    kind: CronJob,
    make: (name) =>
      ({
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: meta(name),
        spec: {
          schedule: '* * * * *',
          successfulJobsHistoryLimit: 1,
          failedJobsHistoryLimit: 1,
          concurrencyPolicy: 'Forbid',
          jobTemplate: { spec: { template: template(name, 'Never') } },
        },
      }) as unknown as CronJob,
    change: (object) => void (object.spec.suspend = !object.spec.suspend),
    lacks: () => undefined,
  },
  {
    kind: ReplicationController,
    make: (name, random) =>
      ({
        apiVersion: 'v1',
        kind: 'ReplicationController',
        metadata: meta(name),
        spec: { replicas: upTo(random, 3), selector: { app: name }, template: template(name) },
      }) as ReplicationController,
    change: (object, random) => void (object.spec.replicas = upTo(random, 4)),
    lacks: (object) => behind(object) ?? short(object.spec.replicas, object.status?.availableReplicas),
  },
  {
    kind: Pod,
    make: (name) => ({ apiVersion: 'v1', kind: 'Pod', metadata: meta(name), spec: template(name).spec }) as Pod,
    change: (object, random) => void (object.metadata.labels['changed'] = String(upTo(random, 1e6))),
    // A pod of its own whose machine was lost for a while is gone for good; nobody owes it a new one.
    lacks: (object) => (['Running', 'Succeeded', 'Failed'].includes(object.status?.phase ?? '') ? undefined : `is ${object.status?.phase}`),
  },
  {
    kind: Service,
    make: (name) =>
      ({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: meta(name),
        spec: { selector: { app: name }, ports: [{ port: 80, protocol: 'TCP' }] },
      }) as Service,
    change: (object, random) => void (object.spec.ports[0].port = 1000 + upTo(random, 1000)),
    lacks: () => undefined,
  },
  {
    kind: PodDisruptionBudget,
    make: (name) =>
      ({
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: meta(name),
        spec: { minAvailable: 1, selector: selector(name) },
      }) as PodDisruptionBudget,
    change: (object, random) => void (object.spec.minAvailable = upTo(random, 3)),
    lacks: behind,
  },
  {
    kind: HorizontalPodAutoscaler,
    make: (name) =>
      ({
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: meta(name),
        spec: { minReplicas: 1, maxReplicas: 4, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name } },
      }) as HorizontalPodAutoscaler,
    change: (object, random) => void (object.spec.maxReplicas = 2 + upTo(random, 4)),
    lacks: () => undefined,
  },
  {
    kind: ConfigMap,
    make: (name) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: meta(name), data: { a: 'b' } }) as ConfigMap,
    change: (object, random) => void (object.data = { a: String(upTo(random, 1e6)) }),
    lacks: () => undefined,
  },
  {
    kind: Secret,
    make: (name) => ({ apiVersion: 'v1', kind: 'Secret', metadata: meta(name), data: { a: 'Yg==' } }) as Secret,
    change: (object, random) => void (object.data = { a: Buffer.from(String(upTo(random, 1e6))).toString('base64') }),
    lacks: () => undefined,
  },
];
