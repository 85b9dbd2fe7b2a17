/** upstream: pkg/registry/core/limitrange/strategy.go, SetDefaults_LimitRangeItem. */
import { LimitRange } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { createdAtColumns } from '../columns.ts';
import { canonicalResources } from './resource-list.ts';
import type { ResourceList } from './resource-list.ts';
import { validateLimitRange } from './limit-range-validation.ts';

/** Adds to `list` what is missing in it and in `others`, the first of them first. */
function fill(list: ResourceList, ...others: (ResourceList | undefined)[]): ResourceList {
  for (const other of others) for (const name in other) list[name] ??= other[name]!;
  return list;
}

function applyDefaults(range: LimitRange): void {
  for (const item of range.spec?.limits ?? []) {
    for (const list of [item.default, item.defaultRequest, item.max, item.maxLimitRequestRatio, item.min])
      if (list) canonicalResources(list);
    if (item.type !== 'Container') continue;
    const limits = fill({ ...item.default }, item.max);
    const requests = fill({ ...item.defaultRequest }, limits, item.min);
    if (Object.keys(limits).length > 0) item.default = limits;
    if (Object.keys(requests).length > 0) item.defaultRequest = requests;
  }
}

export const limitRangeRules = defineKind<LimitRange>({
  kind: LimitRange,
  applyDefaults,
  prepareForCreate({ metadata }) {
    // One that has no name gets one nobody else has.
    if (metadata && !metadata.name && !metadata.generateName) metadata.name = metadata.uid ?? '';
  },
  validate: validateLimitRange,
  validateUpdate: validateLimitRange,
  generation: false,
  allowCreateOnUpdate: true,
  columns: createdAtColumns,
});
