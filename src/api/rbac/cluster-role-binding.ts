/** upstream: pkg/registry/rbac/clusterrolebinding/strategy.go. */
import { ClusterRoleBinding } from '../facts/kinds.ts';
import { nameIsPathSegment } from '#machinery/names';
import { defineKind } from '../contract.ts';
import { bindingColumns, defaultBinding } from './subjects.ts';
import { validateClusterRoleBinding } from './validation.ts';

export const clusterRoleBindingRules = defineKind<ClusterRoleBinding>({
  kind: ClusterRoleBinding,
  validateName: nameIsPathSegment,
  applyDefaults: defaultBinding,
  validate: (binding) => validateClusterRoleBinding(binding),
  validateUpdate: validateClusterRoleBinding,
  allowCreateOnUpdate: true,
  columns: bindingColumns,
});
