import type { ControllerFactory } from './contract.ts';
import { horizontalPodAutoscalerController } from './autoscaler/horizontal.ts';
import { bootstrapSignerController, tokenCleanerController } from './bootstrap/bootstrap.ts';
import { rootCaCertificatePublisherController } from './certificates/root-ca-publisher.ts';
import { certificateApprovingController, certificateCleanerController, certificateSigningController } from './certificates/signing.ts';
import { clusterRoleAggregationController } from './cluster-role-aggregation.ts';
import { cronJobController } from './cronjob/cron-job.ts';
import { daemonSetController } from './daemonset/daemon-set.ts';
import { deploymentController } from './deployment/deployment.ts';
import { disruptionController } from './disruption.ts';
import { endpointSliceController } from './endpointslice/endpoint-slice.ts';
import { endpointsController } from './endpointslice/endpoints.ts';
import { endpointSliceMirroringController } from './endpointslice/mirroring.ts';
import { garbageCollectorController } from './garbage-collector/garbage-collector.ts';
import { jobController } from './job/job.ts';
import { namespaceController } from './namespace.ts';
import { nodeIpamController } from './node/node-ipam.ts';
import { nodeLifecycleController } from './node/node-lifecycle.ts';
import { taintEvictionController } from './node/taint-eviction.ts';
import { ttlController } from './node/ttl.ts';
import { podGarbageCollectorController } from './pod-gc.ts';
import { replicaSetController } from './replica-set.ts';
import { replicationControllerController } from './replication-controller.ts';
import { resourceClaimController } from './resource-claim.ts';
import { resourceQuotaController } from './resource-quota/resource-quota.ts';
import { legacyTokenCleanerController } from './service-account/legacy-token-cleaner.ts';
import { serviceAccountController } from './service-account/service-account.ts';
import { serviceAccountTokenController } from './service-account/tokens.ts';
import { serviceCidrController } from './service-cidr.ts';
import { statefulSetController } from './statefulset/stateful-set.ts';
import { ttlAfterFinishedController } from './ttl-after-finished.ts';
import { validatingAdmissionPolicyStatusController } from './validating-admission-policy-status.ts';
import { attachDetachController } from './volume/attach-detach.ts';
import { persistentVolumeBinderController } from './volume/binder.ts';
import { ephemeralVolumeController } from './volume/ephemeral.ts';
import { attributesClassProtectionController } from './volume/attributes-class-protection.ts';
import { claimProtectionController, volumeProtectionController } from './volume/protection.ts';

/**
 * Every controller that runs by default. Adding one: a file, and a line here. The collector is last: it shares the others' informers.
 * upstream: cmd/kube-controller-manager/app/controller_descriptor.go.
 */
export const controllers: readonly ControllerFactory[] = [
  serviceAccountController,
  rootCaCertificatePublisherController,
  nodeIpamController,
  nodeLifecycleController,
  taintEvictionController,
  ttlController,
  deploymentController,
  replicaSetController,
  replicationControllerController,
  daemonSetController,
  statefulSetController,
  jobController,
  cronJobController,
  ttlAfterFinishedController,
  endpointSliceController,
  endpointSliceMirroringController,
  endpointsController,
  disruptionController,
  horizontalPodAutoscalerController,
  persistentVolumeBinderController,
  claimProtectionController,
  volumeProtectionController,
  attributesClassProtectionController,
  ephemeralVolumeController,
  attachDetachController,
  resourceClaimController,
  validatingAdmissionPolicyStatusController,
  podGarbageCollectorController,
  resourceQuotaController,
  clusterRoleAggregationController,
  certificateApprovingController,
  certificateSigningController,
  certificateCleanerController,
  serviceAccountTokenController,
  legacyTokenCleanerController,
  bootstrapSignerController,
  tokenCleanerController,
  serviceCidrController,
  namespaceController,
  garbageCollectorController,
];
