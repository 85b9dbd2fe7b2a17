/** upstream: pkg/registry/storage/csinode/strategy.go. */
import { CSINode } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, integer } from '../columns.ts';

export const csiNodeRules = defineKind<CSINode>({
  kind: CSINode,
  allowUnconditionalUpdate: false,
  columns: [integer('Drivers', (node) => node.spec?.drivers?.length ?? 0), ageColumn],
});
