import type { ControllerRevision, DaemonSet, Node, Pod } from '#api';
import { ControllerRevision as ControllerRevisionKind, DaemonSet as DaemonSetKind, Node as NodeKind, Pod as PodKind } from '#api';
import { retryOnConflict } from '#client';
import { controllerOf, draft, equal, keyOf } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import { claim } from '../claim.ts';
import type { ControllerContext, ControllerFactory, Result } from '../contract.ts';
import { source } from '../contract.ts';
import { createRevision, deleteRevision, renumber, revisionHashLabel, sameData, templatePatch } from '../controller-revision.ts';
import { Expectations } from '../expectations.ts';
import { controlledBy, indexByController, ownerKeys } from '../owner.ts';
import { createPod, deletePod, isNamespaceTerminating, podFromTemplate } from '../pod-control.ts';
import { isPodAvailable, isPodReady, isPodTerminal, nextAvailability } from '../pods.ts';
import { matches } from '../selector.ts';
import { all, slowStart } from '../slow-start.ts';
import { templateHash } from '../template-hash.ts';
import { allowsSurge, daemonTemplate, isUpdated, oldestFirst, shouldRun, targetNode, templateForNode } from './daemon-pods.ts';
import type { Plan } from './rolling-update.ts';
import { planUpdate } from './rolling-update.ts';

const burst = 250;
/** Failed pods of one node are replaced after 1 s, then 2 s, … at most 15 min. */
const failureBackOff = { first: 1000, most: 15 * 60_000 };

/** Runs a pod on every node that should have one. upstream: pkg/controller/daemon. */
export const daemonSetController: ControllerFactory = () => {
  let expectations: Expectations;
  const failures = new Map<string, { delay: number; at: number }>();

  const ownersOf = (pod: Pod, context: ControllerContext): string[] =>
    ownerKeys(pod, DaemonSetKind, context.lister(DaemonSetKind), (set) => matches(set.spec?.selector)(pod.metadata!.labels));
  const keyByOwner = (pod: Pod): string | undefined => {
    const controller = controllerOf(pod);
    return controller?.kind === 'DaemonSet' ? `${pod.metadata!.namespace}/${controller.name}` : undefined;
  };

  /** A pass looks at every node. */
  const delay = (key: string, context: ControllerContext): number =>
    (context.lister(DaemonSetKind).get(key)?.status?.desiredNumberScheduled ?? 0) > 50 ? 50 : 0;

  const podsByNode = (pods: readonly Pod[]): Map<string, Pod[]> => {
    const byNode = new Map<string, Pod[]>();
    for (const pod of pods) {
      const node = targetNode(pod);
      if (node === undefined || (isPodTerminal(pod) && pod.metadata!.deletionTimestamp)) continue;
      byNode.set(node, [...(byNode.get(node) ?? []), pod]);
    }
    return byNode;
  };

  /** The revision of the template as it is now, and those before it. */
  const syncRevisions = async (
    context: ControllerContext,
    daemonSet: DaemonSet,
    pods: readonly Pod[],
  ): Promise<{ current: ControllerRevision; old: ControllerRevision[] }> => {
    const { client } = context;
    const revisions = await claim(
      { client, kind: ControllerRevisionKind, owner: daemonSet, ownerKind: DaemonSetKind, selector: matches(daemonSet.spec!.selector) },
      controlledBy(context.lister(ControllerRevisionKind), daemonSet, true),
    );
    const data = templatePatch(daemonSet.spec!.template);
    const same = revisions.filter((each) => sameData(each.data, data)).toSorted((a, b) => b.revision - a.revision);
    const old = revisions.filter((each) => !same.includes(each));
    const next = Math.max(0, ...old.map((each) => each.revision)) + 1;
    const [kept, ...duplicates] = same;
    if (!kept) {
      const current = await createRevision(
        client,
        { owner: daemonSet, ownerKind: DaemonSetKind, labels: daemonSet.spec!.template.metadata?.labels, data, revision: next },
        () => templateHash(daemonSet.spec!.template, daemonSet.status?.collisionCount),
        (hash) => ({ [revisionHashLabel]: hash }),
        0,
        async () => {
          const fresh = draft(await client.get(DaemonSetKind, daemonSet.metadata as { namespace: string; name: string }));
          fresh.status = { ...fresh.status!, collisionCount: (fresh.status?.collisionCount ?? 0) + 1 };
          await client.updateStatus(DaemonSetKind, fresh);
          throw new Error('Another template has the same hash: it is counted, and the next hash differs');
        },
      );
      return { current, old };
    }
    for (const each of duplicates) {
      for (const pod of pods)
        if (pod.metadata!.labels?.[revisionHashLabel] === each.metadata!.labels?.[revisionHashLabel])
          await client.patch(PodKind, pod.metadata as { namespace: string; name: string }, 'merge', {
            metadata: { labels: { [revisionHashLabel]: kept.metadata!.labels?.[revisionHashLabel] } },
          });
      await deleteRevision(client, each);
    }
    return { current: kept.revision < next ? await renumber(client, kept, next) : kept, old };
  };

  /** What is wrong on one node: a pod too few, or pods too many. */
  const planNode = (
    context: ControllerContext,
    daemonSet: DaemonSet,
    node: Node,
    pods: readonly Pod[] | undefined,
    hash: string,
    plan: Plan,
    again: (milliseconds: number) => void,
  ): void => {
    const name = node.metadata!.name!;
    const { run, stay } = shouldRun(daemonSet, node);
    if (run && !pods) {
      plan.needing.push(name);
      return;
    }
    const live = (pods ?? []).filter((pod) => !pod.metadata!.deletionTimestamp);
    if (!stay) {
      plan.doomed.push(...live);
      return;
    }
    const running: Pod[] = [];
    for (const pod of live) {
      const { namespace, name: podName } = pod.metadata!;
      if (pod.status?.phase === 'Failed') {
        const key = `${daemonSet.metadata!.uid}/${daemonSet.metadata!.generation}/${name}`;
        const now = context.clock.now();
        const last = failures.get(key);
        if (last && now < last.at + last.delay) {
          again(last.at + last.delay - now);
          continue;
        }
        const calm = !last || now > last.at + 2 * failureBackOff.most;
        failures.set(key, { at: now, delay: calm ? failureBackOff.first : Math.min(last.delay * 2, failureBackOff.most) });
        context.events.event(
          daemonSet,
          'Warning',
          'FailedDaemonPod',
          `Found failed daemon pod ${namespace}/${podName} on node ${name}, will try to kill it`,
        );
        plan.doomed.push(pod);
      } else if (pod.status?.phase === 'Succeeded') {
        context.events.event(
          daemonSet,
          'Normal',
          'SucceededDaemonPod',
          `Found succeeded daemon pod ${namespace}/${podName} on node ${name}, will try to delete it`,
        );
        plan.doomed.push(pod);
      } else running.push(pod);
    }
    const ordered = oldestFirst(running);
    if (!allowsSurge(daemonSet)) {
      plan.doomed.push(...ordered.slice(1));
      return;
    }
    if (ordered.length === 0 && run) plan.needing.push(name);
    if (ordered.length <= 1) return;
    const fresh = ordered.filter((pod) => pod.metadata!.labels?.[revisionHashLabel] === hash);
    const old = ordered.filter((pod) => pod.metadata!.labels?.[revisionHashLabel] !== hash);
    plan.doomed.push(...fresh.slice(1), ...old.slice(1));
    const available = fresh[0] && isPodAvailable(fresh[0], daemonSet.spec!.minReadySeconds ?? 0, context.clock.now());
    if (fresh[0] && old[0] && (!isPodReady(old[0]) || available)) plan.doomed.push(old[0]);
  };

  const carryOut = async (context: ControllerContext, key: string, daemonSet: DaemonSet, plan: Plan, hash: string): Promise<void> => {
    const needing = plan.needing.slice(0, burst);
    const doomed = plan.doomed.slice(0, burst);
    expectations.expectCreations(key, needing.length);
    expectations.expectDeletions(key, doomed.map(keyOf));
    const template = daemonTemplate(daemonSet, hash);
    const made = await slowStart(needing.length, async (index) => {
      try {
        await createPod(context, daemonSet, podFromTemplate(templateForNode(template, needing[index]!), daemonSet, DaemonSetKind));
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error;
      }
    });
    expectations.creationObserved(key, needing.length - made.succeeded);
    await all(
      doomed.map((pod) =>
        deletePod(context, daemonSet, pod).catch((error: unknown) => {
          expectations.deletionObserved(key, keyOf(pod));
          if (!isNotFound(error)) throw error;
        }),
      ),
    );
    if (made.error) throw made.error;
  };

  const cleanUpRevisions = async (
    context: ControllerContext,
    daemonSet: DaemonSet,
    old: readonly ControllerRevision[],
    pods: readonly Pod[],
  ) => {
    const used = new Set(pods.map((pod) => pod.metadata!.labels?.[revisionHashLabel]));
    let surplus = old.length - (daemonSet.spec!.revisionHistoryLimit ?? 10);
    for (const revision of old.toSorted((a, b) => a.revision - b.revision)) {
      if (surplus <= 0) return;
      if (used.has(revision.metadata!.labels?.[revisionHashLabel])) continue;
      await deleteRevision(context.client, revision);
      surplus--;
    }
  };

  const syncStatus = async (
    context: ControllerContext,
    daemonSet: DaemonSet,
    nodes: readonly Node[],
    pods: readonly Pod[],
    hash: string,
    observed: boolean,
  ): Promise<Result | undefined> => {
    const byNode = podsByNode(pods);
    const minReady = daemonSet.spec!.minReadySeconds ?? 0;
    const now = context.clock.now();
    let desired = 0;
    let current = 0;
    let misplaced = 0;
    let ready = 0;
    let available = 0;
    let updated = 0;
    for (const node of nodes) {
      const here = byNode.get(node.metadata!.name!);
      if (!shouldRun(daemonSet, node).run) {
        if (here) misplaced++;
        continue;
      }
      desired++;
      if (!here) continue;
      current++;
      const [pod] = oldestFirst(here);
      if (isPodReady(pod!)) ready++;
      if (isPodAvailable(pod!, minReady, now)) available++;
      if (isUpdated(daemonSet, pod!, hash)) updated++;
    }
    const counts = {
      desiredNumberScheduled: desired,
      currentNumberScheduled: current,
      numberMisscheduled: misplaced,
      numberReady: ready,
      updatedNumberScheduled: updated,
      numberAvailable: available,
      numberUnavailable: desired - available,
    };
    const zero = Object.fromEntries(Object.keys(counts).map((name) => [name, 0]));
    const generation = observed ? daemonSet.metadata!.generation! : (daemonSet.status?.observedGeneration ?? 0);
    const before = { ...zero, observedGeneration: 0, ...daemonSet.status };
    if (!equal(before, { ...before, ...counts, observedGeneration: generation })) {
      let target = daemonSet;
      let first = true;
      await retryOnConflict(async () => {
        if (!first) target = await context.client.get(DaemonSetKind, daemonSet.metadata as { namespace: string; name: string });
        first = false;
        const status = { ...target.status, ...counts, ...(generation && { observedGeneration: generation }) };
        await context.client.updateStatus(DaemonSetKind, { ...target, status });
      }, 2).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
    if (minReady === 0 || ready === available) return undefined;
    return { requeueAfter: nextAvailability(pods, minReady, now) ?? minReady * 1000 };
  };

  return {
    name: 'daemonset-controller',
    serviceAccount: 'daemon-set-controller',
    watches: [
      source(DaemonSetKind),
      source(ControllerRevisionKind, {
        keys: (revision, context) =>
          ownerKeys(revision, DaemonSetKind, context.lister(DaemonSetKind), (set) =>
            matches(set.spec?.selector)(revision.metadata!.labels),
          ),
      }),
      source(PodKind, { keys: ownersOf, delay }),
      source(NodeKind, {
        keys: (_node, context) => context.lister(DaemonSetKind).list().map(keyOf),
        delay,
        when: (node, old, event) =>
          event !== 'updated' || !equal(node.metadata!.labels, old!.metadata!.labels) || !equal(node.spec?.taints, old!.spec?.taints),
      }),
    ],
    setup(context) {
      expectations = new Expectations(context.clock);
      indexByController(context.lister(ControllerRevisionKind));
      const subscription = indexByController(context.lister(PodKind)).on({
        added: (pod) => {
          const key = keyByOwner(pod);
          if (key) expectations.creationObserved(key);
        },
        updated: (pod) => {
          const key = keyByOwner(pod);
          if (key && pod.metadata!.deletionTimestamp) expectations.deletionObserved(key, keyOf(pod));
        },
        deleted: (pod) => {
          const key = keyByOwner(pod);
          if (key) expectations.deletionObserved(key, keyOf(pod));
        },
      });
      return { [Symbol.asyncDispose]: async () => subscription[Symbol.dispose]() };
    },
    async reconcile(context, key) {
      const daemonSet = context.lister(DaemonSetKind).get(key);
      if (!daemonSet) return expectations.forget(key);
      if (daemonSet.metadata!.deletionTimestamp) return;
      const { matchLabels = {}, matchExpressions = [] } = daemonSet.spec!.selector;
      if (Object.keys(matchLabels).length === 0 && matchExpressions.length === 0) {
        const message = 'This daemon set is selecting all pods. A non-empty selector is required.';
        context.events.event(daemonSet, 'Warning', 'SelectingAll', message);
        return;
      }
      const nodes = context.lister(NodeKind).list();
      const getPods = (): Promise<Pod[]> =>
        claim(
          {
            client: context.client,
            kind: PodKind,
            owner: daemonSet,
            ownerKind: DaemonSetKind,
            selector: matches(daemonSet.spec!.selector),
          },
          controlledBy(context.lister(PodKind), daemonSet, true),
        );
      let pods = await getPods();
      const { current, old } = await syncRevisions(context, daemonSet, pods);
      const hash = current.metadata!.labels![revisionHashLabel]!;
      const unseen = expectations.remaining(key);
      if (unseen > 0) return (await syncStatus(context, daemonSet, nodes, pods, hash, false)) ?? { requeueAfter: unseen };
      let requeueAfter: number | undefined;
      const again = (milliseconds: number): void => void (requeueAfter = Math.min(requeueAfter ?? Infinity, milliseconds));
      let problem: unknown;
      try {
        const plan: Plan = { doomed: [], needing: [] };
        const byNode = podsByNode(pods);
        for (const node of nodes) planNode(context, daemonSet, node, byNode.get(node.metadata!.name!), hash, plan, again);
        const known = new Set(nodes.map((node) => node.metadata!.name));
        // Pods that wait for a node that no longer exists.
        for (const [name, waiting] of byNode)
          if (!known.has(name)) plan.doomed.push(...waiting.filter((pod) => !pod.spec?.nodeName && !pod.metadata!.deletionTimestamp));
        await carryOut(context, key, daemonSet, plan, hash);
        if (expectations.satisfied(key) && daemonSet.spec!.updateStrategy?.type !== 'OnDelete') {
          pods = await getPods();
          await carryOut(context, key, daemonSet, planUpdate(daemonSet, nodes, podsByNode(pods), hash, context.clock.now()), hash);
        }
        await cleanUpRevisions(context, daemonSet, old, pods);
      } catch (error) {
        problem = error;
      }
      const result = await syncStatus(context, daemonSet, nodes, await getPods(), hash, true);
      if (problem) throw problem;
      if (result?.requeueAfter !== undefined) again(result.requeueAfter);
      return requeueAfter === undefined ? undefined : { requeueAfter };
    },
  };
};
