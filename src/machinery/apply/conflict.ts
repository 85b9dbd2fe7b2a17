import { failure } from '#machinery/status';
import type { StatusError } from '#machinery/status';
import type { ManagedEntry } from './entries.ts';
import { formatPath, membersOf } from './fields.ts';
import type { Fields } from './fields.ts';

/** upstream: apimachinery/pkg/util/managedfields/internal/conflict.go. */

export type Conflicts = Map<string, { entry: ManagedEntry; fields: Fields }>;

function nameOf({ manager, operation, apiVersion, subresource }: ManagedEntry): string {
  const name = JSON.stringify(manager) + (subresource ? ` with subresource ${JSON.stringify(subresource)}` : '');
  return operation === 'Update' ? `${name} using ${apiVersion}` : name;
}

/** 409, with a cause for each field that somebody else manages. */
export function applyConflict(conflicts: Conflicts): StatusError {
  const found = [...conflicts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { entry, fields }]) => ({ manager: nameOf(entry), paths: membersOf(fields).map(formatPath) }));
  const causes = found.flatMap(({ manager, paths }) =>
    paths.map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with ${manager}`, field })),
  );
  return failure(409, 'Conflict', text(found, causes.length), { causes });
}

function text(found: readonly { manager: string; paths: string[] }[], count: number): string {
  const [only] = found;
  if (count === 1) return `Apply failed with 1 conflict: conflict with ${only!.manager}: ${only!.paths[0]}`;
  const lines = found.flatMap(({ manager, paths }) => [`conflicts with ${manager}:`, ...paths.map((path) => `- ${path}`)]);
  return `Apply failed with ${count} conflicts: ${lines.join('\n')}`;
}
