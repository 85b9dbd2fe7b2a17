/** What role bindings of both kinds share. upstream: pkg/apis/rbac/v1/defaults.go, SubjectsStrings. */
import type { Column } from '../contract.ts';
import type { RoleRef, Subject } from '../facts/types.ts';
import { ageColumn, text } from '../columns.ts';

export const rbacGroup = 'rbac.authorization.k8s.io';

/** Changes `binding`. */
export function defaultBinding(binding: { roleRef: RoleRef; subjects?: Subject[] }): void {
  if (binding.roleRef && !binding.roleRef.apiGroup) binding.roleRef.apiGroup = rbacGroup;
  for (const subject of binding.subjects ?? [])
    if (!subject.apiGroup && (subject.kind === 'User' || subject.kind === 'Group')) subject.apiGroup = rbacGroup;
}

const names = (subjects: Subject[] | undefined, kind: string): string =>
  (subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map((subject) => (kind === 'ServiceAccount' ? `${subject.namespace ?? ''}/${subject.name}` : subject.name))
    .join(', ');

export const bindingColumns: Column<{ roleRef: RoleRef; subjects?: Subject[] }>[] = [
  text('Role', (binding) => `${binding.roleRef?.kind ?? ''}/${binding.roleRef?.name ?? ''}`),
  ageColumn as Column<unknown>,
  text('Users', (binding) => names(binding.subjects, 'User'), 1),
  text('Groups', (binding) => names(binding.subjects, 'Group'), 1),
  text('ServiceAccounts', (binding) => names(binding.subjects, 'ServiceAccount'), 1),
];
