/** upstream: ValidateNode, ValidateNodeUpdate in pkg/apis/core/validation. */
import { jsonSyntaxError } from '#machinery/codec';
import { parseNetworkLoosely, validateCIDRForLegacyField, warningsForCIDR } from '#machinery/ip';
import { isValidLabelValue, validateLabelName } from '#machinery/names';
import { checkPositive, duplicate, forbiddenField, invalidField } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { Node, Taint } from '../facts/types.ts';
import { checkResourceAmount } from './validation/resources.ts';
import { checkTaintEffect } from './validation/scheduling.ts';

export function checkTaints(errors: Errors, path: string, taints: readonly Taint[] = []): void {
  const seen = new Set<string>();
  for (const [index, taint] of taints.entries()) {
    const at = `${path}[${index}]`;
    const { effect } = taint;
    const key = taint.key ?? '';
    const value = taint.value ?? '';
    errors.push(...validateLabelName(key, `${at}.key`));
    const messages = isValidLabelValue(value);
    if (messages.length) errors.push(invalidField(`${at}.value`, value, messages.join(';')));
    checkTaintEffect(errors, `${at}.effect`, effect);
    if (seen.has(`${effect}/${key}`)) {
      const error = duplicate(at, taint);
      errors.push({ ...error, message: `${error.message}: taints must be unique by key and effect pair` });
    }
    seen.add(`${effect}/${key}`);
  }
}

const taintsAnnotation = 'scheduler.alpha.kubernetes.io/taints';
const declaredFeature = /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$/;

function checkCommon(errors: Errors, node: Node): void {
  const annotation = node.metadata?.annotations?.[taintsAnnotation];
  if (annotation) {
    try {
      checkTaints(errors, `metadata.annotations.${taintsAnnotation}`, JSON.parse(annotation) as Taint[]);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      errors.push(invalidField('metadata.annotations', taintsAnnotation, jsonSyntaxError(annotation) ?? error.message));
    }
  }
  // Upstream's path has metadata before the taints.
  checkTaints(errors, 'metadata.taints', node.spec?.taints);
  for (const field of ['capacity', 'allocatable'] as const)
    for (const [name, amount] of Object.entries(node.status?.[field] ?? {}))
      checkResourceAmount(errors, `status.${field}.${name}`, name, amount);
  for (const [index, feature] of (node.status?.declaredFeatures ?? []).entries())
    if (!declaredFeature.test(feature))
      errors.push(
        invalidField(
          `status.declaredFeatures[${index}]`,
          feature,
          `invalid feature name ${JSON.stringify(feature)}: must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes`,
        ),
      );
}

export function validateNode(node: Node): Errors {
  const errors: Errors = [];
  checkCommon(errors, node);
  const swap = node.status?.nodeInfo?.swap?.capacity;
  if (swap !== undefined) checkPositive(errors, 'metadata.nodeSwapStatus.capacity', swap);
  const ranges = node.spec?.podCIDRs ?? [];
  for (const [index, range] of ranges.entries()) errors.push(...validateCIDRForLegacyField(`spec.podCIDRs[${index}]`, range, false));
  if (ranges.length > 1) {
    const families = new Set(ranges.map((range) => parseNetworkLoosely(range)?.family));
    if (families.size !== 2 || ranges.length > 2)
      errors.push(invalidField('spec.podCIDRs', ranges, 'may specify no more than one CIDR for each IP family'));
  }
  return errors;
}

/** What both updates of the object and of its status must obey. */
export function validateNodeChange(node: Node, old: Node): Errors {
  const errors: Errors = [];
  checkCommon(errors, node);
  const addresses = new Set<string>();
  for (const [index, address] of (node.status?.addresses ?? []).entries()) {
    const key = `${address.type}/${address.address}`;
    if (addresses.has(key)) errors.push(duplicate(`status.addresses[${index}]`, address));
    addresses.add(key);
  }
  const ranges = node.spec?.podCIDRs ?? [];
  const before = old.spec?.podCIDRs ?? [];
  const fixedRange = 'node updates may not change podCIDR except from "" to valid';
  if (before.length > 0) {
    if (before.length !== ranges.length) errors.push(forbiddenField('spec.podCIDRs', fixedRange));
    else
      for (const [index, range] of before.entries()) if (range !== ranges[index]) errors.push(forbiddenField('spec.podCIDRs', fixedRange));
  }
  if (old.spec?.providerID && old.spec.providerID !== node.spec?.providerID)
    errors.push(forbiddenField('spec.providerID', 'node updates may not change providerID except from "" to valid'));
  if ((node.spec?.externalID ?? '') !== (old.spec?.externalID ?? '')) errors.push(forbiddenField('spec.externalID', 'may not be updated'));
  return errors;
}

export const validateNodeUpdate = (node: Node, old: Node): Errors => [...validateNode(node), ...validateNodeChange(node, old)];

export function warningsForNode({ spec }: Node): string[] {
  const texts: string[] = [];
  if (spec?.configSource) texts.push('spec.configSource: the feature is removed');
  if (spec?.externalID) texts.push('spec.externalID: this field is deprecated, and is unused by Kubernetes');
  for (const [index, range] of (spec?.podCIDRs ?? []).entries()) texts.push(...warningsForCIDR(`spec.podCIDRs[${index}]`, range));
  return texts;
}
