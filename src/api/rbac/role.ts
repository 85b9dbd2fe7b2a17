/** upstream: pkg/registry/rbac/role/strategy.go. */
import { Role } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { createdAtColumns } from '../columns.ts';

export const roleRules = defineKind<Role>({ kind: Role, allowCreateOnUpdate: true, columns: createdAtColumns });
