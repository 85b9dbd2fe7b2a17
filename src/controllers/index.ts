import type { ControllerFactory } from './contract.ts';
import { deploymentController } from './deployment/deployment.ts';
import { endpointSliceController } from './endpointslice/endpoint-slice.ts';
import { endpointsController } from './endpointslice/endpoints.ts';
import { endpointSliceMirroringController } from './endpointslice/mirroring.ts';
import { garbageCollectorController } from './garbage-collector/garbage-collector.ts';
import { namespaceController } from './namespace.ts';
import { replicaSetController } from './replica-set.ts';
import { replicationControllerController } from './replication-controller.ts';
import { rootCaCertificatePublisherController } from './root-ca-certificate-publisher.ts';
import { serviceAccountController } from './service-account.ts';

/**
 * Every controller that runs by default. Adding one: a file, and a line here. The collector is last: it shares the others' informers.
 * upstream: cmd/kube-controller-manager/app/controller_descriptor.go.
 */
export const controllers: readonly ControllerFactory[] = [
  serviceAccountController,
  rootCaCertificatePublisherController,
  deploymentController,
  replicaSetController,
  replicationControllerController,
  endpointSliceController,
  endpointSliceMirroringController,
  endpointsController,
  namespaceController,
  garbageCollectorController,
];
