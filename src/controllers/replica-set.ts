import { ReplicaSet } from '#api';
import type { ControllerFactory } from './contract.ts';
import { replicaManager } from './replica-manager.ts';
import { matches } from './selector.ts';

/** Keeps as many pods as a ReplicaSet asks for. upstream: pkg/controller/replicaset. */
export const replicaSetController: ControllerFactory = () =>
  replicaManager({
    name: 'replicaset-controller',
    serviceAccount: 'replicaset-controller',
    component: 'replicaset-controller',
    kind: ReplicaSet,
    selectorOf: (owner) => matches(owner.spec?.selector),
    countTerminating: true,
  });
