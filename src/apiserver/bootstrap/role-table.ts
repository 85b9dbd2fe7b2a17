import type { PolicyRule } from '../../api/facts/types.ts';

/**
 * A role in short. A rule is "verbs | groups | resources | names", or "verbs | paths"; the parts' words are separated by spaces.
 * Group "core" is the empty group; verb "read" is get, list and watch; "write" is create, delete, deletecollection, patch and update.
 */
export interface ShortRole {
  rules?: readonly string[];
  /** Takes in every ClusterRole with this aggregateTo. */
  aggregates?: string;
  aggregateTo?: string;
}

export type RoleTable = Readonly<Record<string, ShortRole>>;

/** Subjects by role name: "user x", "group x", "serviceaccount namespace/name". */
export type BindingTable = Readonly<Record<string, readonly string[]>>;

const verbSets: Record<string, string[]> = {
  read: ['get', 'list', 'watch'],
  write: ['create', 'delete', 'deletecollection', 'patch', 'update'],
};

export function expandRule(short: string): PolicyRule {
  const [verbs = [], ...rest] = short.split(' | ').map((part) => part.split(' '));
  const expanded = verbs.flatMap((verb) => verbSets[verb] ?? [verb]).sort();
  const [groups = [], resources, names] = rest;
  if (!resources) return { nonResourceURLs: groups, verbs: expanded };
  return {
    apiGroups: groups.map((group) => (group === 'core' ? '' : group)),
    ...(names && { resourceNames: names }),
    resources,
    verbs: expanded,
  };
}

export const expandRules = (role: ShortRole): PolicyRule[] => (role.rules ?? []).map(expandRule);
