/**
 * `npm run generate`: writes src/api/facts from the published API description in the Go modules
 * (k8s.io/kubernetes: api/openapi-spec, api/discovery; *.proto for field numbers; cri-api for the runtime's messages).
 * Only facts are taken: names, types, numbers, keys, enums, verbs. `--check` writes nothing and fails when something would change.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publishedTypes } from './openapi.ts';
import { parseProto } from './proto.ts';
import type { ProtoField } from './proto.ts';
import { renderCri } from './cri.ts';
import { parseGoTypes } from './go-types.ts';
import type { GoField } from './go-types.ts';
import type { ResourceFact } from '../../src/api/facts/mod.ts';

const out = new URL('../../src/api/facts/', import.meta.url).pathname;
const versions = { kubernetes: 'v1.35.4', staging: 'v0.35.4' };
const modules = join(process.env['GOMODCACHE'] ?? execFileSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).trim(), 'k8s.io');
const kubernetes = join(modules, `kubernetes@${versions.kubernetes}`);
if (!existsSync(kubernetes)) {
  console.error(`Cannot generate: ${kubernetes} is missing; download the Go module k8s.io/kubernetes@${versions.kubernetes} first.`);
  process.exit(1);
}

/** The group versions that v1.35 serves by default (upstream: pkg/controlplane/instance.go): the stable ones. */
const stable = /^v\d+$/;

interface SwaggerProperty {
  type?: string;
  format?: string;
  $ref?: string;
  items?: SwaggerProperty;
  additionalProperties?: SwaggerProperty;
  default?: unknown;
  enum?: string[];
  [extension: `x-kubernetes-${string}`]: unknown;
}
interface SwaggerDefinition extends SwaggerProperty {
  properties?: Record<string, SwaggerProperty>;
  required?: string[];
}
const swagger = JSON.parse(readFileSync(join(kubernetes, 'api/openapi-spec/swagger.json'), 'utf8')) as {
  definitions: Record<string, SwaggerDefinition>;
};
const discovery = (file: string): any => JSON.parse(readFileSync(join(kubernetes, 'api/discovery', file), 'utf8'));

// ---- definitions served: those of stable versions, and what they refer to ----
const refName = (ref: string): string => ref.slice('#/definitions/'.length);
const wanted = new Set<string>();
function want(name: string): void {
  if (wanted.has(name)) return;
  wanted.add(name);
  const visit = (property: SwaggerProperty | undefined): void => {
    if (!property) return;
    if (property.$ref) want(refName(property.$ref));
    visit(property.items);
    visit(property.additionalProperties);
  };
  const definition = swagger.definitions[name];
  if (!definition) throw new Error(`definition ${name} is not in the API description`);
  for (const property of Object.values(definition.properties ?? {})) visit(property);
}
for (const name of Object.keys(swagger.definitions)) {
  const version = name.split('.').at(-2) ?? '';
  if (stable.test(version)) want(name);
}
for (const name of ['runtime.RawExtension', 'version.Info', 'util.intstr.IntOrString', 'api.resource.Quantity'])
  want(`io.k8s.apimachinery.pkg.${name}`);
const names = [...wanted].sort();

// ---- protobuf numbers ----
const proto = new Map<string, Map<string, ProtoField>>();
const protoFiles = globSync(
  ['api', 'apimachinery', 'apiextensions-apiserver', 'kube-aggregator'].map((module) =>
    join(modules, `${module}@${versions.staging}`, '**/generated.proto'),
  ),
);
const swaggerNameOf = (full: string): string =>
  full
    .replace(/^k8s\.io\./, 'io.k8s.')
    .replace('apiextensions_apiserver', 'apiextensions-apiserver')
    .replace('kube_aggregator', 'kube-aggregator');
for (const path of protoFiles) {
  const file = parseProto(readFileSync(path, 'utf8'));
  for (const [message, fields] of file.messages)
    proto.set(swaggerNameOf(`${file.package}.${message}`), new Map(fields.map((field) => [field.name, field])));
}

// ---- pointers ----
const goTypes = new Map<string, Map<string, GoField>>();
for (const path of globSync(
  [
    'api/**/v*/*types*.go',
    'apimachinery/pkg/apis/meta/v1/*types*.go',
    'apimachinery/pkg/runtime/*.go',
    'apiextensions-apiserver/pkg/apis/apiextensions/v1/types*.go',
    'kube-aggregator/pkg/apis/apiregistration/v1/types*.go',
  ].map((pattern) => join(modules, pattern.replace(/^([\w-]+)/, `$1@${versions.staging}`))),
)) {
  if (path.endsWith('_test.go') || path.includes('zz_generated')) continue;
  const text = readFileSync(path, 'utf8');
  const relative = path
    .slice(modules.length + 1)
    .replace(`@${versions.staging}`, '')
    .split('/')
    .slice(0, -1)
    .join('.');
  for (const [name, fields] of parseGoTypes(text)) goTypes.set(`io.k8s.${relative}.${name}`, fields);
}

/** Structs in Go, among them some that are one JSON value. */
const isStruct = (type: string): boolean =>
  swagger.definitions[type]?.properties !== undefined || /\.(Time|MicroTime|Quantity|IntOrString|RawExtension)$/.test(type);

/** A Go type that has a name, as decoding errors tell it: "v1.TaintEffect", "[]v1.FinalizerName", "v1.ResourceList". */
function namedType(text: string, version: string): string | undefined {
  const match = /^((?:\[\]|map\[string\])*)((?:\w+\.)?)([A-Z]\w*)$/.exec(text);
  if (!match) return undefined;
  const from = match[2] === '' || /^(?:meta|core|apps|api)?v\d\.$/.test(match[2]!) ? undefined : match[2];
  return `${match[1]}${from ?? (match[2] === '' ? `${version}.` : match[2]!.replace(/^[a-z]+(?=v\d)/, ''))}${match[3]}`;
}

/** The numbers of the messages that a field lies in on the wire, where JSON has it inline. */
function inlinePath(
  type: string,
  field: string,
  properties: Set<string>,
  depth = 0,
): { path: number[]; owners: string[]; field: ProtoField } | undefined {
  const message = proto.get(type);
  if (!message || depth > 3) return undefined;
  for (const candidate of message.values()) {
    if (depth === 0 && properties.has(candidate.name)) continue;
    const inner = swaggerNameOf(candidate.type);
    const found = proto.get(inner)?.get(field);
    if (found) return { path: [candidate.number], owners: [inner], field: found };
    const deeper = proto.has(inner) && !candidate.repeated ? inlinePath(inner, field, new Set(), depth + 1) : undefined;
    if (deeper) return { ...deeper, path: [candidate.number, ...deeper.path], owners: [inner, ...deeper.owners] };
  }
  return undefined;
}

// ---- TypeScript names ----
const groupOf = (name: string): string => {
  const parts = name.split('.');
  return parts.at(-3) ?? '';
};
const order = [
  'meta',
  'core',
  'apps',
  'batch',
  'rbac',
  'networking',
  'discovery',
  'policy',
  'storage',
  'coordination',
  'apiextensions',
  'apiregistration',
  'admissionregistration',
  'certificates',
  'scheduling',
  'node',
  'autoscaling',
  'authentication',
  'authorization',
  'flowcontrol',
  'resource',
  'events',
];
const rank = (name: string): number => {
  const index = order.indexOf(groupOf(name));
  return (index < 0 ? 99 : index) * 10 - (name.includes('.v2.') ? 1 : 0);
};
const tsNames = new Map<string, string>();
const taken = new Map<string, string>();
for (const name of [...names].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))) {
  const short = name.split('.').at(-1) ?? '';
  const pascal = (word: string): string => word[0]!.toUpperCase() + word.slice(1);
  const ts = taken.has(short) ? pascal(groupOf(name)) + pascal(name.split('.').at(-2)!) + short : short;
  taken.set(short, name);
  tsNames.set(name, ts);
}

const special: Record<string, string> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'string | number',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'number | string',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'string',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'string',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'Record<string, unknown>',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'Record<string, unknown>',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': 'unknown',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': 'JSONSchemaProps | JSONSchemaProps[]',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': 'JSONSchemaProps | boolean',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': 'JSONSchemaProps | string[]',
};
function tsType(property: SwaggerProperty): string {
  if (property.$ref) return tsNames.get(refName(property.$ref))!;
  if (property.enum) return property.enum.map((value) => `'${value}'`).join(' | ');
  switch (property.type) {
    case 'string':
    case 'boolean':
      return property.type;
    case 'integer':
    case 'number':
      return 'number';
    case 'array': {
      const item = tsType(property.items!);
      return item.includes('|') ? `(${item})[]` : `${item}[]`;
    }
    case 'object':
      return property.additionalProperties ? `Record<string, ${tsType(property.additionalProperties)}>` : 'Record<string, unknown>';
    default:
      return 'unknown';
  }
}
const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`);
const files = new Map<string, string>();
const head = '// Generated by `npm run generate` from the published Kubernetes v1.35.4 API description. Do not edit.\n';

let types = head;
for (const name of names) {
  const definition = swagger.definitions[name]!;
  const ts = tsNames.get(name)!;
  if (special[name]) {
    types += `\nexport type ${ts} = ${special[name]};\n`;
    continue;
  }
  if (!definition.properties) {
    types += `\nexport type ${ts} = ${tsType(definition)};\n`;
    continue;
  }
  types += `\nexport interface ${ts} {\n`;
  for (const [field, property] of Object.entries(definition.properties)) {
    const required = definition.required?.includes(field) ? '' : '?';
    types += `  ${key(field)}${required}: ${tsType(property)};\n`;
  }
  types += '}\n';
}
files.set('types.ts', types);

// ---- resources ----
const resources: ResourceFact[] = [];
const groups: { name: string; versions: string[] }[] = [];
const definitionOf = new Map<string, string>();
for (const name of names)
  for (const gvk of (swagger.definitions[name]!['x-kubernetes-group-version-kind'] as
    | { group: string; version: string; kind: string }[]
    | undefined) ?? [])
    if (!name.includes('.meta.v1.')) definitionOf.set(`${gvk.group}/${gvk.version}/${gvk.kind}`, name);
// The core group's aggregated discovery has its own endpoint, which the published files lack: read api__v1.json instead.
const core = discovery('api__v1.json') as {
  resources: {
    name: string;
    kind: string;
    group?: string;
    version?: string;
    singularName: string;
    namespaced: boolean;
    verbs: string[];
    shortNames?: string[];
    categories?: string[];
  }[];
};
groups.push({ name: '', versions: ['v1'] });
for (const entry of core.resources) {
  const [resource, subresource] = entry.name.split('/') as [string, string?];
  if (!subresource) {
    const type = definitionOf.get(`/v1/${entry.kind}`)!;
    resources.push({
      group: '',
      version: 'v1',
      resource,
      kind: entry.kind,
      singular: entry.singularName,
      namespaced: entry.namespaced,
      verbs: entry.verbs,
      ...(entry.shortNames && { shortNames: entry.shortNames }),
      ...(entry.categories && { categories: entry.categories }),
      subresources: [],
      type,
    });
  }
}
for (const entry of core.resources) {
  const [resource, subresource] = entry.name.split('/') as [string, string?];
  if (subresource)
    resources
      .find((other) => other.resource === resource)!
      .subresources.push({
        name: subresource,
        verbs: entry.verbs,
        kind: entry.kind,
        ...(entry.group !== undefined && { group: entry.group }),
        ...(entry.version && { version: entry.version }),
      });
}
for (const group of discovery('aggregated_v2.json').items) {
  const served = group.versions.filter((version: any) => stable.test(version.version));
  if (served.length === 0) continue;
  groups.push({ name: group.metadata.name, versions: served.map((version: any) => version.version) });
  for (const version of served)
    for (const entry of version.resources) {
      const type = definitionOf.get(`${group.metadata.name}/${version.version}/${entry.responseKind.kind}`)!;
      resources.push({
        group: group.metadata.name,
        version: version.version,
        resource: entry.resource,
        kind: entry.responseKind.kind,
        singular: entry.singularResource,
        namespaced: entry.scope === 'Namespaced',
        verbs: entry.verbs,
        ...(entry.shortNames && { shortNames: entry.shortNames }),
        ...(entry.categories && { categories: entry.categories }),
        subresources: (entry.subresources ?? []).map((sub: any) => ({
          name: sub.subresource,
          verbs: sub.verbs,
          kind: sub.responseKind?.kind ?? entry.responseKind.kind,
          ...(sub.responseKind?.group && { group: sub.responseKind.group }),
          ...(sub.responseKind?.version && { version: sub.responseKind.version }),
        })),
        type,
      });
    }
}
for (const entry of resources) if (!entry.type) throw new Error(`no definition for ${entry.group}/${entry.version} ${entry.kind}`);

let kinds = `${head}import type * as types from './types.ts';\nimport type { Kind } from '../contract.ts';\n\nconst kind = <T>(group: string, version: string, kind: string, resource: string, namespaced: boolean): Kind<T> =>\n  Object.freeze({ group, version, kind, resource, namespaced, apiVersion: group ? \`\${group}/\${version}\` : version });\n\n`;
const kindNames = new Set<string>();
for (const entry of resources) {
  const ts = tsNames.get(entry.type)!;
  if (kindNames.has(ts)) continue;
  kindNames.add(ts);
  kinds += `export type ${ts} = types.${ts};\nexport const ${ts}: Kind<types.${ts}> = kind('${entry.group}', '${entry.version}', '${entry.kind}', '${entry.resource}', ${entry.namespaced});\n`;
}
kinds += `\nexport type {\n${names
  .map((name) => tsNames.get(name)!)
  .filter((name) => !kindNames.has(name))
  .map((name) => `  ${name},\n`)
  .join('')}} from './types.ts';\n`;
files.set('kinds.ts', kinds);
files.set('resources.json', JSON.stringify({ groups, resources: resources.map((entry) => ({ ...entry })) }, null, 1) + '\n');

// ---- schema ----
const kindOfScalar = (property: SwaggerProperty): string => {
  if (property.$ref) return refName(property.$ref);
  if (property.type === 'integer') return property.format === 'int32' ? 'int32' : 'int64';
  if (property.type === 'number') return 'double';
  if (property.type === 'string') return property.format === 'byte' ? 'bytes' : 'string';
  if (property.type === 'boolean') return 'boolean';
  return 'any';
};
const missing: string[] = [];
const schema: Record<string, unknown> = {};
for (const name of names) {
  const definition = swagger.definitions[name]!;
  const numbers = proto.get(name);
  const gvks = definition['x-kubernetes-group-version-kind'];
  const fields: Record<string, unknown> = {};
  const kinded = gvks !== undefined;
  for (const [field, property] of Object.entries(definition.properties ?? {})) {
    const fact: Record<string, unknown> = {};
    const inner =
      property.type === 'array'
        ? property.items!
        : property.type === 'object' && property.additionalProperties
          ? property.additionalProperties
          : property;
    fact['type'] = inner.type === 'array' ? `[]${kindOfScalar(inner.items!)}` : kindOfScalar(inner);
    if (property.type === 'array') fact['repeated'] = true;
    else if (inner !== property) fact['map'] = true;
    const plain = field.replace(/^\$/, '');
    const camel = plain.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    let number =
      numbers?.get(plain) ??
      numbers?.get(camel) ??
      [...(numbers?.values() ?? [])].find((other) => other.name.toLowerCase() === camel.toLowerCase());
    let owner = name;
    if (!number && numbers && !(kinded && (field === 'apiVersion' || field === 'kind'))) {
      const found = inlinePath(name, plain, new Set(Object.keys(definition.properties ?? {})));
      if (found) {
        number = found.field;
        owner = found.owners.at(-1)!;
        fact['inline'] = found.path;
        fact['embedded'] = found.owners.map((each) => each.split('.').at(-1)).join('.');
      }
    }
    if (number) {
      fact['number'] = number.number;
      const scalar = ['int32', 'int64', 'uint32', 'uint64', 'double', 'float', 'bytes', 'bool', 'string'].includes(number.type)
        ? number.type
        : undefined;
      if (scalar && scalar !== fact['type'] && !(scalar === 'bool' && fact['type'] === 'boolean')) fact['wire'] = scalar;
      // A list that is a message of its own on the wire (metav1.Verbs, authentication ExtraValue).
      if (!scalar && (String(fact['type']).startsWith('[]') || (fact['repeated'] === true && !number.repeated))) fact['items'] = true;
    } else if (numbers && !(kinded && (field === 'apiVersion' || field === 'kind'))) missing.push(`${name}.${field}`);
    const go = goTypes.get(owner)?.get(field) ?? goTypes.get(name)?.get(field);
    if (go?.pointer && fact['repeated'] !== true && fact['map'] !== true) fact['pointer'] = true;
    const plainStruct =
      fact['repeated'] !== true && fact['map'] !== true && String(fact['type']).startsWith('io.') && go?.pointer === false;
    if (go && (!go.omitEmpty || (plainStruct && !go.omitZero && isStruct(String(fact['type']))))) fact['always'] = true;
    const named = go && namedType(go.type, owner.split('.').at(-2)!);
    const wholeNamed = named !== undefined && !/^(\[|map)/.test(named) && (fact['repeated'] === true || fact['map'] === true);
    if (named && (wholeNamed || !String(fact['type']).startsWith('io.'))) fact['go'] = named;
    if (definition.required?.includes(field)) fact['required'] = true;
    if (property.default !== undefined) fact['default'] = property.default;
    if (property.format && !['int32', 'int64', 'byte'].includes(property.format)) fact['format'] = property.format;
    if (property.enum) fact['enum'] = property.enum;
    for (const [extension, to] of [
      ['list-type', 'listType'],
      ['list-map-keys', 'listMapKeys'],
      ['patch-strategy', 'patchStrategy'],
      ['patch-merge-key', 'patchMergeKey'],
      ['map-type', 'mapType'],
    ] as const) {
      const value = property[`x-kubernetes-${extension}`];
      if (value !== undefined) fact[to] = value;
    }
    fields[field] = fact;
  }
  schema[name] = {
    ...(gvks ? { gvks } : {}),
    ...(definition.properties ? { fields } : { scalar: definition.type ?? 'any', ...(definition.format && { format: definition.format }) }),
    ...(definition['x-kubernetes-map-type'] ? { mapType: definition['x-kubernetes-map-type'] } : {}),
  };
}
if (missing.length) console.error(`fields without a protobuf number: ${missing.join(', ')}`);
files.set(
  'schema.json',
  `{\n${Object.entries(schema)
    .map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`)
    .join(',\n')}\n}\n`,
);

// ---- what the documents say beyond that ----
const published = publishedTypes(
  names,
  globSync(join(kubernetes, 'api/openapi-spec/v3/*.json')).map((path) => readFileSync(path, 'utf8')),
  readFileSync(join(kubernetes, 'pkg/generated/openapi/zz_generated.openapi.go'), 'utf8'),
);
files.set(
  'published.json',
  `{\n${Object.entries(published)
    .map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`)
    .join(',\n')}\n}\n`,
);

// ---- CRI ----
const cri = parseProto(readFileSync(join(modules, `cri-api@${versions.staging}`, 'pkg/apis/runtime/v1/api.proto'), 'utf8'));
const rendered = renderCri(cri, head);
files.set('cri.ts', rendered.types);
files.set('cri.json', rendered.table);

let changed = 0;
mkdirSync(out, { recursive: true });
for (const [file, text] of files) {
  const path = join(out, file);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  changed++;
  if (process.argv.includes('--check')) console.error(`${file} differs from what the generator makes`);
  else writeFileSync(path, text);
}
console.log(changed ? `${changed} files ${process.argv.includes('--check') ? 'would change' : 'written'}` : 'nothing changed');
if (changed && process.argv.includes('--check')) process.exit(1);
