/** The controllers against the API server, with authorization: what unit tests on a fake cannot show. Kubelets are played. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, Kind, Pod } from '#api';
import * as api from '#api';
import type { Client } from '#client';
import { informersOver } from '#client';
import { systemClock, systemRandom, timestamp } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { silentLog } from '#machinery/log';
import type { KubeObject } from '#machinery/meta';
import { draft } from '#machinery/meta';
import { isConflict, isNotFound } from '#machinery/status';
import { memoryStore } from '#store';
import { clusterCertificates, memoryPems } from '../src/cluster/certificates.ts';
import { startControlPlane } from '../src/cluster/control-plane.ts';

const admin = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };
const clock = systemClock;
const random = systemRandom;

interface Cluster extends AsyncDisposable {
  client: Client;
  complaints: string[];
  /** Resolves when `test` gives something, tried at every change of the kind. */
  until<T extends KubeObject, R>(kind: Kind<T>, test: (objects: T[]) => R | undefined | false, what: string): Promise<R>;
}

async function cluster(): Promise<Cluster> {
  const complaints: string[] = [];
  const stopping = new AbortController();
  const log: Log = {
    ...silentLog,
    warn: (message, keys) =>
      void complaints.push(
        `${message} ${JSON.stringify({ ...keys, error: String((keys?.['error'] as Error)?.stack ?? keys?.['error']) })}`,
      ),
    error: (message, keys) =>
      void complaints.push(
        `${message} ${JSON.stringify({ ...keys, error: String((keys?.['error'] as Error)?.stack ?? keys?.['error']) })}`,
      ),
    with: () => log,
  };
  const certificates = clusterCertificates({ clock, pems: memoryPems(), clusterDomain: 'cluster.local', apiAddresses: ['127.0.0.1'] });
  const plane = await startControlPlane(
    {
      config: {
        name: 'test',
        runtime: 'simulated',
        machines: 0,
        port: 6443,
        podCidr: '10.244.0.0/16',
        serviceCidr: '10.96.0.0/16',
        clusterDomain: 'cluster.local',
        dnsAddress: '10.96.0.10',
        form: 1,
      },
      certificates,
      store: memoryStore({ clock, random }),
      advertise: { address: '192.0.2.1', port: 6443 },
      freeze: true,
    },
    { clock, random, log, signal: stopping.signal },
  );
  await plane.ready;
  const client = plane.server.clientFor(admin);
  const informers = informersOver(client, { clock, random, log, freeze: true });
  await client.create(api.Node, { metadata: { name: 'n1' } });
  const now = timestamp(clock);
  const node = draft(await client.get(api.Node, { name: 'n1' }));
  node.status = {
    capacity: { cpu: '64', memory: '256Gi', pods: '500' },
    allocatable: { cpu: '64', memory: '256Gi', pods: '500' },
    conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: '', lastHeartbeatTime: now, lastTransitionTime: now }],
  };
  await client.updateStatus(api.Node, node);
  const play = async (pod: Pod): Promise<void> => {
    const ref = { namespace: pod.metadata!.namespace!, name: pod.metadata!.name! };
    try {
      if (pod.metadata!.deletionTimestamp) await client.delete(api.Pod, ref, { gracePeriodSeconds: 0 });
      else if (pod.spec?.nodeName && pod.status?.phase === 'Pending') {
        const ends = pod.metadata!.labels?.['ends'];
        const phase = ends ? 'Succeeded' : 'Running';
        const at = timestamp(clock);
        await client.patch(
          api.Pod,
          ref,
          'strategic',
          {
            status: {
              phase,
              podIP: `10.244.0.${1 + Math.floor(random.next() * 250)}`,
              conditions: [{ type: 'Ready', status: ends ? 'False' : 'True', lastTransitionTime: at }],
              containerStatuses: pod.spec.containers.map(({ name, image }) => ({
                name,
                image: image ?? '',
                imageID: '',
                ready: !ends,
                restartCount: 0,
                state: ends ? { terminated: { exitCode: 0, startedAt: at, finishedAt: at } } : { running: { startedAt: at } },
              })),
            },
          },
          { subresource: 'status' },
        );
      }
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) complaints.push(`kubelet: ${String(error)}`);
    }
  };
  informers.for(api.Pod).on({ added: (pod) => void play(pod), updated: (pod) => void play(pod) });
  return {
    client,
    complaints,
    async until(kind, check, what) {
      const informer = informers.for(kind);
      await informer.synced;
      return new Promise((resolve, reject) => {
        const timer = clock.setTimeout(() => {
          subscription[Symbol.dispose]();
          reject(
            new Error(
              `Not within 10 s: ${what}; ${complaints.slice(-5).join('\n')}; ${JSON.stringify(informer.list().map((each) => [each.metadata?.name, (each as { status?: unknown }).status]))}`,
            ),
          );
        }, 10_000);
        const look = (): void => {
          const found = check(informer.list());
          if (!found) return;
          timer.cancel();
          queueMicrotask(() => subscription[Symbol.dispose]());
          resolve(found);
        };
        const subscription = informer.on({ added: look, updated: look, deleted: look });
        look();
      });
    },
    async [Symbol.asyncDispose]() {
      await informers.stop();
      stopping.abort();
      await plane.stop();
    },
  };
}

const template = (labels: Record<string, string>) => ({
  metadata: { labels },
  spec: { containers: [{ name: 'main', image: 'registry.k8s.io/pause:3.10' }] },
});
const named =
  (name: string) =>
  <T extends KubeObject>(objects: T[]): T | undefined =>
    objects.find((each) => each.metadata?.name === name);

test('controllers run workloads on the real API', async (t) => {
  await using c = await cluster();
  const { client } = c;
  const namespace = 'demo';
  await client.create(api.Namespace, { metadata: { name: namespace } });

  await t.test('a namespace has its account and CA', async () => {
    await c.until(api.ServiceAccount, (all) => all.some(({ metadata }) => metadata!.namespace === namespace), 'service account');
    await c.until(api.ConfigMap, (all) => all.some(({ metadata }) => metadata!.namespace === namespace), 'CA');
  });

  await t.test('a Deployment comes up, rolls, scales, and has endpoints', async () => {
    const labels = { app: 'web' };
    await client.create(api.Service, { metadata: { name: 'web', namespace }, spec: { selector: labels, ports: [{ port: 80 }] } });
    await client.create(api.Deployment, {
      metadata: { name: 'web', namespace },
      spec: { replicas: 5, selector: { matchLabels: labels }, template: template(labels) },
    });
    const available = (count: number, generation: number) => (all: Deployment[]) => {
      const status = named('web')(all)?.status;
      return (
        status?.availableReplicas === count &&
        status.updatedReplicas === count &&
        status.replicas === count &&
        (status.observedGeneration ?? 0) >= generation
      );
    };
    await c.until(api.Deployment, available(5, 1), 'available');
    await c.until(
      api.EndpointSlice,
      (all) => all.some(({ metadata, endpoints }) => metadata!.labels?.['kubernetes.io/service-name'] === 'web' && endpoints.length === 5),
      'slice',
    );
    await c.until(api.Endpoints, (all) => (named('web')(all)?.subsets?.[0]?.addresses?.length ?? 0) > 0, 'endpoints');
    const next = draft(await client.get(api.Deployment, { namespace, name: 'web' }));
    next.spec!.template.spec!.containers[0]!.image = 'registry.k8s.io/pause:3.9';
    next.spec!.replicas = 3;
    await client.update(api.Deployment, next);
    await c.until(api.Deployment, available(3, 2), 'rolled');
    const revision = (await client.get(api.Deployment, { namespace, name: 'web' })).metadata!.annotations?.[
      'deployment.kubernetes.io/revision'
    ];
    assert.equal(revision, '2');
  });

  await t.test('a StatefulSet, a DaemonSet, a Job and a CronJob do theirs', async () => {
    const labels = { app: 'ss' };
    await client
      .create(api.StatefulSet, {
        metadata: { name: 'ss', namespace },
        spec: {
          replicas: 2,
          serviceName: 'ss',
          selector: { matchLabels: labels },
          template: template(labels),
          volumeClaimTemplates: [
            { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } } },
          ],
        },
      })
      .catch((error: unknown) => assert.fail(String(error)));
    const daemon = { app: 'ds' };
    await client.create(api.DaemonSet, {
      metadata: { name: 'ds', namespace },
      spec: { selector: { matchLabels: daemon }, template: template(daemon) },
    });
    await client.create(api.Job, {
      metadata: { name: 'job', namespace },
      spec: {
        completions: 4,
        parallelism: 2,
        completionMode: 'Indexed',
        template: { ...template({ ends: 'well' }), spec: { ...template({}).spec, restartPolicy: 'Never' } },
      },
    });
    await c.until(api.DaemonSet, (all) => named('ds')(all)?.status?.numberAvailable === 1, 'daemon');
    const job = await c.until(
      api.Job,
      (all) => {
        const found = named('job')(all);
        return found?.status?.conditions?.some(({ type }) => type === 'Complete') && found;
      },
      'job',
    );
    assert.deepEqual([job.status!.succeeded, job.status!.completedIndexes], [4, '0-3']);
  });

  await t.test('a quota is counted, a budget allows, a role gathers', async () => {
    await client.create(api.ResourceQuota, {
      metadata: { name: 'q', namespace },
      spec: { hard: { pods: '50', 'count/deployments.apps': '5' } },
    });
    await c.until(api.ResourceQuota, (all) => named('q')(all)?.status?.used?.['count/deployments.apps'] === '1', 'quota');
    await client.create(api.PodDisruptionBudget, {
      metadata: { name: 'b', namespace },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
    });
    await c.until(api.PodDisruptionBudget, (all) => named('b')(all)?.status?.disruptionsAllowed === 2, 'budget');
    await c.until(api.ClusterRole, (all) => (named('admin')(all)?.rules?.length ?? 0) > 5, 'aggregated role');
  });

  await t.test('a claim is bound, a token given, a policy checked, what cannot be is said', async () => {
    await client.create(api.PersistentVolume, {
      metadata: { name: 'disk' },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/disk' }, storageClassName: 'by-hand' },
    });
    await client.create(api.PersistentVolumeClaim, {
      metadata: { name: 'disk', namespace },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'by-hand' },
    });
    await client.create(api.Secret, {
      metadata: { name: 'legacy', namespace, annotations: { 'kubernetes.io/service-account.name': 'default' } },
      type: 'kubernetes.io/service-account-token',
    });
    await client.create(api.ValidatingAdmissionPolicy, {
      metadata: { name: 'wrong' },
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] }],
        },
        validations: [{ expression: 'object.spec.replicas > "1"' }],
      },
    });
    await client.create(api.HorizontalPodAutoscaler, {
      metadata: { name: 'web', namespace },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        minReplicas: 2,
        maxReplicas: 4,
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
      },
    });
    await client.create(api.ResourceQuota, { metadata: { name: 'none', namespace: 'default' }, spec: { hard: { pods: '0' } } });
    await c.until(api.ResourceQuota, (all) => named('none')(all)?.status?.hard?.['pods'] === '0', 'quota of none');
    await client.create(api.ReplicationController, {
      metadata: { name: 'refused', namespace: 'default' },
      spec: { replicas: 1, selector: { app: 'refused' }, template: template({ app: 'refused' }) },
    });
    await c.until(api.PersistentVolumeClaim, (all) => named('disk')(all)?.status?.phase === 'Bound', 'bound');
    await c.until(api.Secret, (all) => named('legacy')(all)?.data?.['token'], 'token');
    await c.until(
      api.ValidatingAdmissionPolicy,
      (all) => named('wrong')(all)?.status?.typeChecking?.expressionWarnings?.length === 1,
      'policy checked',
    );
    await c.until(
      api.HorizontalPodAutoscaler,
      (all) => named('web')(all)?.status?.conditions?.some(({ type, status }) => type === 'AbleToScale' && status === 'True'),
      'autoscaler looks',
    );
    await c.until(
      api.ReplicationController,
      (all) => named('refused')(all)?.status?.conditions?.some(({ type }) => type === 'ReplicaFailure'),
      'refusal is said',
    );
  });

  await t.test('a deleted owner takes its dependents with it; a namespace everything', async () => {
    await client.delete(api.Deployment, { namespace, name: 'web' }, { propagationPolicy: 'Foreground' });
    await c.until(api.Deployment, (all) => all.filter(({ metadata }) => metadata!.namespace === namespace).length === 0, 'deployment gone');
    await c.until(api.ReplicaSet, (all) => all.length === 0, 'sets gone');
    await client.delete(api.Namespace, { name: namespace });
    await c.until(api.Namespace, (all) => !named(namespace)(all), 'namespace gone');
    assert.equal((await client.list(api.Pod, { namespace })).items.length, 0);
  });
  // The quota of none is meant to refuse, and the refusal to be told.
  assert.deepEqual(
    c.complaints.filter((complaint) => !complaint.includes('exceeded quota: none')),
    [],
  );
});
