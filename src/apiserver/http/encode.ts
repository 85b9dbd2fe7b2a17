/** Answers as bytes. Objects that are in the cache are copied, not encoded again. */
import type { Status } from '#api';
import { encodeBare, encodeInEnvelope, encodeProtobuf, encodeProtobufList } from '#machinery/codec';
import type { KubeObject } from '#machinery/meta';
import type { CachedObject, ServedResource } from '../contract.ts';
import type { Answer } from '../handlers/contract.ts';
import type { Accepted } from './negotiation.ts';
import { shapedList, shapedObject } from './shapes.ts';

type ObjectAnswer = Answer & { type: 'object' };
type ListAnswer = Answer & { type: 'list' };

/** What the encoders need of the world: the time, for ages in tables. */
export interface EncodeContext {
  now: number;
  includeObject: string;
}

export async function encodeAnswer(answer: ObjectAnswer | ListAnswer, accepted: Accepted, context: EncodeContext): Promise<Uint8Array> {
  if (answer.type === 'object') {
    const object =
      accepted.as && answer.served ? await shapedObject(answer.object as KubeObject, answer.served, accepted.as.kind, context) : undefined;
    if (!object && accepted.format === 'json' && !accepted.pretty && answer.cached) return answer.cached.bytes();
    if (!object && accepted.format === 'protobuf' && answer.cached) return protobufOf(answer.cached);
    return encodeObject(object ?? answer.object, accepted);
  }
  if (accepted.as) return encodeObject(await shapedList(answer, accepted.as.kind, context), accepted);
  if (accepted.format === 'json' && !accepted.pretty) return jsonList(answer);
  if (accepted.format === 'protobuf') return protobufList(answer);
  return encodeObject(plainList(answer), accepted);
}

export async function encodeObject(object: KubeObject | Status, accepted: Accepted): Promise<Uint8Array> {
  switch (accepted.format) {
    case 'protobuf':
      return encodeProtobuf(object);
    case 'json':
      return Buffer.from(JSON.stringify(object, undefined, accepted.pretty ? 2 : undefined));
    case 'yaml': {
      const { stringify } = await import('yaml');
      return Buffer.from(stringify(object, { aliasDuplicateObjects: false, lineWidth: 0 }));
    }
  }
}

function listMeta({ result }: ListAnswer): Record<string, unknown> {
  return {
    resourceVersion: String(result.revision),
    ...(result.continue && { continue: result.continue }),
    ...(result.remaining !== undefined && { remainingItemCount: result.remaining }),
  };
}

/** Only the message is kept beside the object, for lists, watches and single answers alike; its envelope is a few bytes around it. */
export const protobufOf = (cached: CachedObject): Uint8Array =>
  encodeInEnvelope(cached.object.apiVersion ?? '', cached.object.kind ?? '', cached.encoded('protobuf', encodeBare));

function protobufList(answer: ListAnswer): Uint8Array {
  const { kind } = answer.served;
  return encodeProtobufList(
    kind.apiVersion,
    `${kind.kind}List`,
    listMeta(answer),
    answer.result.items.map((item) => item.encoded('protobuf', encodeBare)),
  );
}

const plainList = (answer: ListAnswer): KubeObject =>
  ({
    kind: `${answer.served.kind.kind}List`,
    apiVersion: answer.served.kind.apiVersion,
    metadata: listMeta(answer),
    items: answer.result.items.map(({ object }) => {
      if (answer.served.conform) return object;
      const { kind: _, apiVersion: __, ...item } = object;
      return item;
    }),
  }) as KubeObject;

const typedHead = ({ kind }: ServedResource): Buffer =>
  Buffer.from(`{"kind":${JSON.stringify(kind.kind)},"apiVersion":${JSON.stringify(kind.apiVersion)},`);

/** Items of built-in kinds go without kind and apiVersion, as upstream's do: their bytes are copied from behind these fields. */
export function jsonList(answer: ListAnswer): Uint8Array {
  const { served, result } = answer;
  const head = Buffer.from(
    `{"kind":${JSON.stringify(`${served.kind.kind}List`)},"apiVersion":${JSON.stringify(served.kind.apiVersion)},"metadata":${JSON.stringify(listMeta(answer))},"items":[`,
  );
  const skipped = served.conform ? undefined : typedHead(served);
  const pieces: Uint8Array[] = [];
  let size = head.length + 2;
  for (const item of result.items) {
    let bytes = item.bytes();
    if (skipped && startsWith(bytes, skipped)) {
      // One byte before the first field that stays becomes the opening brace.
      bytes = bytes.subarray(skipped.length - 1);
    }
    pieces.push(bytes);
    size += bytes.length + 1;
  }
  if (pieces.length > 0) size--;
  const out = Buffer.allocUnsafe(size);
  head.copy(out);
  let at = head.length;
  for (let index = 0; index < pieces.length; index++) {
    if (index > 0) out[at++] = 0x2c;
    const piece = pieces[index]!;
    out.set(piece, at);
    if (piece[0] !== 0x7b) out[at] = 0x7b;
    at += piece.length;
  }
  out.write(']}', at, 'latin1');
  return out;
}

function startsWith(bytes: Uint8Array, head: Uint8Array): boolean {
  if (bytes.length < head.length) return false;
  for (let index = head.length - 1; index >= 0; index--) if (bytes[index] !== head[index]) return false;
  return true;
}
