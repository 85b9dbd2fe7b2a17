import type { Kind, Pod, ResourceQuota } from '#api';
import { APIService, CustomResourceDefinition, ResourceQuota as ResourceQuotaKind } from '#api';
import type { Informer, Informers } from '#client';
import { informersOver } from '#client';
import type { KubeObject } from '#machinery/meta';
import { equal, keyOf } from '#machinery/meta';
import type { Usage } from '#machinery/quota';
import { addUsage, countedResources, evaluatorFor, mask, scopeSelectors, usageFrom, usageList } from '#machinery/quota';
import { isNotFound } from '#machinery/status';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import type { Discovered } from '../discovery.ts';
import { discover } from '../discovery.ts';
import { isPodTerminal } from '../pods.ts';

/** Every quota is counted again so often, whatever was seen. upstream: ResourceQuotaSyncPeriod. */
const resyncPeriod = 5 * 60_000;
const kindsKey = 'kinds';
/** Resources whose use is more than their number: their objects are needed whole. */
const whole = new Set(['/pods', '/services', '/persistentvolumeclaims', 'resource.k8s.io/resourceclaims']);

interface Monitor {
  kind: Kind;
  informer: Informer<KubeObject>;
  stop(): Promise<void>;
}

/** Counts what each quota's namespace uses. What admission adds, this takes away again when objects go. upstream: pkg/controller/resourcequota. */
export const resourceQuotaController: ControllerFactory = () => {
  const monitors = new Map<string, Monitor>();
  let served = new Map<string, Discovered>();
  let custom = new Set<string>();

  const replenish = (context: ControllerContext, kind: Kind, object: KubeObject): void => {
    const evaluator = evaluatorFor(kind.group, kind.resource);
    for (const quota of context.lister(ResourceQuotaKind).list(object.metadata!.namespace))
      if (evaluator.matching(Object.keys(quota.status?.hard ?? quota.spec?.hard ?? {})).length > 0) context.enqueue(keyOf(quota));
  };

  const monitor = (context: ControllerContext, key: string, kind: Kind): Monitor => {
    const own: Informers | undefined = custom.has(key)
      ? informersOver(context.client, { clock: context.clock, random: context.random, log: context.log })
      : undefined;
    const informer = (own ?? context.informers).for(kind, whole.has(key) ? {} : { metadataOnly: true });
    const subscription = informer.on({
      updated: (object, old) => {
        if (key === '/pods') {
          const ended = isPodTerminal(object as Pod) && !isPodTerminal(old as Pod);
          const resized = !equal((object as Pod).status?.containerStatuses, (old as Pod).status?.containerStatuses);
          if (!ended && !resized && !object.metadata!.deletionTimestamp) return;
        } else if (!whole.has(key)) return;
        replenish(context, kind, object);
      },
      deleted: (object) => replenish(context, kind, object),
    });
    return {
      kind,
      informer,
      async stop() {
        subscription[Symbol.dispose]();
        await own?.stop();
      },
    };
  };

  const refresh = async (context: ControllerContext): Promise<void> => {
    const { resources } = await discover(context);
    served = new Map(resources.filter(({ kind }) => kind.namespaced).map((each) => [`${each.kind.group}/${each.kind.resource}`, each]));
    custom = new Set(
      context
        .lister(CustomResourceDefinition)
        .list()
        .map(({ spec }) => `${spec.group}/${spec.names.plural}`),
    );
    for (const [key, running] of monitors) {
      const next = served.get(key)?.kind;
      if (next?.version === running.kind.version) continue;
      monitors.delete(key);
      await running.stop();
    }
  };

  /** The objects of a resource; undefined where it is not served. */
  const objectsOf = async (context: ControllerContext, key: string, namespace: string): Promise<KubeObject[] | undefined> => {
    let running = monitors.get(key);
    if (!running) {
      const found = served.get(key);
      if (!found?.verbs.includes('list') || !found.verbs.includes('watch')) return undefined;
      monitors.set(key, (running = monitor(context, key, found.kind)));
    }
    await running.informer.synced;
    return running.informer.list(namespace);
  };

  const usageOf = async (context: ControllerContext, quota: ResourceQuota, names: readonly string[]): Promise<Usage> => {
    const now = context.clock.now();
    const scopes = scopeSelectors(quota);
    let total: Usage = usageFrom(Object.fromEntries(names.map((name) => [name, '0'])));
    for (const { group, resource } of countedResources(names)) {
      const evaluator = evaluatorFor(group, resource);
      const counted = evaluator.matching(names);
      if (counted.length === 0) continue;
      for (const object of (await objectsOf(context, `${group}/${resource}`, quota.metadata!.namespace!)) ?? [])
        if (scopes.every((scope) => evaluator.inScope(scope, object))) total = addUsage(total, mask(evaluator.usage(object, now), counted));
    }
    return total;
  };

  return {
    name: 'resourcequota-controller',
    serviceAccount: 'resourcequota-controller',
    watches: [
      source(ResourceQuotaKind, {
        when: (quota, old, event) =>
          event !== 'deleted' &&
          (!old || !equal(quota.spec, old.spec) || !equal(quota.status?.hard, quota.spec?.hard) || !quota.status?.used),
      }),
      source(CustomResourceDefinition, { keys: () => [kindsKey] }),
      source(APIService, { keys: () => [kindsKey], when: (service) => service.spec?.service !== undefined }),
    ],
    setup() {
      return {
        async [Symbol.asyncDispose]() {
          await Promise.all([...monitors.values()].map((each) => each.stop()));
        },
      };
    },
    async reconcile(context, key) {
      if (served.size === 0 || key === kindsKey) await refresh(context);
      if (key === kindsKey) {
        // A kind that quotas name may be there only now.
        for (const quota of context.lister(ResourceQuotaKind).list()) context.enqueue(keyOf(quota));
        return;
      }
      const quota = context.lister(ResourceQuotaKind).get(key);
      if (!quota) return;
      const hard = quota.spec?.hard ?? {};
      const names = Object.keys(hard);
      const used = usageList(mask(await usageOf(context, quota, names), names));
      if (!equal(quota.status?.hard, hard) || !equal(quota.status?.used, used))
        await context.client.updateStatus(ResourceQuotaKind, { ...quota, status: { hard, used } }).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      return { requeueAfter: resyncPeriod };
    },
  };
};
