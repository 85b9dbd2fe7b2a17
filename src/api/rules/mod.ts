/** The rules of every kind, one line a kind. Only the API server and tests import this door. */
import { invalidField } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import type { KubeObject } from '#machinery/meta';
import type { Kind, KindRules } from '../contract.ts';
import { kindFact, schema } from '../facts/mod.ts';
import { mutatingWebhookConfigurationRules } from '../admissionregistration/mutating-webhook-configuration.ts';
import { validatingAdmissionPolicyBindingRules } from '../admissionregistration/validating-admission-policy-binding.ts';
import { validatingAdmissionPolicyRules } from '../admissionregistration/validating-admission-policy.ts';
import { validatingWebhookConfigurationRules } from '../admissionregistration/validating-webhook-configuration.ts';
import { customResourceDefinitionRules } from '../apiextensions/custom-resource-definition.ts';
import { apiServiceRules } from '../apiregistration/api-service.ts';
import { controllerRevisionRules } from '../apps/controller-revision.ts';
import { daemonSetRules } from '../apps/daemon-set.ts';
import { deploymentRules } from '../apps/deployment.ts';
import { replicaSetRules } from '../apps/replica-set.ts';
import { statefulSetRules } from '../apps/stateful-set.ts';
import { autoscalingV1HorizontalPodAutoscalerRules } from '../autoscaling/horizontal-pod-autoscaler-v1.ts';
import { horizontalPodAutoscalerRules } from '../autoscaling/horizontal-pod-autoscaler.ts';
import { cronJobRules } from '../batch/cron-job.ts';
import { jobRules } from '../batch/job.ts';
import { certificateSigningRequestRules } from '../certificates/certificate-signing-request.ts';
import { leaseRules } from '../coordination/lease.ts';
import { componentStatusRules } from '../core/component-status.ts';
import { configMapRules } from '../core/config-map.ts';
import { endpointsRules } from '../core/endpoints.ts';
import { eventRules } from '../core/event.ts';
import { limitRangeRules } from '../core/limit-range.ts';
import { namespaceRules } from '../core/namespace.ts';
import { nodeRules } from '../core/node.ts';
import { persistentVolumeClaimRules } from '../core/persistent-volume-claim.ts';
import { persistentVolumeRules } from '../core/persistent-volume.ts';
import { podTemplateRules } from '../core/pod-template.ts';
import { podRules } from '../core/pod.ts';
import { replicationControllerRules } from '../core/replication-controller.ts';
import { resourceQuotaRules } from '../core/resource-quota.ts';
import { secretRules } from '../core/secret.ts';
import { serviceAccountRules } from '../core/service-account.ts';
import { serviceRules } from '../core/service.ts';
import { endpointSliceRules } from '../discovery/endpoint-slice.ts';
import { eventsV1EventRules } from '../events/event.ts';
import { flowSchemaRules } from '../flowcontrol/flow-schema.ts';
import { priorityLevelConfigurationRules } from '../flowcontrol/priority-level-configuration.ts';
import { ingressClassRules } from '../networking/ingress-class.ts';
import { ingressRules } from '../networking/ingress.ts';
import { ipAddressRules } from '../networking/ip-address.ts';
import { networkPolicyRules } from '../networking/network-policy.ts';
import { serviceCIDRRules } from '../networking/service-cidr.ts';
import { runtimeClassRules } from '../node/runtime-class.ts';
import { podDisruptionBudgetRules } from '../policy/pod-disruption-budget.ts';
import { clusterRoleBindingRules } from '../rbac/cluster-role-binding.ts';
import { clusterRoleRules } from '../rbac/cluster-role.ts';
import { roleBindingRules } from '../rbac/role-binding.ts';
import { roleRules } from '../rbac/role.ts';
import { deviceClassRules } from '../resource/device-class.ts';
import { resourceClaimTemplateRules } from '../resource/resource-claim-template.ts';
import { resourceClaimRules } from '../resource/resource-claim.ts';
import { resourceSliceRules } from '../resource/resource-slice.ts';
import { priorityClassRules } from '../scheduling/priority-class.ts';
import { csiDriverRules } from '../storage/csi-driver.ts';
import { csiNodeRules } from '../storage/csi-node.ts';
import { csiStorageCapacityRules } from '../storage/csi-storage-capacity.ts';
import { storageClassRules } from '../storage/storage-class.ts';
import { volumeAttachmentRules } from '../storage/volume-attachment.ts';
import { volumeAttributesClassRules } from '../storage/volume-attributes-class.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- each entry is of its own kind; lookups are by kind
const listed: readonly KindRules<any>[] = [
  mutatingWebhookConfigurationRules,
  validatingAdmissionPolicyBindingRules,
  validatingAdmissionPolicyRules,
  validatingWebhookConfigurationRules,
  customResourceDefinitionRules,
  apiServiceRules,
  controllerRevisionRules,
  daemonSetRules,
  deploymentRules,
  replicaSetRules,
  statefulSetRules,
  autoscalingV1HorizontalPodAutoscalerRules,
  horizontalPodAutoscalerRules,
  cronJobRules,
  jobRules,
  certificateSigningRequestRules,
  leaseRules,
  componentStatusRules,
  configMapRules,
  endpointsRules,
  eventRules,
  limitRangeRules,
  namespaceRules,
  nodeRules,
  persistentVolumeClaimRules,
  persistentVolumeRules,
  podTemplateRules,
  podRules,
  replicationControllerRules,
  resourceQuotaRules,
  secretRules,
  serviceAccountRules,
  serviceRules,
  endpointSliceRules,
  eventsV1EventRules,
  flowSchemaRules,
  priorityLevelConfigurationRules,
  ingressClassRules,
  ingressRules,
  ipAddressRules,
  networkPolicyRules,
  serviceCIDRRules,
  runtimeClassRules,
  podDisruptionBudgetRules,
  clusterRoleBindingRules,
  clusterRoleRules,
  roleBindingRules,
  roleRules,
  deviceClassRules,
  resourceClaimTemplateRules,
  resourceClaimRules,
  resourceSliceRules,
  priorityClassRules,
  csiDriverRules,
  csiNodeRules,
  csiStorageCapacityRules,
  storageClassRules,
  volumeAttachmentRules,
  volumeAttributesClassRules,
];

const standardFinalizers = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);
/** Groups whose metadata upstream checks without the rule for finalizers' names. */
const laxGroups = new Set([
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
]);

/** upstream: validateKubeFinalizerName in pkg/apis/core/validation. */
function checkFinalizers(object: KubeObject): FieldError[] {
  const { finalizers } = object.metadata ?? {};
  if (!finalizers) return [];
  return finalizers.flatMap((name, index) =>
    name.includes('/') || standardFinalizers.has(name)
      ? []
      : [invalidField(`metadata.finalizers[${index}]`, name, 'name is neither a standard finalizer name nor is it fully qualified')],
  );
}

/** What all kinds share beyond what the generic registry does: a spec is never absent, finalizers have full names. */
function complete(rules: KindRules): KindRules {
  const fact = kindFact(rules.kind.group, rules.kind.version, rules.kind.kind);
  const hasSpec = schema[fact?.type ?? '']?.fields?.['spec'] !== undefined;
  const { applyDefaults, validate, validateUpdate } = rules;
  const completed: KindRules = { ...rules };
  if (hasSpec)
    completed.applyDefaults = (object) => {
      (object as { spec?: object }).spec ??= {};
      applyDefaults?.(object);
    };
  if (laxGroups.has(rules.kind.group) || rules.checksMetadata === false) return completed;
  completed.validate = (object, expressions) => [...checkFinalizers(object), ...(validate?.(object, expressions) ?? [])];
  completed.validateUpdate = (object, old, expressions) => [
    ...checkFinalizers(object),
    ...(validateUpdate?.(object, old, expressions) ?? []),
  ];
  return completed;
}

const byKind = new Map(listed.map((rules) => [`${rules.kind.group}/${rules.kind.version}/${rules.kind.kind}`, complete(rules)]));

export const allRules: readonly KindRules[] = [...byKind.values()];

/** The rules of a kind; a kind without a line of its own has only the generic ones. */
export function rulesFor(kind: Kind): KindRules {
  return byKind.get(`${kind.group}/${kind.version}/${kind.kind}`) ?? { kind };
}

export { autoscalerFromFirst, autoscalerToFirst } from '../autoscaling/convert.ts';
