/** upstream: pkg/registry/rbac/clusterrole/strategy.go. */
import { ClusterRole } from '../facts/kinds.ts';
import { nameIsPathSegment } from '#machinery/names';
import { defineKind } from '../contract.ts';
import { validateClusterRole } from './validation.ts';
import { createdAtColumns } from '../columns.ts';

export const clusterRoleRules = defineKind<ClusterRole>({
  kind: ClusterRole,
  validateName: nameIsPathSegment,
  validate: (role) => validateClusterRole(role),
  validateUpdate: validateClusterRole,
  allowCreateOnUpdate: true,
  columns: createdAtColumns,
});
