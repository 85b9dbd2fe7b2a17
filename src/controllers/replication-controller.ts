import { ReplicationController } from '#api';
import type { ControllerFactory } from './contract.ts';
import { replicaManager } from './replica-manager.ts';
import { matchesSet } from './selector.ts';

/** The same for ReplicationControllers, whose selector is a plain set of labels. upstream: pkg/controller/replication. */
export const replicationControllerController: ControllerFactory = () =>
  replicaManager({
    name: 'replicationcontroller-controller',
    serviceAccount: 'replication-controller',
    component: 'replication-controller',
    kind: ReplicationController,
    selectorOf: (owner) => matchesSet(owner.spec?.selector),
    countTerminating: false,
  });
