import type { ControllerRevision, Pod, StatefulSet } from '#api';
import {
  ControllerRevision as ControllerRevisionKind,
  PersistentVolumeClaim as ClaimKind,
  Pod as PodKind,
  StatefulSet as StatefulSetKind,
} from '#api';
import { retryOnConflict } from '#client';
import { equal } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import { claim } from '../claim.ts';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import {
  byRevision,
  createRevision,
  dataHashLabels,
  deleteRevision,
  renumber,
  revisionHash,
  sameData,
  templatePatch,
} from '../controller-revision.ts';
import { controlledBy, indexByController, ownerKeys } from '../owner.ts';
import { nextAvailability } from '../pods.ts';
import { matches } from '../selector.ts';
import { belongsTo, revisionOf } from './identity.ts';
import type { StatefulSetStatus } from './update.ts';
import { StatefulSetUpdate } from './update.ts';

interface Revisions {
  current: ControllerRevision;
  update: ControllerRevision;
  collisions: number;
}

/** The revision pods have, and the one they should have. upstream: getStatefulSetRevisions. */
async function syncRevisions(context: ControllerContext, set: StatefulSet, revisions: readonly ControllerRevision[]): Promise<Revisions> {
  const { client } = context;
  const data = templatePatch(set.spec!.template);
  const last = revisions.at(-1);
  const number = (last?.revision ?? 0) + 1;
  let collisions = set.status?.collisionCount ?? 0;
  const same = revisions.filter((each) => sameData(each.data, data)).at(-1);
  let update: ControllerRevision;
  if (same && last && sameData(last.data, data)) update = last;
  else if (same) update = await renumber(client, same, number);
  else
    update = await createRevision(
      client,
      { owner: set, ownerKind: StatefulSetKind, labels: set.spec!.template.metadata?.labels, data, revision: number },
      (count) => revisionHash(data, count),
      dataHashLabels,
      collisions,
      async (count) => (collisions = count + 1),
    );
  const current = revisions.find((each) => each.metadata!.name === set.status?.currentRevision) ?? update;
  return { current, update, collisions };
}

const whole = (status: StatefulSetStatus | undefined): unknown => ({
  observedGeneration: 0,
  replicas: 0,
  readyReplicas: 0,
  availableReplicas: 0,
  currentReplicas: 0,
  updatedReplicas: 0,
  collisionCount: 0,
  ...status,
});

/** Runs pods with names and storage of their own. upstream: pkg/controller/statefulset. */
export const statefulSetController: ControllerFactory = () => ({
  name: 'statefulset-controller',
  serviceAccount: 'statefulset-controller',
  watches: [
    source(StatefulSetKind),
    source(PodKind, {
      keys: (pod, context) =>
        ownerKeys(pod, StatefulSetKind, context.lister(StatefulSetKind), (set) => matches(set.spec?.selector)(pod.metadata!.labels)),
    }),
    source(ControllerRevisionKind, {
      keys: (revision, context) =>
        ownerKeys(revision, StatefulSetKind, context.lister(StatefulSetKind), (set) =>
          matches(set.spec?.selector)(revision.metadata!.labels),
        ),
      when: (_revision, _old, event) => event === 'deleted',
    }),
    source(ClaimKind, {
      // A claim that is gone can be made again; its name ends with the set's and an ordinal.
      keys: (object, context) => {
        const { name, namespace } = object.metadata!;
        return context
          .lister(StatefulSetKind)
          .list(namespace)
          .filter((set) =>
            set.spec?.volumeClaimTemplates?.some((each) => name!.startsWith(`${each.metadata!.name}-${set.metadata!.name}-`)),
          )
          .map((set) => `${namespace}/${set.metadata!.name}`);
      },
      when: (_object, _old, event) => event === 'deleted',
    }),
  ],
  setup(context) {
    indexByController(context.lister(PodKind));
    indexByController(context.lister(ControllerRevisionKind));
  },
  async reconcile(context, key) {
    const set = context.lister(StatefulSetKind).get(key);
    if (!set) return;
    const { client } = context;
    const selector = matches(set.spec!.selector);
    const common = { client, owner: set, ownerKind: StatefulSetKind, selector };
    const revisions = byRevision(
      await claim({ ...common, kind: ControllerRevisionKind }, controlledBy(context.lister(ControllerRevisionKind), set, true)),
    );
    const pods: Pod[] = await claim(
      { ...common, kind: PodKind, when: (pod) => belongsTo(set, pod) },
      controlledBy(context.lister(PodKind), set, true),
    );
    const { current, update, collisions } = await syncRevisions(context, set, revisions);
    const pass = new StatefulSetUpdate(context, set, pods, current, update);
    let problem: unknown;
    try {
      await pass.run();
    } catch (error) {
      problem = error;
    }
    const status = pass.status(collisions);
    if (!equal(whole(status), whole(set.status))) {
      let target = set;
      let first = true;
      await retryOnConflict(async () => {
        if (!first) target = await client.get(StatefulSetKind, set.metadata as { namespace: string; name: string });
        first = false;
        await client.updateStatus(StatefulSetKind, { ...target, status });
      }, 3).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
    const used = new Set([current.metadata!.name, update.metadata!.name, ...pods.map(revisionOf)]);
    const unused = revisions.filter((each) => !used.has(each.metadata!.name));
    for (const each of unused.slice(0, Math.max(0, unused.length - (set.spec!.revisionHistoryLimit ?? 10))))
      await deleteRevision(client, each);
    if (problem) throw problem;
    const minReady = set.spec!.minReadySeconds ?? 0;
    if (minReady === 0 || status.readyReplicas === status.availableReplicas) return;
    return { requeueAfter: nextAvailability(pods, minReady, context.clock.now()) ?? minReady * 1000 };
  },
});
