/**
 * From a request's body to an object of its kind: media type, kind and version, structure, strictness, defaults.
 * upstream: apiserver/pkg/endpoints/handlers/{create,update,rest}.go, apimachinery/pkg/runtime/serializer.
 */
import type { Kind } from '#api';
import { kindFact } from '#api/facts';
import { jsonSyntaxError } from '#machinery/codec';
import type { KubeObject } from '#machinery/meta';
import { badRequest } from '#machinery/status';
import { parseJson } from '#machinery/json';
import type { ServedResource } from '../contract.ts';
import type { RequestContext } from '../registry/contract.ts';
import { StructureError, conform } from '../registry/structure.ts';
import type { RequestBody } from './contract.ts';
import { duplicateFields, inTextOrder } from './duplicate-fields.ts';
import { tooDeep } from './nesting.ts';
import { inputFormat } from './media-types.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** What decoding asks of a request. Not all of it: copying a whole context would make what it makes when first asked. */
export type Reading = Pick<RequestContext, 'query' | 'warn'>;

export const fieldValidationOf = (context: Reading): FieldValidation =>
  (context.query.get('fieldValidation') as FieldValidation | null) || 'Warn';

type Conform = NonNullable<ServedResource['conform']>;

/** The structure of a type in the schema table. */
export const conformTo =
  (type: string): Conform =>
  (value) =>
    conform(type, value);

export interface Decoded {
  value: unknown;
  /** What strict decoding complains about: whole texts. */
  issues: string[];
  /** The JSON text, where fields are there twice: their complaints are told in its order with others. */
  text?: string;
}

/** The body's value, whatever its kind: at once but for YAML. Throws where it is none, or rejects. */
export function parseBody(body: RequestBody | undefined, validation: FieldValidation): Decoded | Promise<Decoded> {
  if (!body) return { value: undefined, issues: [] };
  if (!body.bytes) return { value: body.value, issues: [] };
  return inputFormat(body.mediaType).parse(body.bytes, validation !== 'Ignore');
}

/** A text that is not JSON; the message is Go's. */
export class SyntaxProblem extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SyntaxProblem';
  }
}

export const notYaml = 'error converting YAML to JSON: ';

const parseError = (text: string): string => `couldn't get version/kind; json parse error: ${jsonSyntaxError(text) ?? ''}`;

/** The body's value, for a kind that refuses what is no JSON in its own name. */
export async function parseFor(kind: Kind, body: RequestBody | undefined, validation: FieldValidation): Promise<Decoded> {
  try {
    return await parseBody(body, validation);
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    // YAML becomes JSON before it is looked at.
    const text = error.message.startsWith(notYaml)
      ? error.message.slice(notYaml.length)
      : `couldn't get version/kind; json parse error: ${error.message}`;
    throw badRequest(unrecognized(kind, text, body?.bytes));
  }
}

/** Gives `value` the structure of a type; what is too much is reported as the request wants it. Throws an Error with upstream's text. */
export function structured(shape: Conform, decoded: Decoded, validation: FieldValidation, context: Reading): Record<string, unknown> {
  const { value, unknown } = shape(decoded.value);
  const issues = complaints(decoded, unknown);
  if (issues.length > 0) {
    if (validation === 'Strict') throw new StructureError(`strict decoding error: ${issues.join(', ')}`);
    if (validation === 'Warn') for (const text of issues) context.warn(text);
  }
  return value;
}

function complaints({ issues, text }: Decoded, unknown: readonly string[]): string[] {
  const told = unknown.map((path) => ({ path, duplicate: false, text: `unknown field ${JSON.stringify(path)}` }));
  if (text === undefined || told.length === 0) return [...issues, ...told.map((complaint) => complaint.text)];
  const twice = issues.map((issue) => ({ path: /"(.*)"$/.exec(issue)?.[1] ?? '', duplicate: true, text: issue }));
  return inTextOrder(text, [...told, ...twice]);
}

const versionOf = (apiVersion: string): string => apiVersion.slice(apiVersion.indexOf('/') + 1);

/** Reads an object of a served resource from a body. */
export async function decodeObject(body: RequestBody | undefined, served: ServedResource, context: Reading): Promise<KubeObject> {
  const validation = fieldValidationOf(context);
  const decoded = await parseFor(served.kind, body, validation);
  return decodeValue(decoded, served, context, body?.bytes);
}

/** The same from a value, for patches: their result is decoded as a body would be. */
export function decodeValue(decoded: Decoded, served: ServedResource, context: Reading, bytes?: Uint8Array): KubeObject {
  const shape = served.conform ?? conformTo(served.fact.type);
  const object = served.conform
    ? ofCustomKind(decoded, served.kind, shape, context, bytes)
    : ofKind(decoded, served.kind, shape, context, bytes);
  // A custom resource of another kind is left as it came: its rules refuse it.
  if (object.kind === served.kind.kind) served.rules.applyDefaults?.(object);
  return object;
}

/**
 * Custom resources are read whatever they say they are: their rules refuse another kind, and nothing is known of another version.
 * upstream: apiextensions-apiserver/pkg/apiserver/customresource_handler.go schemaCoercingDecoder.
 */
function ofCustomKind(decoded: Decoded, kind: Kind, shape: Conform, context: Reading, bytes?: Uint8Array): KubeObject {
  const { value } = decoded;
  const { apiVersion, kind: name } = (value ?? {}) as { apiVersion?: unknown; kind?: unknown };
  const told = (given: unknown): given is string => typeof given === 'string' && given !== '';
  if (told(apiVersion) && apiVersion !== kind.apiVersion && told(name)) {
    const unknown = Object.keys(value as object).filter((field) => !['apiVersion', 'kind', 'metadata'].includes(field));
    for (const field of fieldValidationOf(context) === 'Warn' ? unknown : []) context.warn(`unknown field ${JSON.stringify(field)}`);
    throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${kind.apiVersion})`);
  }
  if (!told(name) || name === kind.kind) return ofKind(decoded, kind, shape, context, bytes);
  return { ...ofKind({ ...decoded, value: { ...(value as object), kind: kind.kind } }, kind, shape, context, bytes), kind: name };
}

/** The same where it has the managedFields of `tracked`: no client wrote them, so that they stay as they are. */
export function decodePatched(decoded: Decoded, served: ServedResource, context: Reading, tracked: KubeObject | undefined): KubeObject {
  const { value } = decoded as { value: KubeObject | null };
  const managed = value?.metadata?.managedFields;
  if (!managed || managed !== tracked?.metadata?.managedFields) return decodeValue(decoded, served, context);
  const { managedFields: _, ...metadata } = value!.metadata!;
  const object = decodeValue({ ...decoded, value: { ...value, metadata } }, served, context);
  (object.metadata ??= {}).managedFields = managed;
  return object;
}

/** Reads an object of a given kind (a subresource's body) without defaults. */
export function ofKind(decoded: Decoded, kind: Kind, shape: Conform, context: Reading, bytes?: Uint8Array): KubeObject {
  const { value } = decoded;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    if (value === undefined) throw badRequest(unrecognized(kind, parseError(''), bytes));
    const found = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
    throw badRequest(
      unrecognized(
        kind,
        `couldn't get version/kind; json parse error: json: cannot unmarshal ${found} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
        bytes,
      ),
    );
  }
  const { apiVersion, kind: name } = value as { apiVersion?: unknown; kind?: unknown };
  const foundKind = typeof name === 'string' && name ? name : kind.kind;
  const foundVersion = typeof apiVersion === 'string' && apiVersion ? apiVersion : kind.apiVersion;
  const refuse = (text: string): Error =>
    badRequest(
      name
        ? `${foundKind} in version ${JSON.stringify(versionOf(foundVersion))} cannot be handled as a ${kind.kind}: ${text}`
        : unrecognized(kind, text, bytes),
    );
  if (foundKind !== kind.kind || foundVersion !== kind.apiVersion) {
    const [group, version] = foundVersion.includes('/') ? (foundVersion.split('/') as [string, string]) : ['', foundVersion];
    if (!kindFact(group, version, foundKind)) throw refuse(unregistered(foundKind, foundVersion));
    if (foundKind === kind.kind)
      throw badRequest(`the API version in the data (${foundVersion}) does not match the expected API version (${kind.apiVersion})`);
    throw refuse(`converting (${version}.${foundKind}) to (${kind.group.split('.')[0] || 'core'}.${kind.kind}): unknown conversion`);
  }
  try {
    const object = structured(shape, decoded, fieldValidationOf(context), context) as KubeObject;
    object.kind = kind.kind;
    object.apiVersion = kind.apiVersion;
    return object;
  } catch (error) {
    if (error instanceof StructureError) throw Object.assign(refuse(error.message), { cause: error });
    throw error;
  }
}

/** The scheme's name is where upstream makes it. */
export const unregistered = (kind: string, apiVersion: string): string =>
  `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`;

const unrecognized = (kind: Kind, text: string, bytes: Uint8Array | undefined): string =>
  `the object provided is unrecognized (must be of type ${kind.kind}): ${text} (${summary(bytes)})`;

/** upstream: handlers/rest.go summarizeData. */
function summary(bytes: Uint8Array | undefined): string {
  if (!bytes || bytes.length === 0) return '<empty>';
  if (bytes[0] === 0x7b) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 30)).toString('utf8');
    return bytes.length > 30 ? `${text} ...` : text;
  }
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 30)).toString('hex');
  return bytes.length > 30 ? `${hex} ...` : hex;
}

/** JSON with the duplicates that parsing hides. */
export function parseJsonBody(bytes: Uint8Array, strict: boolean): Decoded {
  const text = (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString('utf8');
  if (text === '') return { value: undefined, issues: [] };
  const deep = tooDeep(bytes);
  if (deep) throw new SyntaxProblem(`invalid character '${deep}' exceeded max depth`);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw new SyntaxProblem(jsonSyntaxError(text) ?? (error as Error).message);
  }
  const twice = strict ? duplicateFields(text, value) : [];
  return { value, issues: twice.map((path) => `duplicate field ${JSON.stringify(path)}`), ...(twice.length > 0 && { text }) };
}
