/**
 * What types and fields are for, in upstream's words: read at run time from the comments of the package kubernetes-types, so that
 * `kubectl explain` explains. Without the package the documents are whole but for descriptions; fields newer than it have none.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export interface TypeDescription {
  text: string;
  fields: Map<string, string>;
}

export type Descriptions = ReadonlyMap<string, TypeDescription>;

/** "io.k8s.api.apps.v1.Deployment" → apps/v1.d.ts, Deployment. */
function placeOf(type: string): { file: string; name: string } | undefined {
  const parts = type.split('.');
  const name = parts.pop() ?? '';
  const version = parts.pop() ?? '';
  const group = parts.pop() ?? '';
  if (!/^v\d/.test(version)) return undefined;
  return { file: `${group}/${version}`, name };
}

const files = new Map<string, Promise<Descriptions>>();

/** Descriptions of the types named, as far as they are known. */
export async function descriptionsOf(types: Iterable<string>): Promise<Descriptions> {
  const found = new Map<string, TypeDescription>();
  for (const type of types) {
    const place = placeOf(type);
    if (!place) continue;
    let file = files.get(place.file);
    if (!file) files.set(place.file, (file = read(place.file)));
    const description = (await file).get(place.name);
    if (description) found.set(type, description);
  }
  return found;
}

async function read(file: string): Promise<Descriptions> {
  try {
    const path = fileURLToPath(import.meta.resolve(`kubernetes-types/${file}.d.ts`));
    return parseDeclarations(await readFile(path, 'utf8'));
  } catch {
    // Not installed, or no such group: there is nothing to tell then.
    return new Map();
  }
}

const declaration =
  /\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s*(?:export (?:interface|type|declare type) (\w+)|(?:readonly )?["']?([\w$-]+)["']?\??:)|export interface (\w+)/g;

/** The comments before interfaces and their fields. */
export function parseDeclarations(text: string): Descriptions {
  const types = new Map<string, TypeDescription>();
  let current: TypeDescription | undefined;
  for (const [, comment = '', type, field, bare] of text.matchAll(declaration)) {
    const name = type ?? bare;
    if (name) types.set(name, (current = { text: cleaned(comment), fields: new Map() }));
    else if (field) current?.fields.set(field, cleaned(comment));
  }
  return types;
}

const cleaned = (comment: string): string =>
  comment
    .split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, '').trimEnd())
    .join('\n')
    .trim();
