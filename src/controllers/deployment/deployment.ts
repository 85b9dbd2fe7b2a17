import type { Deployment, Pod, ReplicaSet } from '#api';
import { Deployment as DeploymentKind, Pod as PodKind, ReplicaSet as ReplicaSetKind } from '#api';
import { controllerOf } from '#machinery/meta';
import { claim } from '../claim.ts';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { controlledBy, indexByController, ownerKeys } from '../owner.ts';
import { matches } from '../selector.ts';
import { rollbackAnnotation } from './replica-sets.ts';
import { Rollout } from './rollout.ts';
import { isScaling, recreate, resize, rollBack, rollingUpdate } from './strategies.ts';

const ownersOf = (set: ReplicaSet, context: ControllerContext): string[] =>
  ownerKeys(set, DeploymentKind, context.lister(DeploymentKind), (deployment: Deployment) =>
    matches(deployment.spec?.selector)(set.metadata?.labels),
  );

/** A pod that is gone lets a Recreate Deployment go on; other changes of pods reach it through its ReplicaSets. */
const waitingFor = (pod: Pod, context: ControllerContext): string[] => {
  const controller = controllerOf(pod);
  if (controller?.kind !== 'ReplicaSet') return [];
  const set = context.lister(ReplicaSetKind).get(`${pod.metadata!.namespace}/${controller.name}`);
  const owner = set && controllerOf(set);
  return owner?.kind === 'Deployment' ? [`${pod.metadata!.namespace}/${owner.name}`] : [];
};

const rollbackRevision = (deployment: Deployment): bigint | undefined => {
  const text = deployment.metadata?.annotations?.[rollbackAnnotation];
  return text && /^\d+$/.test(text) ? BigInt(text) : undefined;
};

/** Rolls out templates through ReplicaSets. upstream: pkg/controller/deployment. */
export const deploymentController: ControllerFactory = () => ({
  name: 'deployment-controller',
  serviceAccount: 'deployment-controller',
  watches: [
    source(DeploymentKind),
    source(ReplicaSetKind, { keys: ownersOf }),
    source(PodKind, { keys: waitingFor, when: (_pod, _old, event) => event === 'deleted' }),
  ],
  setup(context) {
    indexByController(context.lister(ReplicaSetKind));
    indexByController(context.lister(PodKind));
  },
  async reconcile(context, key) {
    const deployment = context.lister(DeploymentKind).get(key);
    if (!deployment) return;
    const { matchLabels = {}, matchExpressions = [] } = deployment.spec!.selector;
    if (Object.keys(matchLabels).length === 0 && matchExpressions.length === 0) {
      const message = 'This deployment is selecting all pods. A non-empty selector is required.';
      context.events.event(deployment, 'Warning', 'SelectingAll', message);
      return;
    }
    const owned = await claim(
      {
        client: context.client,
        kind: ReplicaSetKind,
        owner: deployment,
        ownerKind: DeploymentKind,
        selector: matches(deployment.spec!.selector),
      },
      controlledBy(context.lister(ReplicaSetKind), deployment, true),
    );
    const rollout = new Rollout(context, deployment, owned);
    if (deployment.metadata!.deletionTimestamp) {
      await rollout.syncNewSet(false);
      return rollout.syncStatus();
    }
    await rollout.notePause();
    const revision = rollbackRevision(deployment);
    if (!deployment.spec!.paused && revision !== undefined) return rollBack(rollout, revision);
    if (deployment.spec!.paused || isScaling(rollout)) {
      await rollout.syncNewSet(false);
      await resize(rollout);
      if (deployment.spec!.paused) await rollout.cleanUp();
      return rollout.syncStatus();
    }
    if (deployment.spec!.strategy?.type === 'Recreate') return recreate(rollout, (set) => controlledBy(context.lister(PodKind), set));
    return rollingUpdate(rollout);
  },
});
