/** upstream: pkg/registry/rbac/clusterrolebinding/strategy.go. */
import { ClusterRoleBinding } from '../facts/kinds.ts';
import { nameIsPathSegment } from '#machinery/names';
import { defineKind } from '../contract.ts';
import { bindingColumns, defaultBinding } from './subjects.ts';

export const clusterRoleBindingRules = defineKind<ClusterRoleBinding>({
  kind: ClusterRoleBinding,
  validateName: nameIsPathSegment,
  applyDefaults: defaultBinding,
  allowCreateOnUpdate: true,
  columns: bindingColumns,
});
