/** upstream: pkg/registry/rbac/clusterrole/strategy.go. */
import { ClusterRole } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { createdAtColumns } from '../columns.ts';

export const clusterRoleRules = defineKind<ClusterRole>({ kind: ClusterRole, allowCreateOnUpdate: true, columns: createdAtColumns });
