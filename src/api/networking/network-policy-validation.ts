/** upstream: ValidateNetworkPolicy in pkg/apis/networking/validation. */
import { containsNetwork, parseNetworkLoosely, validateCIDRForLegacyField } from '#machinery/ip';
import { isValidPortName, isValidPortNum, validateLabelSelector } from '#machinery/names';
import { checkSelector, forbiddenField, invalidField, invalidFor, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { NetworkPolicy } from '../facts/kinds.ts';
import type { IPBlock, NetworkPolicyPeer, NetworkPolicyPort } from '../facts/types.ts';

function checkPolicyPort(errors: Errors, path: string, { protocol, port, endPort }: NetworkPolicyPort): void {
  if (protocol !== undefined && protocol !== 'TCP' && protocol !== 'UDP' && protocol !== 'SCTP')
    errors.push(unsupported(`${path}.protocol`, protocol, ['TCP', 'UDP', 'SCTP']));
  if (port === undefined) {
    if (endPort !== undefined) errors.push(invalidField(`${path}.endPort`, endPort, 'may not be specified when `port` is not specified'));
  } else if (typeof port === 'number') {
    invalidFor(errors, `${path}.port`, port, isValidPortNum(port));
    if (endPort === undefined) return;
    if (endPort < port) errors.push(invalidField(`${path}.endPort`, port, 'must be greater than or equal to `port`'));
    invalidFor(errors, `${path}.endPort`, endPort, isValidPortNum(endPort));
  } else {
    if (endPort !== undefined) errors.push(invalidField(`${path}.endPort`, endPort, 'may not be specified when `port` is non-numeric'));
    invalidFor(errors, `${path}.port`, port, isValidPortName(port));
  }
}

function checkBlock(errors: Errors, path: string, { cidr = '', except }: Partial<IPBlock>): void {
  if (cidr === '') {
    errors.push(required(`${path}.cidr`));
    return;
  }
  errors.push(...validateCIDRForLegacyField(`${path}.cidr`, cidr, false));
  const network = parseNetworkLoosely(cidr);
  if (!network) return;
  for (const [index, text] of (except ?? []).entries()) {
    const at = `${path}.except[${index}]`;
    errors.push(...validateCIDRForLegacyField(at, text, false));
    const part = parseNetworkLoosely(text);
    if (part && (!containsNetwork(network, part) || network.prefix >= part.prefix))
      errors.push(invalidField(at, text, 'must be a strict subset of `cidr`'));
  }
}

function checkPeer(errors: Errors, path: string, peer: NetworkPolicyPeer, allowInvalidLabelValue: boolean): void {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  checkSelector(errors, `${path}.podSelector`, podSelector, { allowInvalidLabelValue });
  checkSelector(errors, `${path}.namespaceSelector`, namespaceSelector, { allowInvalidLabelValue });
  if (ipBlock) checkBlock(errors, `${path}.ipBlock`, ipBlock);
  if (!podSelector && !namespaceSelector && !ipBlock) errors.push(required(path, 'must specify a peer'));
  else if (ipBlock && (podSelector || namespaceSelector))
    errors.push(forbiddenField(path, 'may not specify both ipBlock and another peer'));
}

/** An update may keep values of labels that were never valid. */
export function validateNetworkPolicy({ spec }: NetworkPolicy, old?: NetworkPolicy): Errors {
  const errors: Errors = [];
  const selector = old?.spec?.podSelector;
  const allowInvalidLabelValue = selector ? validateLabelSelector(selector, '').length > 0 : false;
  checkSelector(errors, 'spec.podSelector', spec?.podSelector, { allowInvalidLabelValue });
  for (const [index, { ports = [], from = [] }] of (spec?.ingress ?? []).entries()) {
    const path = `spec.ingress[${index}]`;
    for (const [at, port] of ports.entries()) checkPolicyPort(errors, `${path}.ports[${at}]`, port);
    for (const [at, peer] of from.entries()) checkPeer(errors, `${path}.from[${at}]`, peer, allowInvalidLabelValue);
  }
  for (const [index, { ports = [], to = [] }] of (spec?.egress ?? []).entries()) {
    const path = `spec.egress[${index}]`;
    for (const [at, port] of ports.entries()) checkPolicyPort(errors, `${path}.ports[${at}]`, port);
    for (const [at, peer] of to.entries()) checkPeer(errors, `${path}.to[${at}]`, peer, allowInvalidLabelValue);
  }
  const types = spec?.policyTypes ?? [];
  if (types.length > 2) errors.push(invalidField('spec.policyTypes', types, 'may not specify more than two policyTypes'));
  else
    for (const [index, type] of types.entries())
      if (type !== 'Ingress' && type !== 'Egress') errors.push(unsupported(`spec.policyTypes[${index}]`, type, ['Ingress', 'Egress']));
  return errors;
}
