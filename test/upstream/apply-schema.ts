/** Schemas as structured-merge-diff's tables write them. upstream: structured-merge-diff/schema/elements.go. */
import { parse } from 'yaml';
import type { ListSchema, MapSchema, ScalarKind, TypeSchema } from '#machinery/apply';

interface Atom {
  scalar?: ScalarKind;
  list?: { elementType: Reference; elementRelationship?: string; keys?: string[] };
  map?: { fields?: { name: string; type: Reference; default?: unknown }[]; elementType?: Reference; elementRelationship?: string };
}
type Reference = Atom & { namedType?: string; elementRelationship?: string };

export function applySchemaOf(text: string, root: string): TypeSchema {
  const { types } = parse(text) as { types: (Atom & { name: string })[] };
  const atoms = new Map(types.map((type) => [type.name, type]));
  const known = new Map<string, TypeSchema>();

  const typeOf = (reference: Reference): TypeSchema => {
    const { namedType, elementRelationship } = reference;
    if (namedType === undefined) return schemaOf(reference, elementRelationship);
    const key = `${namedType} ${elementRelationship ?? ''}`;
    let found = known.get(key);
    if (!found) known.set(key, (found = schemaOf(atoms.get(namedType)!, elementRelationship)));
    return found;
  };
  const schemaOf = ({ scalar, list, map }: Atom, relationship: string | undefined): TypeSchema => ({
    ...(scalar && { scalar }),
    ...(list && { list: listOf(list, relationship) }),
    ...(map && { map: mapOf(map, relationship) }),
  });
  const listOf = (list: NonNullable<Atom['list']>, relationship = list.elementRelationship): ListSchema => ({
    type: relationship !== 'associative' ? 'atomic' : list.keys ? 'map' : 'set',
    keys: (list.keys ?? []).toSorted(),
    get element() {
      return typeOf(list.elementType);
    },
    keyDefault(key) {
      const item = list.elementType.namedType ? atoms.get(list.elementType.namedType)! : list.elementType;
      return item.map?.fields?.find(({ name }) => name === key)?.default;
    },
  });
  const mapOf = (map: NonNullable<Atom['map']>, relationship = map.elementRelationship): MapSchema => {
    const fields = new Map((map.fields ?? []).map(({ name, type }) => [name, type]));
    return {
      atomic: relationship === 'atomic',
      field: (name) => (fields.has(name) ? typeOf(fields.get(name)!) : undefined),
      get element() {
        return map.elementType && typeOf(map.elementType);
      },
      nullIsAbsent: false,
    };
  };
  return typeOf({ namedType: root });
}
