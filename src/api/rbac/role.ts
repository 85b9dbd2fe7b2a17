/** upstream: pkg/registry/rbac/role/strategy.go. */
import { Role } from '../facts/kinds.ts';
import { nameIsPathSegment } from '#machinery/names';
import { defineKind } from '../contract.ts';
import { validateRole } from './validation.ts';
import { createdAtColumns } from '../columns.ts';

export const roleRules = defineKind<Role>({
  kind: Role,
  validateName: nameIsPathSegment,
  validate: validateRole,
  validateUpdate: validateRole,
  allowCreateOnUpdate: true,
  columns: createdAtColumns,
});
