/** upstream: pkg/apis/discovery/validation, warnings of pkg/registry/discovery/endpointslice. */
import { isIPv4, isIPv6, validateIP, validateIPForLegacyField, warningsForIP } from '#machinery/ip';
import { isFullyQualifiedDomainName, isValidLabelValue, nameIsDNSSubdomain } from '#machinery/names';
import {
  checkImmutable,
  checkLabel,
  checkLabels,
  checkOneOf,
  checkQualifiedName,
  duplicate,
  internalField,
  invalidField,
  invalidFor,
  required,
  unsupported,
  tooMany,
} from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkEndpointIP } from '../core/endpoints-validation.ts';
import type { EndpointSlice } from '../facts/kinds.ts';
import type { DiscoveryV1EndpointPort as EndpointPort, Endpoint, EndpointHints } from '../facts/types.ts';
import { same } from '../same.ts';

const mostTopologyLabels = 16;
const mostAddresses = 100;
const mostPorts = 20_000;
const mostEndpoints = 1000;
const mostHints = 8;
const zoneLabel = 'topology.kubernetes.io/zone';
/** Those of the controllers that write slices: their addresses are the controllers' business. */
const controllers = ['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io'];

function checkAddress(errors: Errors, path: string, index: number, address: string, type: string): void {
  const at = `${path}[${index}]`;
  if (type === 'FQDN') {
    errors.push(...isFullyQualifiedDomainName(at, address));
    return;
  }
  if (type !== 'IPv4' && type !== 'IPv6') return;
  const wrong = type === 'IPv4' ? validateIPForLegacyField(at, address, false) : validateIP(at, address);
  if (wrong.length) {
    errors.push(...wrong);
    return;
  }
  if (!(type === 'IPv4' ? isIPv4(address) : isIPv6(address))) errors.push(invalidField(path, address, `must be an ${type} address`));
  checkEndpointIP(errors, at, address);
}

function checkHints(errors: Errors, path: string, { forZones = [], forNodes = [] }: EndpointHints): void {
  const lists = [
    ['forZones', forZones, isValidLabelValue],
    ['forNodes', forNodes, (name: string) => nameIsDNSSubdomain(name, false)],
  ] as const;
  for (const [field, hints, rule] of lists) {
    if (hints.length > mostHints) {
      errors.push(tooMany(`${path}.${field}`, hints.length, mostHints));
      return;
    }
    const names = new Set<string>();
    for (const [index, { name = '' }] of (hints as { name?: string }[]).entries()) {
      const at = `${path}.${field}[${index}].name`;
      if (names.has(name)) errors.push(duplicate(at, name));
      names.add(name);
      invalidFor(errors, at, name, rule(name));
    }
  }
}

function checkEndpoint(errors: Errors, path: string, endpoint: Partial<Endpoint>, type: string): void {
  const { addresses = [], nodeName, deprecatedTopology: topology, hostname, hints } = endpoint;
  if (addresses.length === 0) errors.push(required(`${path}.addresses`, 'must contain at least 1 address'));
  else if (addresses.length > mostAddresses) errors.push(tooMany(`${path}.addresses`, addresses.length, mostAddresses));
  for (const [index, address] of addresses.entries()) checkAddress(errors, `${path}.addresses`, index, address, type);
  if (nodeName !== undefined) invalidFor(errors, `${path}.nodeName`, nodeName, nameIsDNSSubdomain(nodeName, false));
  if (topology) {
    const at = `${path}.deprecatedTopology`;
    const count = Object.keys(topology).length;
    if (count > mostTopologyLabels) errors.push(tooMany(at, count, mostTopologyLabels));
    checkLabels(errors, at, topology);
    if (topology[zoneLabel] !== undefined) errors.push(internalField(`${at}[${zoneLabel}]`, 'reserved key was not removed in conversion'));
  }
  if (hostname !== undefined) checkLabel(errors, `${path}.hostname`, hostname);
  if (hints) checkHints(errors, `${path}.hints`, hints);
}

const protocols = ['SCTP', 'TCP', 'UDP'];

function checkPorts(errors: Errors, ports: readonly EndpointPort[]): void {
  if (ports.length > mostPorts) {
    errors.push(tooMany('ports', ports.length, mostPorts));
    return;
  }
  const names = new Set<string>();
  for (const [index, { name = '', protocol, appProtocol }] of ports.entries()) {
    const path = `ports[${index}]`;
    if (name) checkLabel(errors, `${path}.name`, name);
    if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
    names.add(name);
    if (protocol === undefined) errors.push(required(`${path}.protocol`));
    else if (!protocols.includes(protocol)) errors.push(unsupported(`${path}.protocol`, protocol, protocols));
    if (appProtocol !== undefined) checkQualifiedName(errors, `${path}.appProtocol`, appProtocol);
  }
}

/** Endpoints that were stored before a rule existed may stay as they are. */
export function validateEndpointSlice(slice: Partial<EndpointSlice>, old?: EndpointSlice): Errors {
  const errors: Errors = [];
  const { addressType = '', ports = [], endpoints = [] } = slice;
  checkOneOf(errors, 'addressType', addressType, ['FQDN', 'IPv4', 'IPv6']);
  checkPorts(errors, ports);
  const wrong: Errors = [];
  if (endpoints.length > mostEndpoints) wrong.push(tooMany('endpoints', endpoints.length, mostEndpoints));
  else for (const [index, endpoint] of endpoints.entries()) checkEndpoint(wrong, `endpoints[${index}]`, endpoint, addressType);
  if (wrong.length && !(old && same(old.endpoints, endpoints))) errors.push(...wrong);
  return errors;
}

export function validateEndpointSliceUpdate(slice: EndpointSlice, old: EndpointSlice): Errors {
  const errors = validateEndpointSlice(slice, old);
  checkImmutable(errors, 'addressType', slice.addressType, old.addressType);
  return errors;
}

export function warningsForEndpointSlice({ metadata, addressType, endpoints }: EndpointSlice, old?: EndpointSlice): string[] {
  const texts = !old && addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : [];
  if (controllers.includes(metadata?.labels?.['endpointslice.kubernetes.io/managed-by'] ?? '')) return texts;
  for (const [index, { addresses }] of (endpoints ?? []).entries())
    for (const [at, address] of (addresses ?? []).entries()) texts.push(...warningsForIP(`endpoints[${index}].addresses[${at}]`, address));
  return texts;
}
