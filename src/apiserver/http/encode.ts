/** Answers as bytes. Objects that are in the cache are copied, not encoded again. */
import type { Status } from '#api';
import { encodeBare, encodeInEnvelope, encodeProtobuf, encodeProtobufList } from '#machinery/codec';
import type { KubeObject } from '#machinery/meta';
import type { CachedObject } from '../contract.ts';
import type { Answer } from '../handlers/contract.ts';
import type { Accepted } from './negotiation.ts';
import { listMeta } from './list-body.ts';
import { shapedList, shapedObject } from './shapes.ts';
import type { EncodeContext } from './shapes.ts';

type ObjectAnswer = Answer & { type: 'object' };
type ListAnswer = Answer & { type: 'list' };

/** At once where the bytes are in the cache. */
export function encodeAnswer(
  answer: ObjectAnswer | ListAnswer,
  accepted: Accepted,
  context: EncodeContext,
): Uint8Array | Promise<Uint8Array> {
  if (answer.type === 'object' && answer.cached && !accepted.as && accepted.format === 'json' && !accepted.pretty)
    return answer.cached.line();
  return encodeAnew(answer, accepted, context);
}

async function encodeAnew(answer: ObjectAnswer | ListAnswer, accepted: Accepted, context: EncodeContext): Promise<Uint8Array> {
  if (answer.type === 'object') {
    const object =
      accepted.as && answer.served ? await shapedObject(answer.object as KubeObject, answer.served, accepted.as, context) : undefined;
    if (!object && accepted.format === 'protobuf' && answer.cached) return protobufOf(answer.cached);
    return encodeObject(object ?? answer.object, accepted);
  }
  if (accepted.as) return encodeObject(await shapedList(answer, accepted.as, context), accepted);
  if (accepted.format === 'protobuf') return protobufList(answer);
  return encodeObject(plainList(answer), accepted);
}

export async function encodeObject(object: KubeObject | Status, accepted: Accepted): Promise<Uint8Array> {
  switch (accepted.format) {
    case 'protobuf':
      return encodeProtobuf(object);
    case 'json':
      // upstream: apimachinery's json serializer ends what is not pretty with the line.
      return Buffer.from(accepted.pretty ? JSON.stringify(object, undefined, 2) : `${JSON.stringify(object)}\n`);
    case 'yaml': {
      const { stringify } = await import('yaml');
      // Clients in Go read YAML 1.1: what is a boolean or a time there is quoted.
      return Buffer.from(stringify(object, { version: '1.1', aliasDuplicateObjects: false, lineWidth: 0 }));
    }
  }
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
