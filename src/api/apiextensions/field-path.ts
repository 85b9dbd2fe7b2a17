/** Paths to fields in rules and selectable fields: .spec.items, .metadata['odd.name']. upstream: ValidFieldPath in pkg/apiserver/schema/cel. */
import { schemaOf } from './schema-walk.ts';
import type { Schema } from './schema-walk.ts';

/** Where the path ends: the names on the way and the schema there. Or what is wrong with it. */
export type FoundField = { names: string[]; schema: Schema | undefined } | { problem: string };

const tokens = /'(?:\\.|[^'\\])*'?|[.[\]]|[^.[\]']+/gy;
const escapes: Record<string, string> = { a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

export function findField(path: string, root: Schema, allowBrackets: boolean): FoundField {
  const list = path.match(tokens) ?? [];
  const names: string[] = [];
  let schema: Schema | undefined = root;
  const step = (name: string): string | undefined => {
    names.push(name);
    if (schema?.properties && Object.keys(schema.properties).length) schema = schema.properties[name];
    else if (schema?.additionalProperties != null) {
      schema = schemaOf(schema.additionalProperties);
      return undefined;
    } else schema = undefined;
    return schema ? undefined : 'does not refer to a valid field';
  };
  for (let index = 0; index < list.length; index++) {
    const token = list[index]!;
    let problem: string | undefined;
    if (token === '[') {
      if (!allowBrackets) return { problem: 'array notation is not allowed' };
      const name = list[++index];
      if (name === undefined) return { problem: 'unexpected end of JSON path' };
      if (name.length < 2 || !name.startsWith("'") || !name.endsWith("'"))
        return { problem: `expected single quoted string but got ${name}` };
      problem = step(name.slice(1, -1).replace(/\\(.)/g, (_, directive: string) => escapes[directive] ?? directive));
      if (problem) return { problem };
      const close = list[++index];
      if (close === undefined) return { problem: 'unexpected end of JSON path' };
      if (close !== ']') return { problem: `expected ] but got ${close}` };
    } else if (token === '.') {
      const name = list[++index];
      if (name === undefined) return { problem: 'unexpected end of JSON path' };
      problem = step(name);
    } else problem = `expected [ or . but got: ${token}`;
    if (problem) return { problem };
  }
  return { names, schema };
}
