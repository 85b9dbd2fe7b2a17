/** upstream: ValidateIngressCreate, ValidateIngressUpdate in pkg/apis/networking/validation. */
import { isIP, validateIPForLegacyField } from '#machinery/ip';
import {
  isDNS1123Subdomain,
  isValidPortName,
  isValidPortNum,
  isWildcardDNS1123Subdomain,
  nameIsDNS1035Label,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
  nameIsPathSegment,
} from '#machinery/names';
import type { NameRule } from '#machinery/names';
import { checkName, checkSubdomain, invalidField, invalidFor, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { Ingress } from '../facts/kinds.ts';
import type { HTTPIngressPath, IngressBackend, IngressRule, IngressTLS, TypedLocalObjectReference } from '../facts/types.ts';
import { checkIngressHostname } from '../core/service-validation.ts';

/** The annotation that chose a class before there was a field. */
export const classAnnotation = 'kubernetes.io/ingress.class';
const invalidSequences = ['//', '/./', '/../', '%2f', '%2F'];
const invalidSuffixes = ['/..', '/.'];

/** What an update may keep because it was stored before a rule was. */
interface Allowances {
  secretName: boolean;
  wildcardRule: boolean;
  serviceName: NameRule;
}

const strict: Allowances = { secretName: false, wildcardRule: false, serviceName: nameIsDNS1035Label };

/** A kind and a name in this namespace or without one; both may be what can stand in a path. */
export function checkLocalReference(errors: Errors, path: string, reference: Partial<TypedLocalObjectReference>): void {
  if (reference.apiGroup != null) checkSubdomain(errors, `${path}.apiGroup`, reference.apiGroup);
  checkName(errors, `${path}.kind`, reference.kind, nameIsPathSegment);
  checkName(errors, `${path}.name`, reference.name, nameIsPathSegment);
}

function checkBackend(errors: Errors, path: string, { resource, service }: IngressBackend, serviceName: NameRule): void {
  if (resource && service) errors.push(invalidField(path, '', 'cannot set both resource and service backends'));
  else if (resource) checkLocalReference(errors, `${path}.resource`, resource);
  else if (service) {
    checkName(errors, `${path}.service.name`, service.name, serviceName);
    const { name, number } = service.port ?? {};
    if (name && number) errors.push(invalidField(path, '', 'cannot set both port name & port number'));
    else if (name) invalidFor(errors, `${path}.service.port.name`, name, isValidPortName(name));
    else if (number) invalidFor(errors, `${path}.service.port.number`, number, isValidPortNum(number));
    else errors.push(required(path, 'port name or number is required'));
  } else errors.push(invalidField(path, '', 'resource or service backend is required'));
}

function checkPath(errors: Errors, at: string, rule: HTTPIngressPath, serviceName: NameRule): void {
  const { path = '', pathType } = rule;
  if (pathType == null) {
    errors.push(required(`${at}.pathType`, 'pathType must be specified'));
    return;
  }
  const relative = !path.startsWith('/');
  if (pathType === 'Exact' || pathType === 'Prefix') {
    if (relative) errors.push(invalidField(`${at}.path`, path, 'must be an absolute path'));
    for (const sequence of invalidSequences)
      if (path.includes(sequence)) errors.push(invalidField(`${at}.path`, path, `must not contain '${sequence}'`));
    for (const suffix of invalidSuffixes)
      if (path.endsWith(suffix)) errors.push(invalidField(`${at}.path`, path, `cannot end with '${suffix}'`));
  } else if (pathType === 'ImplementationSpecific') {
    if (path && relative) errors.push(invalidField(`${at}.path`, path, 'must be an absolute path'));
  } else errors.push(unsupported(`${at}.pathType`, pathType, ['Exact', 'ImplementationSpecific', 'Prefix']));
  checkBackend(errors, `${at}.backend`, rule.backend ?? {}, serviceName);
}

function checkRule(errors: Errors, path: string, { host, http }: IngressRule, allowed: Allowances): void {
  const wildcard = host?.includes('*') ?? false;
  if (host) {
    if (isIP(host)) errors.push(invalidField(`${path}.host`, host, 'must be a DNS name, not an IP address'));
    invalidFor(errors, `${path}.host`, host, wildcard ? isWildcardDNS1123Subdomain(host) : isDNS1123Subdomain(host));
  }
  if (!http || (wildcard && allowed.wildcardRule)) return;
  if (!http.paths?.length) errors.push(required(`${path}.http.paths`));
  for (const [index, rule] of (http.paths ?? []).entries()) checkPath(errors, `${path}.http.paths[${index}]`, rule, allowed.serviceName);
}

const secretErrors = (name: string | undefined): string[] => (name ? nameIsDNSSubdomain(name, false) : []);

function checkTLS(errors: Errors, path: string, { hosts, secretName }: IngressTLS, allowed: Allowances): void {
  for (const [index, host] of (hosts ?? []).entries())
    invalidFor(errors, `${path}.hosts[${index}]`, host, host.includes('*') ? isWildcardDNS1123Subdomain(host) : isDNS1123Subdomain(host));
  if (!allowed.secretName) invalidFor(errors, `${path}.secretName`, secretName, secretErrors(secretName));
}

function checkIngress(errors: Errors, { spec = {} }: Ingress, allowed: Allowances): void {
  const { rules = [], defaultBackend, tls = [], ingressClassName } = spec;
  if (!rules.length && !defaultBackend)
    errors.push(invalidField('spec', spec.rules, 'either `defaultBackend` or `rules` must be specified'));
  if (defaultBackend) checkBackend(errors, 'spec.defaultBackend', defaultBackend, allowed.serviceName);
  for (const [index, rule] of rules.entries()) checkRule(errors, `spec.rules[${index}]`, rule, allowed);
  for (const [index, entry] of tls.entries()) checkTLS(errors, `spec.tls[${index}]`, entry, allowed);
  if (ingressClassName !== undefined) checkSubdomain(errors, 'spec.ingressClassName', ingressClassName);
}

/** Upstream's names of services may begin with a digit where they did before. */
function hasRelaxedServiceName({ spec }: Ingress): boolean {
  const backends = [spec?.defaultBackend, ...(spec?.rules ?? []).flatMap(({ http }) => (http?.paths ?? []).map(({ backend }) => backend))];
  return backends.some((backend) => {
    const name = backend?.service?.name;
    return name !== undefined && nameIsDNSLabel(name, false).length === 0 && nameIsDNS1035Label(name, false).length > 0;
  });
}

function hasInvalidWildcardRule({ spec }: Ingress): boolean {
  return (spec?.rules ?? []).some(({ host, http }) => {
    if (!host?.includes('*')) return false;
    const errors: Errors = [];
    checkRule(errors, '', { http } as IngressRule, strict);
    return errors.length > 0;
  });
}

export function validateIngress(ingress: Ingress): Errors {
  const errors: Errors = [];
  checkIngress(errors, ingress, strict);
  const annotation = ingress.metadata?.annotations?.[classAnnotation];
  const className = ingress.spec?.ingressClassName;
  if (annotation !== undefined && className !== undefined && annotation !== className)
    errors.push(invalidField(`annotations.${classAnnotation}`, annotation, 'must match `ingressClassName` when both are specified'));
  return errors;
}

export function validateIngressUpdate(ingress: Ingress, old: Ingress): Errors {
  const errors: Errors = [];
  checkIngress(errors, ingress, {
    secretName: (old.spec?.tls ?? []).some(({ secretName }) => secretErrors(secretName).length > 0),
    wildcardRule: hasInvalidWildcardRule(old),
    serviceName: hasRelaxedServiceName(old) ? nameIsDNSLabel : nameIsDNS1035Label,
  });
  return errors;
}

export function validateIngressStatus(ingress: Ingress, old: Ingress): Errors {
  const errors: Errors = [];
  const before = (old.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []));
  for (const [index, { ip, hostname }] of (ingress.status?.loadBalancer?.ingress ?? []).entries()) {
    const path = `status.loadBalancer.ingress[${index}]`;
    if (ip) errors.push(...validateIPForLegacyField(`${path}.ip`, ip, false, before));
    checkIngressHostname(errors, `${path}.hostname`, hostname);
  }
  return errors;
}
