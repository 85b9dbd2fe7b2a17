/** What of an answer is compared: everything but what two servers cannot have in common (names that are made up, times, addresses given out). */
import { createHash } from 'node:crypto';
import { parse as parseYaml } from 'yaml';
import { decodeProtobuf } from '#machinery/codec';
import type { RawAnswer } from './http-peer.ts';
import { parseJson } from '#machinery/json';

export interface Answer {
  code: number;
  type?: string;
  /** JSON without an end of line. */
  unended?: true;
  warnings?: string[];
  body?: unknown;
}

type Json = Record<string, unknown>;

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
/** Times of today; those that the corpus sends lie before 2026. */
const time = /\b20(?:2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g;
const token = /\beyJ[\w-]+\.[\w-]+\.[\w-]+/g;
/** The corpus asks for 10.96.0.7, .50, .51 and some of .100 to .199 by name: none is given by chance while others are left. */
const address = /\b10\.96\.(?!0\.(?:7|50|51|1\d\d)\b)(?:\d{1,3})\.(?:\d{1,3})\b(?!\/)/g;
/** Node ports that it asks for lie in 30070-30079. */
const nodePorts = new Set(['nodePort', 'healthCheckNodePort']);
const age = /^(?:\d+[smhdy])+$|^<invalid>$/;

function text(value: string): string {
  return (
    value
      .replace(/Invalid value: ("\{(?:[^"\\]|\\.)*\}")/g, quotedObject)
      // Upstream shows what it compares as it holds it, with names that its API does not have; that it shows something is compared.
      .replace(/\n@@[^]*?(?=(?:, [\w.[\]]+: [A-Z]|\]?$))/g, '\n<difference>')
      .replace(/(value: )(?:\{\}|\[\]|\{.*\}|\[.*\]|null)(?=: |$)/g, '$1<value>')
      .replace(uuid, '<uid>')
      .replace(time, '<time>')
      .replace(token, '<token>')
      .replace(address, '<address>')
      .replace(/127\.0\.0\.1:\d+/g, '<server>')
      .replace(/\bkube-api-access-[a-z0-9]{5}\b/g, 'kube-api-access-<made up>')
      .replace(/(\bmade-)[a-z0-9]{5}\b/g, '$1<made up>')
      // Revisions and times in texts that quote an object or compare revisions.
      .replace(/(resourceVersion\\*":\\*")[1-9]\d*/g, '$1<revision>')
      .replace(/(current: |in record \()\d+/g, '$1<revision>')
  );
}

/**
 * Go walks maps in any order: causes about one field come in any order, and so does the message that joins them. The message is checked to
 * be made of its causes.
 */
function withoutOrder(status: Json): void {
  const details = status['details'] as { causes?: { field?: string; message?: string }[] } | undefined;
  const { causes } = details ?? {};
  if (!causes || typeof status['message'] !== 'string') return;
  const lines = [...new Set(causes.map(({ field, message }) => `${field}: ${message}`))];
  const joined = lines.length === 1 ? lines[0]! : `[${lines.join(', ')}]`;
  if (status['message'].endsWith(` is invalid: ${joined}`)) status['message'] = `${status['message'].slice(0, -joined.length)}<causes>`;
  // Where upstream's rules call each other, a cause is told twice.
  const told = new Map(causes.map((cause) => [JSON.stringify(cause), cause]));
  details!.causes = [...told.values()].toSorted((a, b) =>
    a.field === b.field
      ? (a.message ?? '') < (b.message ?? '')
        ? -1
        : 1
      : causes.findIndex(({ field }) => field === a.field) - causes.findIndex(({ field }) => field === b.field),
  );
}

/** An object that a message quotes, without the order of its fields and what differs from run to run. */
function quotedObject(all: string, quoted: string): string {
  try {
    return `Invalid value: ${JSON.stringify(JSON.stringify(normalize(JSON.parse(JSON.parse(quoted) as string))))}`;
  } catch {
    return all;
  }
}

const order = (entry: unknown): string => {
  const { manager, operation, subresource, apiVersion } = entry as Json;
  return JSON.stringify([manager, operation, subresource, apiVersion]);
};

export function normalize(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    if (key === 'resourceVersion' && /^[1-9]\d*$/.test(value)) return '<revision>';
    if (key === 'continue' && value !== '') return '<continue>';
    return text(value);
  }
  if (typeof value === 'number') return nodePorts.has(key) && value >= 30000 && (value < 30070 || value > 30079) ? '<port>' : value;
  if (Array.isArray(value)) {
    const items = value.map((item) => normalize(item, key));
    // Their order is that of seconds in which they were written.
    return key === 'managedFields' ? items.toSorted((a, b) => (order(a) < order(b) ? -1 : 1)) : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const out: Json = {};
  for (const name of Object.keys(value).toSorted()) {
    // The time of a managed field is now, whatever was done.
    if (key === 'managedFields' && name === 'time') continue;
    out[key === 'annotations' || key === 'labels' ? name : text(name)] = normalize((value as Json)[name], name);
  }
  if (out['kind'] === 'Status') withoutOrder(out);
  const made = out['metadata'] as Json | undefined;
  const { generateName, name } = (made ?? {}) as { generateName?: unknown; name?: unknown };
  if (made && typeof generateName === 'string' && typeof name === 'string' && name.startsWith(generateName))
    made['name'] = `${generateName}<made up>`;
  if (Array.isArray(out['cells'])) out['cells'] = out['cells'].map((cell) => (typeof cell === 'string' && age.test(cell) ? '<age>' : cell));
  return out;
}

export function read({ headers, bytes }: RawAnswer): unknown {
  const type = String(headers['content-type'] ?? '');
  if (bytes.length === 0) return undefined;
  if (type.includes('json')) {
    const whole = bytes.toString();
    try {
      return parseJson(whole);
    } catch {
      return whole;
    }
  }
  if (type.includes('yaml')) return parseYaml(bytes.toString());
  if (type.includes('protobuf')) return readProtobuf(bytes);
  return bytes.toString();
}

function readProtobuf(bytes: Buffer): unknown {
  try {
    return decodeProtobuf(bytes);
  } catch (error) {
    return `protobuf that cannot be read: ${(error as Error).message}`;
  }
}

const hash = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 12);

/** Schemas without their sentences. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== 'object' || value === null) return value;
  const { required } = value as { required?: unknown };
  if (Array.isArray(required)) return bare({ ...(value as Json), required: (required as string[]).toSorted().join(' ') });
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, held]) => !(key === 'description' && typeof held === 'string'))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, held]) => [key, bare(held)]),
  );
}

/** The parts of a big document, each as a hash, so that a record stays small. `whole`: as they are. */
export function reduced(view: string | undefined, body: unknown, whole = false): unknown {
  if (view === 'type') return typeof body;
  if (view === undefined || typeof body !== 'object' || body === null) return body;
  const kept = (of: unknown): Json =>
    Object.fromEntries(
      Object.entries((of as Json | undefined) ?? {})
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, held]) => [key, whole ? bare(held) : hash(bare(held))]),
    );
  const document = body as Json;
  const operations = (of: unknown): Json =>
    Object.fromEntries(
      Object.entries((of as Record<string, Record<string, Json>> | undefined) ?? {})
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([path, methods]) => [
          path,
          Object.keys(methods)
            .filter((method) => method !== 'parameters')
            .toSorted()
            .join(' '),
        ]),
    );
  if (view === 'openapi-v2')
    return { paths: operations(document['paths']), definitions: kept(document['definitions']), info: document['info'] };
  return {
    paths: operations(document['paths']),
    schemas: kept((document['components'] as Json | undefined)?.['schemas']),
    info: document['info'],
  };
}

export function answerOf(raw: RawAnswer, view: string | undefined, whole = false): Answer {
  const type = String(raw.headers['content-type'] ?? '');
  const warnings = [raw.headers['warning'] ?? []].flat().flatMap((header) => header.split(/, (?=299 )/));
  const body = normalize(reduced(view, read(raw), whole));
  return {
    code: raw.code,
    ...(type && { type }),
    ...(type.includes('json') && raw.bytes.length > 0 && raw.bytes.at(-1) !== 10 && { unended: true as const }),
    ...(warnings.length > 0 && { warnings: warnings.map(text) }),
    ...(body !== undefined && { body }),
  };
}
