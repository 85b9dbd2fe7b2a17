/** Which media types bodies may have, one line a format. upstream: apimachinery/pkg/runtime/serializer/codec_factory.go. */
import type { Tags } from 'yaml';
import { decodeProtobuf } from '#machinery/codec';
import { exactInteger, hasLongNumber } from '#machinery/json';
import { badRequest, unsupportedMediaType } from '#machinery/status';
import { SyntaxProblem, notYaml, parseJsonBody } from './decode.ts';
import type { Decoded } from './decode.ts';
import { tooDeep } from './nesting.ts';

export interface InputFormat {
  parse(bytes: Uint8Array, strict: boolean): Decoded | Promise<Decoded>;
}

export const protobufType = 'application/vnd.kubernetes.protobuf';

/** As Go's reader takes YAML 1.1: times and numbers of base 60 are texts. upstream: sigs.k8s.io/yaml/goyaml.v2/resolve.go. */
const goYaml = {
  version: '1.1',
  merge: true,
  customTags: (tags: Tags): Tags =>
    tags.filter(
      (tag) => typeof tag === 'string' || (tag.tag !== 'tag:yaml.org,2002:timestamp' && !('format' in tag && tag.format === 'TIME')),
    ),
} as const;

async function parseYaml(bytes: Uint8Array, strict: boolean): Promise<Decoded> {
  const plain = asJson(bytes);
  if (plain) return plain;
  if (tooDeep(bytes)) throw notConverted(exceeded);
  const { parseDocument } = await import('yaml');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const document = parseDocument(text, { ...goYaml, uniqueKeys: false, intAsBigInt: hasLongNumber(text) });
  const [error] = document.errors;
  if (error)
    throw notConverted(
      error.message.includes('call stack') ? exceeded : `line ${error.linePos?.[0].line ?? 1}: ${error.message.split(' at line')[0]}`,
    );
  const issues: string[] = [];
  if (strict) {
    const checked = parseDocument(text, { ...goYaml, uniqueKeys: true });
    for (const found of checked.errors)
      if (found.code === 'DUPLICATE_KEY')
        issues.push(`line ${found.linePos?.[0].line ?? 0}: key ${keyAt(text, found.pos[0])} already set in map`);
  }
  try {
    return { value: document.toJS({ reviver: (_, value: unknown) => (typeof value === 'bigint' ? exactInteger(value) : value) }), issues };
  } catch (failure) {
    // Aliases that multiply.
    if (failure instanceof ReferenceError) throw notConverted('document contains excessive aliasing');
    throw failure;
  }
}

const exceeded = 'exceeded max depth of 10000';
const notConverted = (complaint: string): SyntaxProblem => new SyntaxProblem(`${notYaml}yaml: ${complaint}`);

/** Most configurations that come as YAML are JSON, which is read much faster; what has fields twice is left to YAML's own complaints. */
function asJson(bytes: Uint8Array): Decoded | undefined {
  if (bytes[0] !== 0x7b) return undefined;
  try {
    const decoded = parseJsonBody(bytes, true);
    return decoded.issues.length === 0 ? decoded : undefined;
  } catch {
    return undefined;
  }
}

function keyAt(text: string, position: number): string {
  const rest = text.slice(position);
  return JSON.stringify(/^["']?([^"':\n]*)/.exec(rest)?.[1] ?? '');
}

/** A binary form has no unknown names and no duplicates to complain of. */
function parseProtobuf(bytes: Uint8Array): Decoded {
  try {
    return { value: decodeProtobuf(bytes), issues: [] };
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}

const formats: Record<string, InputFormat> = {
  'application/json': { parse: parseJsonBody },
  'application/yaml': { parse: parseYaml },
  'application/x-yaml': { parse: parseYaml },
  [protobufType]: { parse: parseProtobuf },
};

/** The bare type of a Content-Type header. */
export const bareType = (header: string): string => (header.split(';')[0] ?? '').trim().toLowerCase();

export function inputFormat(mediaType: string): InputFormat {
  const format = formats[bareType(mediaType) || 'application/json'];
  if (!format) throw unsupportedMediaType(unsupportedText());
  return format;
}

/** upstream: handlers/negotiation errors.go. */
const unsupportedText = (): string =>
  `the body of the request was in an unknown format - accepted media types include: ${Object.keys(formats)
    .filter((type) => type !== 'application/x-yaml')
    .join(', ')}`;
