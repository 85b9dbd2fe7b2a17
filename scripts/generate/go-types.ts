/** What only the Go types tell: which fields are pointers (so that a zero on the wire was said on purpose) and which are always written. */

export interface GoField {
  pointer: boolean;
  omitEmpty: boolean;
  /** A struct is left out when it is zero; omitempty alone does not do that. */
  omitZero: boolean;
  /** As it is written, without the star: "[]Taint", "types.UID". */
  type: string;
}

/** Struct name → JSON name → facts, of one Go source text. Structs inlined in JSON are left out: their fields are found in their own types. */
export function parseGoTypes(text: string): Map<string, Map<string, GoField>> {
  const types = new Map<string, Map<string, GoField>>();
  for (const match of text.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
    const fields = new Map<string, GoField>();
    for (const line of match[2]!.split('\n')) {
      const field = /^\s*(?:\w+\s+)?(\S+)\s+`.*?json:"([^",]+)(,[^"]*)?"/.exec(line);
      if (field)
        fields.set(field[2]!, {
          pointer: /^(\*|\[\]|map\[)/.test(field[1]!),
          omitEmpty: /omitempty|omitzero/.test(field[3] ?? ''),
          omitZero: /omitzero/.test(field[3] ?? ''),
          type: field[1]!.replace(/^\*/, ''),
        });
    }
    types.set(match[1]!, fields);
  }
  return types;
}
