/** upstream: pkg/registry/core/service/strategy.go, SetDefaults_Service. Addresses and ports are allocated by the API server's hooks. */
import { Service } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, formatLabels, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';
import { equal } from '#machinery/meta';
import { loadBalancerAddresses, loadBalancerWarnings } from '../networking/load-balancer-text.ts';
import { externallyAccessible, hasNodePorts, isLoadBalancer, needsClusterIP, needsHealthCheckNodePort } from './service-type.ts';
import { nameIsDNS1035Label } from '#machinery/names';
import { validateService, validateServiceStatus, validateServiceUpdate, warningsForService } from './service-validation.ts';

/** The session of a client lasts three hours. */
const affinitySeconds = 10800;

function applyDefaults(service: Service): void {
  const spec = (service.spec ??= {});
  if (!spec.sessionAffinity) spec.sessionAffinity = 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  else if (spec.sessionAffinity === 'ClientIP' && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds == null)
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: affinitySeconds } };
  if (!spec.type) spec.type = 'ClusterIP';
  for (const port of spec.ports ?? []) {
    if (!port.protocol) port.protocol = 'TCP';
    if (!port.targetPort) port.targetPort = port.port;
  }
  if (externallyAccessible(service) && !spec.externalTrafficPolicy) spec.externalTrafficPolicy = 'Cluster';
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer' || spec.type === 'ClusterIP') spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') {
    spec.allocateLoadBalancerNodePorts ??= true;
    for (const ingress of service.status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= 'VIP';
  }
}

/** What the new type of a Service has no use for goes away, where the client left it as it was. */
function dropTypeDependentFields(service: Service, old: Service): void {
  const spec = service.spec!;
  const before = old.spec ?? {};
  if (needsClusterIP(old) && !needsClusterIP(service)) {
    if ((spec.clusterIP ?? '') === (before.clusterIP ?? '') && equal(spec.clusterIPs ?? [], before.clusterIPs ?? [])) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    if (equal(spec.ipFamilies, before.ipFamilies)) delete spec.ipFamilies;
    if (spec.ipFamilyPolicy === before.ipFamilyPolicy) delete spec.ipFamilyPolicy;
  }
  if (hasNodePorts(old) && !hasNodePorts(service)) {
    const taken = new Set((before.ports ?? []).map((port) => port.nodePort));
    if ((spec.ports ?? []).every((port) => !port.nodePort || taken.has(port.nodePort)))
      for (const port of spec.ports ?? []) delete port.nodePort;
  }
  if (needsHealthCheckNodePort(old) && !needsHealthCheckNodePort(service) && spec.healthCheckNodePort === before.healthCheckNodePort)
    delete spec.healthCheckNodePort;
  if (isLoadBalancer(old) && !isLoadBalancer(service)) {
    if (spec.allocateLoadBalancerNodePorts === before.allocateLoadBalancerNodePorts) delete spec.allocateLoadBalancerNodePorts;
    if (spec.loadBalancerClass === before.loadBalancerClass) delete spec.loadBalancerClass;
  }
  if (externallyAccessible(old) && !externallyAccessible(service) && spec.externalTrafficPolicy === before.externalTrafficPolicy)
    delete spec.externalTrafficPolicy;
}

/** A name elsewhere has no traffic of its own. upstream: defaultOnReadInternalTrafficPolicy. */
function dropInternalPolicy({ spec }: Service): void {
  if (spec?.type === 'ExternalName') delete spec.internalTrafficPolicy;
}

function externalIP(service: Service): string {
  const { type, externalIPs = [], externalName } = service.spec ?? {};
  if (type === 'ClusterIP' || type === 'NodePort') return externalIPs.join(',') || '<none>';
  if (type === 'LoadBalancer') {
    const balancers = loadBalancerAddresses(service.status?.loadBalancer?.ingress);
    return [...balancers, ...externalIPs].join(',') || '<pending>';
  }
  return type === 'ExternalName' ? (externalName ?? '') : '<unknown>';
}

const portText = (service: Service): string =>
  (service.spec?.ports ?? []).map(({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol}`).join(',') ||
  '<none>';

export const serviceRules = defineKind<Service>({
  kind: Service,
  applyDefaults,
  prepareForCreate: (service) => {
    service.status = { loadBalancer: {} };
    dropInternalPolicy(service);
  },
  prepareForUpdate: (service, old) => {
    keepStatus(service, old);
    dropTypeDependentFields(service, old);
    dropInternalPolicy(service);
    if (!isLoadBalancer(service) && service.status?.loadBalancer?.ingress) service.status = { ...service.status, loadBalancer: {} };
  },
  validateName: nameIsDNS1035Label,
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  warnings: warningsForService,
  subresources: {
    status: {
      prepareForUpdate: keepSpec,
      validateUpdate: validateServiceStatus,
      warnings: ({ status }) => loadBalancerWarnings(status?.loadBalancer?.ingress),
    },
  },
  generation: false,
  allowCreateOnUpdate: true,
  columns: [
    text('Type', (service) => service.spec?.type ?? ''),
    text('Cluster-IP', (service) => service.spec?.clusterIPs?.[0] ?? service.spec?.clusterIP ?? '<none>'),
    text('External-IP', externalIP),
    text('Port(s)', portText),
    ageColumn,
    text('Selector', (service) => formatLabels(service.spec?.selector), 1),
  ],
  selectableFields: {
    'spec.clusterIP': (service) => service.spec?.clusterIP ?? '',
    'spec.type': (service) => service.spec?.type ?? '',
  },
});
