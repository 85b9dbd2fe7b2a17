/** The rules of every kind, one line a kind. Only the API server and tests import this door. */
import type { Kind, KindRules } from '../contract.ts';
import { configMapRules } from '../core/config-map.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- each entry is of its own kind; lookups are by kind
export const allRules: readonly KindRules<any>[] = [configMapRules];

const byKind = new Map(allRules.map((rules) => [`${rules.kind.group}/${rules.kind.version}/${rules.kind.kind}`, rules]));

/** The rules of a kind; a kind without a line of its own has only the generic ones. */
export function rulesFor(kind: Kind): KindRules {
  return (byKind.get(`${kind.group}/${kind.version}/${kind.kind}`) ?? { kind }) as KindRules;
}
