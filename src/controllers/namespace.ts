import type { Kind, Namespace } from '#api';
import { APIService, CustomResourceDefinition, Namespace as NamespaceKind, Pod as PodKind } from '#api';
import { retryOnConflict } from '#client';
import { timestamp } from '#machinery/clock';
import { draft } from '#machinery/meta';
import { isNotFound, isStatus } from '#machinery/status';
import type { Condition } from './api-types.ts';
import { conditionOf } from './conditions.ts';
import type { ControllerContext, ControllerFactory } from './contract.ts';
import { source } from './contract.ts';
import type { Discovered } from './discovery.ts';
import { discover } from './discovery.ts';
import { messageOf } from './pod-control.ts';

/** Conditions of a deletion, in upstream's order, with what they say when all is well. upstream: deletion/status_condition_utils.go. */
const wellBeing = {
  NamespaceDeletionDiscoveryFailure: ['ResourcesDiscovered', 'All resources successfully discovered'],
  NamespaceDeletionGroupVersionParsingFailure: ['ParsedGroupVersions', 'All legacy kube types successfully parsed'],
  NamespaceDeletionContentFailure: ['ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
  NamespaceContentRemaining: ['ContentRemoved', 'All content successfully removed'],
  NamespaceFinalizersRemaining: ['ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
} as const;
type ConditionType = keyof typeof wellBeing;
type Troubles = Map<ConditionType, [reason: string, message: string]>;

interface Content {
  remaining: Map<string, number>;
  finalizers: Map<string, number>;
  errors: string[];
}

/** Waits between looks at a namespace whose content goes slowly. */
const firstWait = 250;
const longestWait = 8_000;

function withTroubles(namespace: Namespace, troubles: Troubles, now: string): Condition[] | undefined {
  let changed = false;
  const conditions: Condition[] = [...((namespace.status?.conditions ?? []) as Condition[])];
  for (const [type, well] of Object.entries(wellBeing)) {
    const trouble = troubles.get(type as ConditionType);
    const [reason, message] = trouble ?? well;
    const status = trouble ? 'True' : 'False';
    const old = conditionOf(conditions, type);
    if (old?.status === status && old.reason === reason && old.message === message) continue;
    changed = true;
    const lastTransitionTime = old?.status === status && old.lastTransitionTime ? old.lastTransitionTime : now;
    const next: Condition = { type, status, lastTransitionTime, reason, message };
    if (old) conditions[conditions.indexOf(old)] = next;
    else conditions.push(next);
  }
  return changed ? conditions : undefined;
}

/** Deletes all objects of a kind in a namespace, and notes what stays. */
async function deleteKind(context: ControllerContext, namespace: string, { kind, verbs }: Discovered, content: Content): Promise<void> {
  const list = async () => {
    try {
      return (await context.client.list(kind, { namespace, metadataOnly: true })).items;
    } catch (error) {
      if (isStatus(error, 'NotFound', 'MethodNotAllowed')) return [];
      throw error;
    }
  };
  try {
    let items = await list();
    if (items.length === 0) return;
    if (verbs.includes('deletecollection')) await context.client.deleteCollection(kind, { namespace, propagationPolicy: 'Background' });
    else
      for (const item of items)
        await context.client
          .delete(kind, { namespace, name: item.metadata!.name! }, { propagationPolicy: 'Background' })
          .catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          });
    items = await list();
    if (items.length === 0) return;
    content.remaining.set(`${kind.resource}.${kind.group}`, items.length);
    for (const item of items)
      for (const finalizer of item.metadata!.finalizers ?? [])
        content.finalizers.set(finalizer, (content.finalizers.get(finalizer) ?? 0) + 1);
  } catch (error) {
    content.errors.push(messageOf(error));
  }
}

/** Empties namespaces that are being deleted, pods first, and then lets them go. upstream: pkg/controller/namespace. */
export const namespaceController: ControllerFactory = () => {
  const looks = new Map<string, number>();

  const deleteAll = async (context: ControllerContext, namespace: Namespace): Promise<boolean> => {
    const name = namespace.metadata!.name!;
    const troubles: Troubles = new Map();
    const content: Content = { remaining: new Map(), finalizers: new Map(), errors: [] };
    const { resources, failures } = await discover(context);
    if (failures.length)
      troubles.set('NamespaceDeletionDiscoveryFailure', [
        'DiscoveryFailed',
        `Discovery failed for some groups, ${failures.length} failing: unable to retrieve the complete list of server APIs: ${failures
          .map(({ groupVersion, error }) => `${groupVersion}: ${messageOf(error)}`)
          .join(', ')}`,
      ]);
    const namespaced = resources.filter(({ kind, verbs }) => kind.namespaced && verbs.includes('delete'));
    const isPods = ({ group, resource }: Kind): boolean => group === '' && resource === 'pods';
    // Pods go before what they use.
    for (const each of namespaced.filter(({ kind }) => isPods(kind))) await deleteKind(context, name, each, content);
    const podsRemain = content.remaining.size > 0;
    if (!podsRemain)
      await Promise.all(namespaced.filter(({ kind }) => !isPods(kind)).map((each) => deleteKind(context, name, each, content)));
    if (content.errors.length)
      troubles.set('NamespaceDeletionContentFailure', [
        'ContentDeletionFailed',
        `Failed to delete all resource types, ${content.errors.length} remaining: ${content.errors.toSorted().join(', ')}`,
      ]);
    if (content.remaining.size) {
      const parts = [...content.remaining].map(([resource, count]) => `${resource} has ${count} resource instances`).toSorted();
      troubles.set('NamespaceContentRemaining', ['SomeResourcesRemain', `Some resources are remaining: ${parts.join(', ')}`]);
    }
    if (content.finalizers.size) {
      const parts = [...content.finalizers].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`).toSorted();
      troubles.set('NamespaceFinalizersRemaining', [
        'SomeFinalizersRemain',
        `Some content in the namespace has finalizers remaining: ${parts.join(', ')}`,
      ]);
    }
    const conditions = withTroubles(namespace, troubles, timestamp(context.clock));
    const done = content.remaining.size === 0 && content.errors.length === 0 && failures.length === 0;
    // Nobody would see the conditions of a namespace that is gone in a moment, unless other finalizers hold it.
    const held = (namespace.spec?.finalizers ?? []).length > 1 || (namespace.metadata!.finalizers ?? []).length > 0;
    if (conditions && (!done || held))
      await context.client.updateStatus(NamespaceKind, { ...namespace, status: { ...namespace.status, conditions } });
    return done;
  };

  return {
    name: 'namespace-controller',
    serviceAccount: 'namespace-controller',
    workers: 10,
    watches: [
      source(NamespaceKind),
      source(PodKind, {
        // The last pod of a namespace that is being deleted is gone: on with the rest.
        keys: (pod) => [pod.metadata!.namespace!],
        when: (pod, _old, event, context) =>
          event === 'deleted' &&
          context.lister(NamespaceKind).get(pod.metadata!.namespace!)?.metadata?.deletionTimestamp !== undefined &&
          context.lister(PodKind).list(pod.metadata!.namespace).length === 0,
      }),
    ],
    setup(context) {
      // Discovery reads them.
      context.lister(CustomResourceDefinition);
      context.lister(APIService);
    },
    async reconcile(context, key) {
      const seen = context.lister(NamespaceKind).get(key);
      if (!seen?.metadata!.deletionTimestamp) {
        looks.delete(key);
        return;
      }
      try {
        let namespace = await context.client.get(NamespaceKind, { name: key });
        if (!namespace.metadata!.deletionTimestamp) return;
        if (namespace.status?.phase !== 'Terminating')
          namespace = await context.client.updateStatus(NamespaceKind, {
            ...namespace,
            status: { ...namespace.status, phase: 'Terminating' },
          });
        if (!namespace.spec?.finalizers?.length) return;
        if (!(await deleteAll(context, namespace))) {
          const look = looks.get(key) ?? 0;
          looks.set(key, look + 1);
          return { requeueAfter: Math.min(firstWait * 2 ** look, longestWait) };
        }
        await retryOnConflict(async () => {
          const latest = draft(await context.client.get(NamespaceKind, { name: key }));
          latest.spec!.finalizers = (latest.spec!.finalizers ?? []).filter((finalizer) => finalizer !== 'kubernetes');
          await context.client.update(NamespaceKind, latest, { subresource: 'finalize' });
        });
        looks.delete(key);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
};
