/** upstream: ValidateServiceCreate, ValidateServiceUpdate, ValidateServiceStatusUpdate in pkg/apis/core/validation. */
import { isIP, isIPv4, isIPv6, validateCIDRForLegacyField, validateIPForLegacyField, warningsForCIDR, warningsForIP } from '#machinery/ip';
import { isDNS1123Subdomain, isValidPortNum } from '#machinery/names';
import {
  checkLabel,
  checkLabels,
  checkOneOf,
  checkPort,
  checkQualifiedName,
  checkSubdomain,
  duplicate,
  forbiddenField,
  invalidField,
  invalidFor,
  required,
  unsupported,
} from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { Service, ServicePort } from '../facts/types.ts';
import { checkEndpointIP } from './endpoints-validation.ts';
import { externallyAccessible, isExternalName, isLoadBalancer, needsHealthCheckNodePort } from './service-type.ts';

const onlyLoadBalancer = "may only be used when `type` is 'LoadBalancer'";
const isHeadless = ({ spec }: Service): boolean => spec?.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None';
const topologyHints = 'service.kubernetes.io/topology-aware-hints';
const topologyMode = 'service.kubernetes.io/topology-mode';
const sourceRanges = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const protocols = ['SCTP', 'TCP', 'UDP'];
const longestAffinity = 86400;

function checkService(errors: Errors, service: Service, old?: Service): void {
  const spec = service.spec!;
  const annotations = service.metadata?.annotations ?? {};
  if (
    annotations[topologyMode] !== undefined &&
    annotations[topologyHints] !== undefined &&
    annotations[topologyMode] !== annotations[topologyHints]
  )
    errors.push(
      invalidField(
        `metadata.annotations[${topologyMode}]`,
        annotations[topologyMode],
        `must match annotations[${topologyHints}] when both are specified`,
      ),
    );
  const ports = spec.ports ?? [];
  if (!ports.length && !isHeadless(service) && !isExternalName(service)) errors.push(required('spec.ports'));
  checkType(errors, service);
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) checkServicePort(errors, `spec.ports[${index}]`, port, ports.length > 1, names);
  checkLabels(errors, 'spec.selector', spec.selector);
  checkAffinity(errors, service);
  checkClusterIPs(errors, service, old);
  for (const [index, ip] of (spec.externalIPs ?? []).entries()) {
    const bad = validateIPForLegacyField(`spec.externalIPs[${index}]`, ip, false, old?.spec?.externalIPs);
    errors.push(...bad);
    if (!bad.length) checkEndpointIP(errors, `spec.externalIPs[${index}]`, ip);
  }
  checkOneOf(errors, 'spec.type', spec.type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']);
  checkPortSets(errors, service);
  checkSourceRanges(errors, service, old);
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isLoadBalancer(service))
    errors.push(forbiddenField('spec.allocateLoadBalancerNodePorts', onlyLoadBalancer));
  if (isLoadBalancer(service) && spec.allocateLoadBalancerNodePorts === undefined) errors.push(required('allocateLoadBalancerNodePorts'));
  checkLoadBalancerClass(errors, service);
  checkTrafficPolicies(errors, service);
}

function checkType(errors: Errors, service: Service): void {
  const { type, clusterIPs = [], ipFamilies, ipFamilyPolicy, externalName = '' } = service.spec!;
  if ((type === 'LoadBalancer' || type === 'NodePort') && isHeadless(service))
    errors.push(invalidField('spec.clusterIPs[0]', clusterIPs[0], `may not be set to 'None' for ${type} services`));
  if (type !== 'ExternalName') return;
  if (clusterIPs.length) errors.push(forbiddenField('spec.clusterIPs', 'may not be set for ExternalName services'));
  if (ipFamilies?.length) errors.push(forbiddenField('spec.ipFamilies', 'may not be set for ExternalName services'));
  if (ipFamilyPolicy !== undefined) errors.push(forbiddenField('spec.ipFamilyPolicy', 'may not be set for ExternalName services'));
  const name = externalName.replace(/\.$/, '');
  if (name) checkSubdomain(errors, 'spec.externalName', name);
  else errors.push(required('spec.externalName'));
}

function checkServicePort(errors: Errors, path: string, port: ServicePort, needsName: boolean, names: Set<string>): void {
  if (needsName && !port.name) errors.push(required(`${path}.name`));
  else if (port.name) {
    checkLabel(errors, `${path}.name`, port.name);
    if (names.has(port.name)) errors.push(duplicate(`${path}.name`, port.name));
    names.add(port.name);
  }
  invalidFor(errors, `${path}.port`, port.port ?? 0, isValidPortNum(port.port ?? 0));
  checkOneOf(errors, `${path}.protocol`, port.protocol, protocols);
  checkPort(errors, `${path}.targetPort`, port.targetPort);
  if (port.appProtocol !== undefined) checkQualifiedName(errors, `${path}.appProtocol`, port.appProtocol);
}

/** No two ports share their number or their node port. */
function checkPortSets(errors: Errors, { spec }: Service): void {
  const ports = spec!.ports ?? [];
  if (spec!.type === 'ClusterIP')
    for (const [index, { nodePort }] of ports.entries())
      if (nodePort) errors.push(forbiddenField(`spec.ports[${index}].nodePort`, "may not be used when `type` is 'ClusterIP'"));
  const nodePorts = new Set<string>();
  for (const [index, { protocol, nodePort }] of ports.entries()) {
    if (!nodePort) continue;
    if (nodePorts.has(`${protocol}/${nodePort}`)) errors.push(duplicate(`spec.ports[${index}].nodePort`, nodePort));
    nodePorts.add(`${protocol}/${nodePort}`);
  }
  const numbers = new Set<string>();
  for (const [index, { protocol, port }] of ports.entries()) {
    if (numbers.has(`${protocol}/${port}`)) {
      const shown = { Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
      errors.push(duplicate(`spec.ports[${index}]`, shown));
    }
    numbers.add(`${protocol}/${port}`);
  }
}

function checkAffinity(errors: Errors, { spec }: Service): void {
  const { sessionAffinity, sessionAffinityConfig: config } = spec!;
  checkOneOf(errors, 'spec.sessionAffinity', sessionAffinity, ['ClientIP', 'None']);
  const path = 'spec.sessionAffinityConfig';
  const when = 'when session affinity type is ClientIP';
  if (sessionAffinity === 'None') {
    if (config) errors.push(forbiddenField(path, 'must not be set when session affinity is None'));
  } else if (sessionAffinity === 'ClientIP') {
    const seconds = config?.clientIP?.timeoutSeconds;
    if (!config) errors.push(required(path, when));
    else if (!config.clientIP) errors.push(required(`${path}.clientIP`, when));
    else if (seconds === undefined) errors.push(required(`${path}.clientIP.timeoutSeconds`, when));
    else if (seconds <= 0 || seconds > longestAffinity)
      errors.push(invalidField(`${path}.clientIP.timeoutSeconds`, seconds, `must be greater than 0 and less than ${longestAffinity}`));
  }
}

/** upstream: ValidateServiceClusterIPsRelatedFields. */
function checkClusterIPs(errors: Errors, service: Service, old?: Service): void {
  if (isExternalName(service)) return;
  const { clusterIP, clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = service.spec!;
  const path = 'spec.clusterIPs';
  if (clusterIP) {
    if (!clusterIPs.length) errors.push(required(path));
    else if (clusterIPs[0] !== clusterIP) errors.push(invalidField(path, clusterIPs, 'first value must match `clusterIP`'));
  } else if (clusterIPs.length) errors.push(invalidField(path, clusterIPs, 'must be empty when `clusterIP` is not specified'));
  for (const [index, family] of ipFamilies.entries()) {
    if (family !== 'IPv4' && family !== 'IPv6') errors.push(unsupported(`spec.ipFamilies[${index}]`, family, ['IPv4', 'IPv6']));
    if (ipFamilies.indexOf(family) < index) errors.push(duplicate(`spec.ipFamilies[${index}]`, family));
  }
  const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
  if (ipFamilyPolicy !== undefined && !policies.includes(ipFamilyPolicy))
    errors.push(unsupported('spec.ipFamilyPolicy', ipFamilyPolicy, policies));
  let bad = false;
  for (const [index, ip] of clusterIPs.entries()) {
    if (index === 0 && ip === 'None') {
      if (clusterIPs.length > 1) {
        bad = true;
        errors.push(invalidField(path, clusterIPs, "'None' must be the first and only value"));
      }
      continue;
    }
    const found = validateIPForLegacyField(`${path}[${index}]`, ip, false, old?.spec?.clusterIPs);
    bad ||= found.length > 0;
    errors.push(...found);
  }
  if (clusterIPs.length > 2) errors.push(invalidField(path, clusterIPs, 'may only hold up to 2 values'));
  if (bad) return;
  if (clusterIPs.length > 1 && !(clusterIPs.some(isIPv4) && clusterIPs.some(isIPv6)))
    errors.push(invalidField(path, clusterIPs, 'may specify no more than one IP for each IP family'));
  if (isHeadless(service)) return;
  for (const [index, ip] of clusterIPs.entries()) {
    const family = ipFamilies[index];
    if ((family === 'IPv4' && isIPv6(ip)) || (family === 'IPv6' && !isIPv6(ip)))
      errors.push(invalidField(`${path}[${index}]`, ip, `expected an ${family} value as indicated by \`ipFamilies[${index}]\``));
  }
}

function checkSourceRanges(errors: Errors, service: Service, old?: Service): void {
  const ranges = service.spec!.loadBalancerSourceRanges ?? [];
  const annotation = service.metadata?.annotations?.[sourceRanges];
  if (ranges.length) {
    const path = 'spec.LoadBalancerSourceRanges';
    if (!isLoadBalancer(service)) errors.push(forbiddenField(path, onlyLoadBalancer));
    const before = old?.spec?.loadBalancerSourceRanges?.map((range) => range.trim());
    for (const [index, range] of ranges.entries())
      errors.push(...validateCIDRForLegacyField(`${path}[${index}]`, range.trim(), false, before));
  } else if (annotation !== undefined) {
    const path = `metadata.annotations[${sourceRanges}]`;
    if (!isLoadBalancer(service)) errors.push(forbiddenField(path, onlyLoadBalancer));
    if (annotation.trim() && old?.metadata?.annotations?.[sourceRanges] !== annotation)
      for (const range of annotation.trim().split(',')) errors.push(...validateCIDRForLegacyField(path, range.trim(), false));
  }
}

function checkLoadBalancerClass(errors: Errors, service: Service, old?: Service): void {
  const { loadBalancerClass } = service.spec!;
  const path = 'spec.loadBalancerClass';
  if (old && isLoadBalancer(old) && isLoadBalancer(service) && old.spec?.loadBalancerClass !== loadBalancerClass)
    errors.push(invalidField(path, loadBalancerClass, 'may not change once set'));
  if (loadBalancerClass === undefined) return;
  if (isLoadBalancer(service)) checkQualifiedName(errors, path, loadBalancerClass);
  else errors.push(forbiddenField(path, onlyLoadBalancer));
}

function checkTrafficPolicies(errors: Errors, service: Service): void {
  const { type, externalTrafficPolicy, healthCheckNodePort, internalTrafficPolicy, trafficDistribution } = service.spec!;
  if (externallyAccessible(service)) checkOneOf(errors, 'spec.externalTrafficPolicy', externalTrafficPolicy, ['Cluster', 'Local']);
  else if (externalTrafficPolicy)
    errors.push(invalidField('spec.externalTrafficPolicy', externalTrafficPolicy, 'may only be set for externally-accessible services'));
  if (needsHealthCheckNodePort(service)) {
    if (!healthCheckNodePort) errors.push(required('spec.healthCheckNodePort'));
    else invalidFor(errors, 'spec.healthCheckNodePort', healthCheckNodePort, isValidPortNum(healthCheckNodePort));
  } else if (healthCheckNodePort)
    errors.push(
      invalidField(
        'spec.healthCheckNodePort',
        healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  const policies = ['Cluster', 'Local'];
  if (internalTrafficPolicy === undefined) {
    if (type === 'NodePort' || type === 'LoadBalancer' || type === 'ClusterIP') errors.push(required('spec.internalTrafficPolicy'));
  } else if (!policies.includes(internalTrafficPolicy))
    errors.push(unsupported('spec.internalTrafficPolicy', internalTrafficPolicy, policies));
  const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
  if (trafficDistribution !== undefined && !distributions.includes(trafficDistribution))
    errors.push(unsupported('spec.trafficDistribution', trafficDistribution, distributions));
}

export function validateService(service: Service): Errors {
  const errors: Errors = [];
  checkService(errors, service);
  return errors;
}

const fixed = 'may not change once set';

/** Primary addresses and families stay; secondary ones come with dual stack and go with single stack. */
function checkFamilyChanges(errors: Errors, service: Service, old: Service): void {
  if (isExternalName(service) || isExternalName(old)) return;
  const wasHeadless = isHeadless(old);
  const single = service.spec!.ipFamilyPolicy === 'SingleStack';
  const { clusterIPs = [], ipFamilies = [] } = service.spec!;
  if (!(wasHeadless && isHeadless(service))) {
    const before = old.spec?.clusterIPs ?? [];
    checkPrimary(errors, 'clusterIPs', clusterIPs, before, clusterIPs);
    if (before.length > clusterIPs.length && clusterIPs.length === 1 && !single)
      errors.push(
        invalidField(
          'spec.ipFamilyPolicy',
          service.spec!.ipFamilyPolicy,
          "must be set to 'SingleStack' when releasing the secondary clusterIP",
        ),
      );
  }
  if (wasHeadless || isHeadless(service)) return;
  const before = old.spec?.ipFamilies ?? [];
  checkPrimary(errors, 'ipFamilies', ipFamilies, before, clusterIPs);
  if (before.length > ipFamilies.length && ipFamilies.length === 1 && !single)
    errors.push(
      invalidField(
        'spec.ipFamilyPolicy',
        service.spec!.ipFamilyPolicy,
        "must be set to 'SingleStack' when releasing the secondary ipFamily",
      ),
    );
}

function checkPrimary(errors: Errors, field: 'clusterIPs' | 'ipFamilies', values: string[], old: string[], clusterIPs: string[]): void {
  const path = `spec.${field}`;
  if (values.length === old.length) {
    for (const [index, value] of old.entries())
      if (value !== values[index]) errors.push(invalidField(`${path}[${field === 'clusterIPs' ? index : 0}]`, values, fixed));
    return;
  }
  if (old.length > values.length && clusterIPs.length === 0)
    errors.push(
      invalidField(
        `${path}[0]`,
        values,
        field === 'clusterIPs' ? 'primary clusterIP can not be unset' : 'primary ipFamily can not be unset',
      ),
    );
  if (old.length > 0 && values.length > 0 && values[0] !== old[0]) errors.push(invalidField(`${path}[0]`, clusterIPs, fixed));
}

export function validateServiceUpdate(service: Service, old: Service): Errors {
  const errors: Errors = [];
  checkFamilyChanges(errors, service, old);
  checkLoadBalancerClass(errors, service, old);
  if (
    needsHealthCheckNodePort(old) &&
    needsHealthCheckNodePort(service) &&
    old.spec?.healthCheckNodePort !== service.spec?.healthCheckNodePort
  )
    errors.push(forbiddenField('spec.healthCheckNodePort', 'field is immutable'));
  checkService(errors, service, old);
  return errors;
}

export function validateServiceStatus(service: Service, old: Service): Errors {
  const errors: Errors = [];
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  if (!isLoadBalancer(service) && ingress.length) {
    errors.push(forbiddenField('status.loadBalancer.ingress', "may only be used when `spec.type` is 'LoadBalancer'"));
    return errors;
  }
  const before = (old.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []));
  for (const [index, { ip, ipMode, hostname }] of ingress.entries()) {
    const path = `status.loadBalancer.ingress[${index}]`;
    if (ip) errors.push(...validateIPForLegacyField(`${path}.ip`, ip, false, before));
    if (ipMode === undefined) {
      if (ip) errors.push(required(`${path}.ipMode`, 'must be specified when `ip` is set'));
    } else if (!ip) errors.push(forbiddenField(`${path}.ipMode`, 'may not be specified when `ip` is not set'));
    else if (ipMode !== 'VIP' && ipMode !== 'Proxy') errors.push(unsupported(`${path}.ipMode`, ipMode, ['Proxy', 'VIP']));
    checkIngressHostname(errors, `${path}.hostname`, hostname);
  }
  return errors;
}

/** Ingresses have the same rule. */
export function checkIngressHostname(errors: Errors, path: string, hostname: string | undefined): void {
  if (!hostname) return;
  invalidFor(errors, path, hostname, isDNS1123Subdomain(hostname));
  if (isIP(hostname)) errors.push(invalidField(path, hostname, 'must be a DNS name, not an IP address'));
}

/** upstream: pkg/api/service/warnings.go. */
export function warningsForService(service: Service): string[] {
  const { spec } = service;
  if (!spec) return [];
  const texts: string[] = [];
  if (service.metadata?.annotations?.[topologyHints] !== undefined)
    texts.push(`annotation ${topologyHints} is deprecated, please use ${topologyMode} instead`);
  if (spec.clusterIP && spec.clusterIP !== 'None')
    for (const [index, ip] of (spec.clusterIPs ?? []).entries()) texts.push(...warningsForIP(`spec.clusterIPs[${index}]`, ip));
  if (spec.type === 'ClusterIP' && spec.clusterIP === 'None') {
    if (spec.loadBalancerIP) texts.push('spec.loadBalancerIP is ignored for headless services');
    if (spec.externalIPs?.length) texts.push('spec.externalIPs is ignored for headless services');
    if (spec.sessionAffinity !== 'None') texts.push('spec.SessionAffinity is ignored for headless services');
  }
  for (const [index, ip] of (spec.externalIPs ?? []).entries()) texts.push(...warningsForIP(`spec.externalIPs[${index}]`, ip));
  if (spec.loadBalancerIP) texts.push(...warningsForIP('spec.loadBalancerIP', spec.loadBalancerIP));
  for (const [index, range] of (spec.loadBalancerSourceRanges ?? []).entries())
    texts.push(...warningsForCIDR(`spec.loadBalancerSourceRanges[${index}]`, range));
  if (spec.type === 'ExternalName' && spec.externalIPs?.length) texts.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  if (spec.type !== 'ExternalName' && spec.externalName) texts.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  if (spec.trafficDistribution === 'PreferClose') texts.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  return texts;
}
