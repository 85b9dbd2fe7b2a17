/** upstream: pkg/registry/rbac/rolebinding/strategy.go. */
import { RoleBinding } from '../facts/kinds.ts';
import { nameIsPathSegment } from '#machinery/names';
import { defineKind } from '../contract.ts';
import { bindingColumns, defaultBinding } from './subjects.ts';

export const roleBindingRules = defineKind<RoleBinding>({
  kind: RoleBinding,
  validateName: nameIsPathSegment,
  applyDefaults: defaultBinding,
  allowCreateOnUpdate: true,
  columns: bindingColumns,
});
