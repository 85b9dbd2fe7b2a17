/** upstream: ValidateEndpointsCreate, ValidateEndpointIP in pkg/apis/core/validation. */
import {
  isLinkLocalMulticast,
  isLinkLocalUnicast,
  isLoopback,
  isUnspecified,
  parseAddressLoosely,
  validateIPForLegacyField,
  warningsForIP,
} from '#machinery/ip';
import { isValidPortNum, nameIsDNSSubdomain } from '#machinery/names';
import { checkLabel, checkOneOf, checkQualifiedName, invalidField, invalidFor, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { EndpointAddress, Endpoints, EndpointSubset } from '../facts/types.ts';
import { same } from '../same.ts';

/** Addresses that traffic must not be sent to by way of a Service. */
export function checkEndpointIP(errors: Errors, path: string, ip: string): void {
  const address = parseAddressLoosely(ip);
  if (!address) {
    errors.push(invalidField(path, ip, 'must be a valid IP address'));
    return;
  }
  if (isUnspecified(address)) errors.push(invalidField(path, ip, `may not be unspecified (${ip})`));
  if (isLoopback(address)) errors.push(invalidField(path, ip, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'));
  if (isLinkLocalUnicast(address)) errors.push(invalidField(path, ip, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'));
  if (isLinkLocalMulticast(address))
    errors.push(invalidField(path, ip, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'));
}

function checkAddress(errors: Errors, path: string, { ip, hostname, nodeName }: EndpointAddress): void {
  errors.push(...validateIPForLegacyField(`${path}.ip`, ip ?? '', false));
  if (hostname) checkLabel(errors, `${path}.hostname`, hostname);
  if (nodeName !== undefined) invalidFor(errors, `${path}.nodeName`, nodeName, nameIsDNSSubdomain(nodeName, false));
  checkEndpointIP(errors, `${path}.ip`, ip ?? '');
}

function checkSubset(errors: Errors, path: string, { addresses = [], notReadyAddresses = [], ports = [] }: EndpointSubset): void {
  if (!addresses.length && !notReadyAddresses.length) errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
  for (const [index, address] of addresses.entries()) checkAddress(errors, `${path}.addresses[${index}]`, address);
  for (const [index, address] of notReadyAddresses.entries()) checkAddress(errors, `${path}.notReadyAddresses[${index}]`, address);
  for (const [index, { name, port, protocol, appProtocol }] of ports.entries()) {
    const at = `${path}.ports[${index}]`;
    if (name) checkLabel(errors, `${at}.name`, name);
    else if (ports.length > 1) errors.push(required(`${at}.name`));
    invalidFor(errors, `${at}.port`, port ?? 0, isValidPortNum(port ?? 0));
    checkOneOf(errors, `${at}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']);
    if (appProtocol !== undefined) checkQualifiedName(errors, `${at}.appProtocol`, appProtocol);
  }
}

export function validateEndpoints(endpoints: Endpoints): Errors {
  const errors: Errors = [];
  for (const [index, subset] of (endpoints.subsets ?? []).entries()) checkSubset(errors, `subsets[${index}]`, subset);
  return errors;
}

/** What was stored before a rule existed may stay as it is. */
export function validateEndpointsUpdate(endpoints: Endpoints, old: Endpoints): Errors {
  const errors = validateEndpoints(endpoints);
  return errors.length && same(endpoints.subsets, old.subsets) ? [] : errors;
}

/** Those that a controller writes are right or the controller's business. */
export function warningsForEndpoints(endpoints: Endpoints): string[] {
  if (endpoints.metadata?.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller') return [];
  return (endpoints.subsets ?? []).flatMap((subset, index) =>
    (['addresses', 'notReadyAddresses'] as const).flatMap((field) =>
      (subset[field] ?? []).flatMap(({ ip }, position) => warningsForIP(`subsets[${index}].${field}[${position}].ip`, ip)),
    ),
  );
}
