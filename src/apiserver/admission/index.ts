/**
 * Admission: what is changed in or refused of a write, in upstream's order. Step of the pod's way: "admitted".
 * One file a plugin; adding one is a new file and a line here. Upstream counterpart: plugin/pkg/admission, pkg/kubeapiserver/options/plugins.go.
 */
import type { AdmissionAttributes, AdmissionPlugin, AdmissionPluginFactory, ServerDependencies } from '../contract.ts';
import { WebhookClient } from '../webhook/client.ts';
import { endpointResolver } from '../webhook/service-resolver.ts';
import type { ServiceResolver } from '../webhook/service-resolver.ts';
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from './certificates.ts';
import { defaultIngressClass } from './default-ingress-class.ts';
import { defaultStorageClass } from './default-storage-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.ts';
import { podSecurity } from './pod-security/plugin.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { validatingAdmissionPolicy } from './policy/validating.ts';
import { priority } from './priority.ts';
import { resourceQuota } from './resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { storageObjectInUseProtection } from './storage-object-in-use-protection.ts';
import { taintNodesByCondition } from './taint-nodes-by-condition.ts';
import type { CallParts } from './webhook/calls.ts';
import { webhookConditions } from './webhook/conditions.ts';
import { mutatingAdmissionWebhook } from './webhook/mutating.ts';
import { validatingAdmissionWebhook } from './webhook/validating.ts';

/** What goes before the webhooks, in the order in which it is asked. */
const builtIn: readonly AdmissionPluginFactory[] = [
  namespaceLifecycle,
  limitRanger,
  serviceAccount,
  nodeRestriction,
  taintNodesByCondition,
  podSecurity,
  priority,
  defaultTolerationSeconds,
  defaultStorageClass,
  storageObjectInUseProtection,
  persistentVolumeClaimResize,
  runtimeClass,
  certificateApproval,
  certificateSigning,
  certificateSubjectRestriction,
  defaultIngressClass,
  podTopologyLabels,
];

export interface AdmissionOptions {
  /** Where webhooks in Services are called. Default: a ready endpoint of the Service. */
  resolver?(dependencies: ServerDependencies): ServiceResolver;
}

/** The plugins that are on by default (and NodeRestriction, as every installer has it), in the order in which they are asked. */
export function admissionPlugins(options: AdmissionOptions = {}): readonly AdmissionPluginFactory[] {
  const earlier: AdmissionPlugin[] = [];
  const remembered = builtIn.map((make): AdmissionPluginFactory => (dependencies) => {
    const plugin = make(dependencies);
    if (plugin.admit) earlier.push(plugin);
    return plugin;
  });
  const reinvoke = async (attributes: AdmissionAttributes): Promise<void> => {
    for (const plugin of earlier) if (plugin.handles(attributes)) await plugin.admit!(attributes);
  };
  const parts = (dependencies: Parameters<AdmissionPluginFactory>[0]): CallParts => ({
    ...dependencies,
    webhooks: new WebhookClient((options.resolver ?? endpointResolver)(dependencies), dependencies.clock),
    conditions: webhookConditions(dependencies.authorizer),
  });
  return [
    ...remembered,
    (dependencies) => mutatingAdmissionWebhook(parts(dependencies), reinvoke),
    validatingAdmissionPolicy,
    (dependencies) => validatingAdmissionWebhook(parts(dependencies)),
    resourceQuota,
  ];
}
