/**
 * The messages that there are most of, written by hand: ranges, puts and events. Field numbers: etcd api/etcdserverpb/rpc.proto,
 * api/mvccpb/kv.proto. All others go through the table-driven codec.
 */
import type { KeyValue, RangeResult, StoreEvent } from '../contract.ts';
import { codec } from '../etcd/protocol.ts';
import type { Wire } from '../etcd/protocol.ts';
import type { MessageParts } from './grpc.ts';
import { sizeOfBlock, sizeOfKeyValue, sizeOfNumber, writeBlockHead, writeKeyValue, writeNumber } from './key-value.ts';

/** A range's answer on its way to the wire: not a message yet. */
export class RangeAnswer {
  readonly result: RangeResult;
  readonly header: Wire;
  constructor(result: RangeResult, header: Wire) {
    this.result = result;
    this.header = header;
  }
}

/** An answer that is nothing but its header: a put's, mostly. */
export class HeaderAnswer {
  readonly header: Wire;
  constructor(header: Wire) {
    this.header = header;
  }
}

export type Answer = Wire | RangeAnswer | HeaderAnswer;

/** Of a message that is made in one piece. */
let scratch = Buffer.allocUnsafeSlow(16 * 1024);
/** Longer answers are made a piece at a time, as the client takes them. */
const piece = 64 * 1024;

/** The bytes are good until the next message is encoded. */
export function encodeAnswer(message: string, answer: Answer): Uint8Array | MessageParts {
  if (answer instanceof HeaderAnswer) return scratch.subarray(0, writeHeader(scratch, 0, answer.header));
  return answer instanceof RangeAnswer ? encodeRange(answer) : codec.encode(message, answer);
}

function encodeRange({ result: { keyValues, more, count }, header }: RangeAnswer): Uint8Array | MessageParts {
  let size = headerRoom;
  for (const keyValue of keyValues) size += sizeOfBlock(sizeOfKeyValue(keyValue));
  if (size > piece) return rangeParts(keyValues, more, count, header);
  if (size > scratch.length) scratch = Buffer.allocUnsafeSlow(piece);
  let at = writeHeader(scratch, 0, header);
  for (const keyValue of keyValues) at = writeKeyValue(scratch, at, 2, keyValue);
  if (more) at = writeNumber(scratch, at, 3, 1);
  return scratch.subarray(0, writeNumber(scratch, at, 4, count));
}

/** A long list. Its first part has the fields that are not repeated: their order is free. */
function rangeParts(keyValues: readonly KeyValue[], more: boolean, count: number, header: Wire): MessageParts {
  let buffer = Buffer.allocUnsafeSlow(piece + 4096);
  let first = writeHeader(buffer, 0, header);
  if (more) first = writeNumber(buffer, first, 3, 1);
  first = writeNumber(buffer, first, 4, count);
  let size = first;
  for (const keyValue of keyValues) size += sizeOfBlock(sizeOfKeyValue(keyValue));
  let index = 0;
  return {
    size,
    next() {
      let at = first;
      first = 0;
      if (at === 0 && index === keyValues.length) return undefined;
      for (; index < keyValues.length; index++) {
        const keyValue = keyValues[index]!;
        const needed = sizeOfBlock(sizeOfKeyValue(keyValue));
        if (at + needed > buffer.length) {
          if (at > 0) break;
          buffer = Buffer.allocUnsafeSlow(needed);
        }
        at = writeKeyValue(buffer, at, 2, keyValue);
      }
      return buffer.subarray(0, at);
    },
  };
}

/** Bytes of events that go to many watches, as the field of a WatchResponse that they are: each is encoded once. */
const encoded = new WeakMap<StoreEvent, Uint8Array>();

export function encodedEvent(event: StoreEvent): Uint8Array {
  let bytes = encoded.get(event);
  if (bytes) return bytes;
  const { type, keyValue, previous } = event;
  const deleted = type === 'delete' ? 1 : 0;
  let size = sizeOfNumber(deleted) + sizeOfBlock(sizeOfKeyValue(keyValue));
  if (previous) size += sizeOfBlock(sizeOfKeyValue(previous));
  const buffer = Buffer.allocUnsafe(sizeOfBlock(size));
  let at = writeBlockHead(buffer, 0, 11, size);
  at = writeNumber(buffer, at, 1, deleted);
  at = writeKeyValue(buffer, at, 2, keyValue);
  if (previous) writeKeyValue(buffer, at, 3, previous);
  bytes = buffer;
  encoded.set(event, bytes);
  return bytes;
}

/** A WatchResponse but for its events. The bytes are good until the next message is encoded. */
export function encodeEventsHead(header: Wire, watchId: number, fragment: boolean): Uint8Array {
  let at = writeHeader(scratch, 0, header);
  at = writeNumber(scratch, at, 2, watchId);
  return scratch.subarray(0, writeNumber(scratch, at, 7, fragment ? 1 : 0));
}

/** Bytes of a header and of an answer's own numbers, at most. */
const headerRoom = 100;

function writeHeader(buffer: Buffer, at: number, header: Wire): number {
  const { clusterId = 0, memberId = 0, revision = 0, raftTerm = 0 } = header as Record<string, number>;
  const start = at + 2;
  let end = writeNumber(buffer, start, 1, clusterId);
  end = writeNumber(buffer, end, 2, memberId);
  end = writeNumber(buffer, end, 3, revision);
  end = writeNumber(buffer, end, 4, raftTerm);
  // Four numbers are less than 128 bytes: their length is one.
  writeBlockHead(buffer, at, 1, end - start);
  return end;
}
