/** Names of certificate signers: "example.com/signer". upstream: pkg/apis/core/validation/names.go. */
import { dns1123LabelMaxLength, dns1123SubdomainMaxLength, isDNS1123Label, isDNS1123Subdomain, nameIsDNSSubdomain } from '#machinery/names';
import { invalidField, required, tooLong } from '../../checks.ts';
import type { Errors } from '../../checks.ts';

export function isKubernetesSigner(name: string): boolean {
  const host = name.split('/', 1)[0]!;
  return host === 'kubernetes.io' || host.endsWith('.kubernetes.io');
}

export function checkSignerName(errors: Errors, path: string, name: string): void {
  if (!name) {
    errors.push(required(path));
    return;
  }
  const segments = name.split('/');
  const [domain, rest] = segments;
  if (segments.length !== 2 || domain === undefined || rest === undefined) {
    errors.push(invalidField(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'"));
    return;
  }
  if (domain.length > dns1123SubdomainMaxLength) errors.push(tooLong(path, dns1123SubdomainMaxLength));
  const labels = domain.split('.');
  checkFirstBadLabel(errors, path, domain, labels, isDNS1123Label);
  if (labels.length < 2) errors.push(invalidField(path, domain, 'should be a domain with at least two segments separated by dots'));
  checkFirstBadLabel(errors, path, rest, rest.split('.'), isDNS1123Subdomain);
  // The path has room for a label, a subdomain and the dot between them.
  const longest = 2 * dns1123SubdomainMaxLength + dns1123LabelMaxLength + 2;
  if (name.length > longest) errors.push(tooLong(path, longest));
}

function checkFirstBadLabel(errors: Errors, path: string, segment: string, labels: string[], rule: (label: string) => string[]): void {
  for (const label of labels) {
    const messages = rule(label);
    for (const message of messages) errors.push(invalidField(path, segment, `validating label ${JSON.stringify(label)}: ${message}`));
    if (messages.length) return;
  }
}

/** A bundle's name begins with its signer's, slashes written as colons. upstream: ValidateClusterTrustBundleName. */
export function clusterTrustBundleNameErrors(name: string): string[] {
  const colon = name.lastIndexOf(':');
  return nameIsDNSSubdomain(colon < 0 ? name : name.slice(colon + 1), false);
}
