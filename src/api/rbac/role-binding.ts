/** upstream: pkg/registry/rbac/rolebinding/strategy.go. */
import { RoleBinding } from '../facts/kinds.ts';
import { nameIsPathSegment } from '#machinery/names';
import { defineKind } from '../contract.ts';
import { bindingColumns, defaultBinding } from './subjects.ts';
import { validateRoleBinding } from './validation.ts';

export const roleBindingRules = defineKind<RoleBinding>({
  kind: RoleBinding,
  validateName: nameIsPathSegment,
  applyDefaults: defaultBinding,
  validate: (binding) => validateRoleBinding(binding),
  validateUpdate: validateRoleBinding,
  allowCreateOnUpdate: true,
  columns: bindingColumns,
});
