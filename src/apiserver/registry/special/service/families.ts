import type { Service } from '#api';
import { isIP, isIPv6 } from '#machinery/ip';
import { equal } from '#machinery/meta';
import type { FieldError } from '#machinery/status';
import { duplicate, invalid, invalidField, notSupported, required } from '#machinery/status';
import type { IPFamily } from './address-allocator.ts';

type Spec = NonNullable<Service['spec']>;

const other = (family: string): IPFamily => (family === 'IPv4' ? 'IPv6' : 'IPv4');
const familyOf = (ip: string): IPFamily => (isIPv6(ip) ? 'IPv6' : 'IPv4');
const list = <T>(values: T[] | undefined): T[] => values ?? [];
const sameList = (a: string[] | undefined, b: string[] | undefined): boolean => equal(list(a), list(b));

/** Whether both are PreferDualStack Services with the same addresses: these are never widened or narrowed on their own. */
export function keepsDualStack({ spec }: Service, { spec: old }: Service): boolean {
  return (
    spec!.ipFamilyPolicy === 'PreferDualStack' &&
    spec!.type === old!.type &&
    spec!.type !== 'ExternalName' &&
    (old!.ipFamilyPolicy === undefined || old!.ipFamilyPolicy === 'PreferDualStack') &&
    sameList(spec!.clusterIPs, old!.clusterIPs) &&
    sameList(spec!.ipFamilies, old!.ipFamilies)
  );
}

/** Loose checks before anything is inferred. upstream: ValidateServiceClusterIPsRelatedFields. */
function fieldErrors(spec: Spec): FieldError[] {
  const errors: FieldError[] = [];
  const ips = list(spec.clusterIPs);
  const families = list(spec.ipFamilies);
  if (spec.clusterIP) {
    if (ips.length === 0) errors.push(required('spec.clusterIPs'));
    else if (ips[0] !== spec.clusterIP) errors.push(invalidField('spec.clusterIPs', ips, 'first value must match `clusterIP`'));
  } else if (ips.length > 0) errors.push(invalidField('spec.clusterIPs', ips, 'must be empty when `clusterIP` is not specified'));
  for (const [index, family] of families.entries()) {
    if (family !== 'IPv4' && family !== 'IPv6') errors.push(notSupported(`spec.ipFamilies[${index}]`, family, ['IPv4', 'IPv6']));
    if (families.indexOf(family) < index) errors.push(duplicate(`spec.ipFamilies[${index}]`, family));
  }
  const policies = ['SingleStack', 'PreferDualStack', 'RequireDualStack'];
  if (spec.ipFamilyPolicy !== undefined && !policies.includes(spec.ipFamilyPolicy))
    errors.push(notSupported('spec.ipFamilyPolicy', spec.ipFamilyPolicy, policies));
  let broken = false;
  for (const [index, ip] of ips.entries()) {
    if (index === 0 && ip === 'None') {
      if (ips.length > 1) errors.push(invalidField('spec.clusterIPs', ips, "'None' must be the first and only value"));
      broken ||= ips.length > 1;
    } else if (!isIP(ip)) {
      errors.push(invalidField(`spec.clusterIPs[${index}]`, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'));
      broken = true;
    }
  }
  if (ips.length > 2) errors.push(invalidField('spec.clusterIPs', ips, 'may only hold up to 2 values'));
  if (broken) return errors;
  if (ips.length > 1 && new Set(ips.map(familyOf)).size < 2)
    errors.push(invalidField('spec.clusterIPs', ips, 'may specify no more than one IP for each IP family'));
  if (ips[0] !== 'None')
    for (const [index, ip] of ips.entries()) {
      const family = families[index];
      if ((family === 'IPv4' || family === 'IPv6') && family !== familyOf(ip))
        errors.push(invalidField(`spec.clusterIPs[${index}]`, ip, `expected an ${family} value as indicated by \`ipFamilies[${index}]\``));
    }
  return errors;
}

/**
 * Fills in ipFamilyPolicy and ipFamilies of `service` from what was said, what was there and what the cluster has (`families`, the first
 * is the default). upstream: pkg/registry/core/service/storage/alloc.go initIPFamilyFields.
 */
export function initFamilies(service: Service, old: Service | undefined, families: readonly IPFamily[]): void {
  const spec = service.spec!;
  if (spec.type === 'ExternalName' || (old && keepsDualStack(service, old))) return;
  const refuse = (errors: FieldError[]): void => {
    if (errors.length > 0) throw invalid({ group: '', kind: 'Service' }, service.metadata?.name ?? '', errors);
  };
  const selectorless = spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0;
  spec.ipFamilyPolicy ??= old?.spec?.ipFamilyPolicy ?? (selectorless ? 'RequireDualStack' : 'SingleStack');
  refuse(fieldErrors(spec));
  const policyError = (detail: string): FieldError => invalidField('spec.ipFamilyPolicy', spec.ipFamilyPolicy, detail);
  const errors: FieldError[] = [];
  if (old) {
    const before = old.spec!;
    if (spec.ipFamilyPolicy === 'SingleStack') {
      // Saying so is clear intent, as long as the rest was left as it was.
      if (sameList(before.clusterIPs, spec.clusterIPs) && list(spec.clusterIPs).length > 1) spec.clusterIPs = [spec.clusterIPs![0]!];
      if (sameList(before.ipFamilies, spec.ipFamilies) && list(spec.ipFamilies).length > 1) spec.ipFamilies = [spec.ipFamilies![0]!];
    } else {
      const reduced = (now: string[] | undefined, then: string[] | undefined): boolean =>
        list(now).length > 0 && list(now).length < list(then).length;
      if (reduced(spec.clusterIPs, before.clusterIPs))
        errors.push(policyError("must be 'SingleStack' to release the secondary cluster IP"));
      if (reduced(spec.ipFamilies, before.ipFamilies)) errors.push(policyError("must be 'SingleStack' to release the secondary IP family"));
    }
  }
  if (spec.ipFamilyPolicy === 'SingleStack') {
    if (list(spec.clusterIPs).length === 2)
      errors.push(policyError("must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified"));
    if (list(spec.ipFamilies).length === 2)
      errors.push(policyError("must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"));
  }
  for (const [index, ip] of list(spec.clusterIPs).entries()) {
    if (ip === 'None') break;
    if (index < list(spec.ipFamilies).length) continue;
    const family = familyOf(ip);
    if (families.includes(family)) spec.ipFamilies = [...list(spec.ipFamilies), family];
    else errors.push(invalidField(`spec.clusterIPs[${index}]`, spec.clusterIPs, `${family} is not configured on this cluster`));
  }
  refuse(errors);

  if (selectorless) {
    if (!spec.ipFamilies?.length) spec.ipFamilies = [families[0]!];
    if (spec.ipFamilies.length < 2 && spec.ipFamilyPolicy !== 'SingleStack')
      spec.ipFamilies = [...spec.ipFamilies, other(spec.ipFamilies[0]!)];
    return;
  }
  if (spec.ipFamilyPolicy === 'RequireDualStack' && families.length < 2)
    errors.push(policyError('this cluster is not configured for dual-stack services'));
  for (const [index, family] of list(spec.ipFamilies).entries())
    if (!families.includes(family as IPFamily))
      errors.push(invalidField(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'));
  refuse(errors);
  if (!spec.ipFamilies?.length) spec.ipFamilies = [families[0]!];
  if (spec.ipFamilyPolicy !== 'SingleStack' && spec.ipFamilies.length === 1 && families.length === 2)
    spec.ipFamilies = [...spec.ipFamilies, other(spec.ipFamilies[0]!)];
}
