/**
 * Which of its names a definition gets: in a group each belongs to the first who asked for it.
 * upstream: apiextensions-apiserver/pkg/controller/status/naming_controller.go.
 */
import type { CustomResourceDefinition, CustomResourceDefinitionNames } from '#api';
import { equal } from '#machinery/meta';
import { conditionOf } from './conditions.ts';
import type { Condition } from './conditions.ts';

export interface NamesDecision {
  names: CustomResourceDefinitionNames;
  accepted: Condition;
  established: Condition;
}

/** `others`: all definitions of the same group but this one. */
export function decideNames(definition: CustomResourceDefinition, others: readonly CustomResourceDefinition[]): NamesDecision {
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const { status } of others) {
    const names = status?.acceptedNames;
    if (!names) continue;
    for (const name of [names.plural, names.singular, ...(names.shortNames ?? [])]) if (name) resources.add(name);
    for (const kind of [names.kind, names.listKind]) if (kind) kinds.add(kind);
  }
  const wanted = definition.spec.names;
  const had: CustomResourceDefinitionNames = definition.status?.acceptedNames ?? { kind: '', plural: '' };
  const names: CustomResourceDefinitionNames = { ...had };
  let problem: { reason: string; message: string } | undefined;
  const inUse = (name: string): string => `${JSON.stringify(name)} is already in use`;
  const claim = (field: 'plural' | 'singular' | 'kind' | 'listKind', reason: string, used: ReadonlySet<string>): void => {
    const name = wanted[field] ?? '';
    if (name !== had[field] && used.has(name)) problem = { reason, message: inUse(name) };
    else if (name) names[field] = name;
    else delete (names as Partial<CustomResourceDefinitionNames>)[field];
  };
  claim('plural', 'PluralConflict', resources);
  claim('singular', 'SingularConflict', resources);
  if (!equal(wanted.shortNames ?? [], had.shortNames ?? [])) {
    const taken = (wanted.shortNames ?? []).filter((name) => !had.shortNames?.includes(name) && resources.has(name)).map(inUse);
    if (taken.length > 0)
      problem = { reason: 'ShortNamesConflict', message: taken.length === 1 ? taken[0]! : `[${[...new Set(taken)].join(', ')}]` };
    else if (wanted.shortNames?.length) names.shortNames = wanted.shortNames;
    else delete names.shortNames;
  }
  claim('kind', 'KindConflict', kinds);
  claim('listKind', 'ListKindConflict', kinds);
  if (wanted.categories?.length) names.categories = wanted.categories;
  else delete names.categories;

  const accepted: Condition = problem
    ? { type: 'NamesAccepted', status: 'False', ...problem }
    : { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' };
  let established = conditionOf(definition, 'Established') ?? {
    type: 'Established',
    status: 'False',
    reason: 'NotAccepted',
    message: 'not all names are accepted',
  };
  if (established.status !== 'True' && !problem)
    established = { type: 'Established', status: 'False', reason: 'Installing', message: 'the initial names have been accepted' };
  return { names, accepted, established };
}
