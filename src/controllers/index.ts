import type { ControllerFactory } from './contract.ts';
import { deploymentController } from './deployment/deployment.ts';
import { replicaSetController } from './replica-set.ts';
import { replicationControllerController } from './replication-controller.ts';

/** Every controller that runs by default. Adding one: a file, and a line here. upstream: cmd/kube-controller-manager/app/controller_descriptor.go. */
export const controllers: readonly ControllerFactory[] = [deploymentController, replicaSetController, replicationControllerController];
