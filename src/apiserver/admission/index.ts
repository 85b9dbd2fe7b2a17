/**
 * Admission: what is changed in or refused of a write, in upstream's order. Step of the pod's way: "admitted".
 * One file a plugin; adding one is a new file and a line here. Upstream counterpart: plugin/pkg/admission, pkg/kubeapiserver/options/plugins.go.
 */
import type { AdmissionAttributes, AdmissionPlugin, AdmissionPluginFactory, ServerDependencies } from '../contract.ts';
import { WebhookClient } from '../webhook/client.ts';
import { endpointResolver } from '../webhook/service-resolver.ts';
import type { ServiceResolver } from '../webhook/service-resolver.ts';
import { alwaysPullImages } from './always-pull-images.ts';
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from './certificates.ts';
import { defaultIngressClass } from './default-ingress-class.ts';
import { defaultStorageClass } from './default-storage-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { denyServiceExternalIPs } from './deny-service-external-ips.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { ownerReferencesPermissionEnforcement } from './owner-references-permission-enforcement.ts';
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.ts';
import { podSecurityWith } from './pod-security/plugin.ts';
import type { PodSecurityOptions } from './pod-security/plugin.ts';
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
const builtIn: Readonly<Record<string, AdmissionPluginFactory>> = {
  NamespaceLifecycle: namespaceLifecycle,
  LimitRanger: limitRanger,
  ServiceAccount: serviceAccount,
  NodeRestriction: nodeRestriction,
  TaintNodesByCondition: taintNodesByCondition,
  AlwaysPullImages: alwaysPullImages,
  PodSecurity: podSecurityWith({}),
  Priority: priority,
  DefaultTolerationSeconds: defaultTolerationSeconds,
  DefaultStorageClass: defaultStorageClass,
  StorageObjectInUseProtection: storageObjectInUseProtection,
  OwnerReferencesPermissionEnforcement: ownerReferencesPermissionEnforcement,
  PersistentVolumeClaimResize: persistentVolumeClaimResize,
  RuntimeClass: runtimeClass,
  CertificateApproval: certificateApproval,
  CertificateSigning: certificateSigning,
  CertificateSubjectRestriction: certificateSubjectRestriction,
  DefaultIngressClass: defaultIngressClass,
  DenyServiceExternalIPs: denyServiceExternalIPs,
  PodTopologyLabels: podTopologyLabels,
};

/** Those that run only where they are asked for. NodeRestriction is on, as every installer of upstream's has it. */
const offByDefault = new Set(['AlwaysPullImages', 'OwnerReferencesPermissionEnforcement', 'DenyServiceExternalIPs']);
const after = ['MutatingAdmissionWebhook', 'ValidatingAdmissionPolicy', 'ValidatingAdmissionWebhook', 'ResourceQuota'] as const;

/** Every plugin there is, by upstream's names. */
export const admissionPluginNames: readonly string[] = [...Object.keys(builtIn), ...after];

export interface AdmissionOptions {
  /** Plugins beyond the default, and without. upstream: --enable-admission-plugins, --disable-admission-plugins. */
  enable?: readonly string[];
  disable?: readonly string[];
  podSecurity?: PodSecurityOptions;
  /** Where webhooks in Services are called. Default: a ready endpoint of the Service. */
  resolver?(dependencies: ServerDependencies): ServiceResolver;
}

/** The plugins that are on, in the order in which they are asked. Throws where a name is not one of a plugin. */
export function admissionPlugins(options: AdmissionOptions = {}): readonly AdmissionPluginFactory[] {
  const { enable = [], disable = [] } = options;
  for (const name of [...enable, ...disable])
    if (!admissionPluginNames.includes(name)) throw new Error(`Cannot switch the admission plugin ${name}: there is none of that name`);
  const on = (name: string): boolean => !disable.includes(name) && (enable.includes(name) || !offByDefault.has(name));
  const factories = Object.entries({ ...builtIn, PodSecurity: podSecurityWith(options.podSecurity ?? {}) })
    .filter(([name]) => on(name))
    .map(([, factory]) => factory);
  const earlier: AdmissionPlugin[] = [];
  const remembered = factories.map((make): AdmissionPluginFactory => (dependencies) => {
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
  const last: Record<(typeof after)[number], AdmissionPluginFactory> = {
    MutatingAdmissionWebhook: (dependencies) => mutatingAdmissionWebhook(parts(dependencies), reinvoke),
    ValidatingAdmissionPolicy: validatingAdmissionPolicy,
    ValidatingAdmissionWebhook: (dependencies) => validatingAdmissionWebhook(parts(dependencies)),
    ResourceQuota: resourceQuota,
  };
  return [...remembered, ...after.filter(on).map((name) => last[name])];
}
